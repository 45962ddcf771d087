import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope } from 'vue'
import type { EffectScope } from 'vue'

import { api, Away, Refused } from '../api'
import * as status from '../state/status'
import { words } from '../words'
import { useReach } from './reach'

let scope: EffectScope
const reached = () => scope.run(useReach) ?? expect.unreachable()

beforeEach(() => {
  vi.useFakeTimers()
  scope = effectScope(true)
  vi.spyOn(api, 'way').mockResolvedValue({ daemon: false, access: 'full', can_start: true, how: 'Run hikazed run.' })
})
afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

describe('reaching the daemon through ComfyUI', () => {
  it('says how to start it where it is away, and goes on by itself when it is back', async () => {
    const begin = vi.spyOn(status, 'begin').mockRejectedValue(new Away(null))
    const { reach, how, canStart } = reached()
    await flushPromises()
    expect(reach.state).toBe('away')
    expect(how.value).toBe('Run hikazed run.')
    expect(canStart.value).toBe(true)

    begin.mockResolvedValue(undefined)
    await vi.advanceTimersByTimeAsync(2_000)

    expect(reach.state).toBe('open')
  })

  it('starts it when that is asked for, and opens at once', async () => {
    const begin = vi.spyOn(status, 'begin').mockRejectedValue(new Away(null))
    const run = vi.spyOn(api, 'startDaemon').mockImplementation(() => {
      begin.mockResolvedValue(undefined)
      return Promise.resolve({ daemon: true })
    })
    const { reach, start } = reached()
    await flushPromises()

    await start()

    expect(run).toHaveBeenCalledOnce()
    expect(reach).toMatchObject({ state: 'open', starting: false, problem: null })
  })

  it('says why it could not be started', async () => {
    vi.spyOn(status, 'begin').mockRejectedValue(new Away(null))
    vi.spyOn(api, 'startDaemon').mockRejectedValue(new Refused(409, 'hikazed is not installed here.'))
    const { reach, start } = reached()
    await flushPromises()

    await start()

    expect(reach).toMatchObject({ state: 'away', starting: false, problem: 'hikazed is not installed here.' })
  })

  it('says what ComfyUI or the daemon refuses, and that a viewer may not write', async () => {
    vi.spyOn(status, 'begin').mockRejectedValueOnce(new Refused(403, 'Not from here.')).mockResolvedValue(undefined)
    vi.mocked(api.way).mockResolvedValue({ daemon: true, access: 'view', can_start: false, how: '' })
    const { reach, mayWrite } = reached()
    await flushPromises()
    expect(reach).toMatchObject({ state: 'refused', why: 'Not from here.' })

    await vi.advanceTimersByTimeAsync(2_000)

    expect(reach.state).toBe('open')
    expect(mayWrite.value).toBe(false)
  })

  it('has a sentence where ComfyUI says nothing', async () => {
    vi.spyOn(status, 'begin').mockRejectedValue(new Away(null))
    vi.mocked(api.way).mockRejectedValue(new Refused(404, 'Not found'))
    const { how, canStart } = reached()
    await flushPromises()

    expect(how.value).toBe(words.choosing.away.how)
    expect(canStart.value).toBe(false)
  })

  it('asks no longer when the overlay is gone', async () => {
    const begin = vi.spyOn(status, 'begin').mockRejectedValue(new Away(null))
    reached()
    await flushPromises()
    const before = begin.mock.calls.length

    scope.stop()
    await vi.advanceTimersByTimeAsync(10_000)

    expect(begin).toHaveBeenCalledTimes(before)
  })
})
