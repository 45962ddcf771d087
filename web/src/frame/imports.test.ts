import { afterEach, describe, expect, it, vi } from 'vitest'

import { api } from '../api'
import type { Status } from '../shapes'
import { close, takeWork } from '../state/live'
import { begin } from '../state/status'
import { useImports } from './imports'

afterEach(() => {
  close()
  takeWork([])
})

async function tell(imports: Status['imports'], work: Status['work'] = []) {
  const told = { position: 1, roots: [], counts: {}, imports, work, waiting: [], warnings: [], version: '' }
  vi.spyOn(api, 'status').mockResolvedValue(told)
  vi.spyOn(api, 'types').mockResolvedValue({ items: [], next: null })
  vi.spyOn(api, 'events').mockReturnValue(new Promise(() => undefined))
  await begin()
  return useImports().value
}

describe('the imports as a whole', () => {
  it('are nothing while none is under way', async () => {
    expect(await tell({ queued: 0, running: 0, done: 5, total: 5 })).toBeNull()
  })

  it('are known to a page that is opened in their midst', async () => {
    expect(await tell({ queued: 3, running: 1, done: 6, total: 10, bytes: 60, bytes_total: 100 }))
      .toEqual({ done: 6, total: 10, bytes: 60, bytesTotal: 100 })
  })

  it('follow their progress between two looks at the status', async () => {
    const work = [{ task: 'imports', done: 7, total: 10, bytes: 70, bytes_total: 100 }]

    expect(await tell({ queued: 3, running: 1, done: 6, total: 10 }, work)).toMatchObject({ done: 7, bytes: 70 })
  })
})
