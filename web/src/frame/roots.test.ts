import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { afterEach, describe, expect, it, vi } from 'vitest'

import { api, Away, Refused } from '../api'
import type { Root } from '../shapes'
import { words } from '../words'
import AddRoot from './AddRoot.vue'
import RootRow from './RootRow.vue'

const said = words.frame
const ROOT: Root = {
  id: 1, path: '/m/loras', kind: 'model', type: 'loras', state: 'online', why: null, cure: null, watched: 'events',
  polled_every_s: null, models: 3, pending: 0, origin: 'user',
}

enableAutoUnmount(afterEach)

async function fill(path: string, type: string) {
  const form = mount(AddRoot, { attachTo: document.body })
  const [first, second] = form.findAll('input')
  await first?.setValue(path)
  await second?.setValue(type)
  await form.find('form').trigger('submit')
  await flushPromises()
  return form
}

describe('adding a folder', () => {
  it('adds a folder for models of a type', async () => {
    const add = vi.spyOn(api, 'addRoot').mockResolvedValue({ ...ROOT, position: 1 })

    const form = await fill(' /m/loras ', 'loras')

    expect(add).toHaveBeenCalledExactlyOnceWith('/m/loras', 'model', 'loras')
    expect(form.emitted('added')).toHaveLength(1)
  })

  it.each([
    ['the reason of the daemon', new Refused(422, 'There is no folder /x; make it first.'), 'There is no folder /x; make it first.'],
    ['that nobody answers', new Away(null), said.awayMeanwhile],
  ])('says %s, and keeps what was typed', async (_what, error, told) => {
    vi.spyOn(api, 'addRoot').mockRejectedValue(error)

    const form = await fill('/x', 'loras')

    expect(form.find('[role="alert"]').text()).toBe(told)
    expect(form.find('input').element.value).toBe('/x')
  })
})

describe('a watched folder', () => {
  it('tells why it is offline, and the cure', () => {
    const row = mount(RootRow, { props: { root: { ...ROOT, state: 'offline', why: 'Its disk is gone.', cure: 'Plug it in.' } } })

    expect(row.text()).toContain(said.rootStates.offline)
    expect(row.text()).toContain('Its disk is gone.')
    expect(row.text()).toContain('Plug it in.')
  })

  it('is removed only after it was asked for once more', async () => {
    const row = mount(RootRow, { props: { root: ROOT } })

    await row.find(`[aria-label="${said.removeOf(ROOT.path)}"]`).trigger('click')
    expect(row.emitted('remove')).toBeUndefined()
    await row.find('.danger').trigger('click')

    expect(row.emitted('remove')).toHaveLength(1)
  })

  it('can be resumed where it is paused', async () => {
    const row = mount(RootRow, { props: { root: { ...ROOT, state: 'paused' } } })

    await row.find(`[aria-label="${said.resumeOf(ROOT.path)}"]`).trigger('click')

    expect(row.emitted('pause')).toHaveLength(1)
  })
})
