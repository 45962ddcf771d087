import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { api } from '../api'
import type { ModelWhole, PendingCard, PendingWhole } from '../shapes'
import { words } from '../words'
import ConflictDialog from './ConflictDialog.vue'

const SHA = 'a'.repeat(64)
const TEXTS = { description: '', community_links: '', prompts: { positive: '', negative: '' }, trigger_words: [], tags: [] }

function card(id: number, state: 'conflict' | null = 'conflict'): PendingCard {
  return {
    id, name: `Comes ${id}`, path: `/drop/${id}`, type: 'loras', size_bytes: 1, created_at: 0, tags: [], image: null, in_place: false,
    name_valid: true, state: 'waiting', sha256: state ? null : SHA, replaces: null, import: state && { state, reason: null, model: SHA },
  }
}

enableAutoUnmount(afterEach)

beforeEach(() => {
  vi.spyOn(api, 'pendingWhole').mockImplementation((id) =>
    Promise.resolve({ ...card(id, id === 9 ? null : 'conflict'), ...TEXTS } as unknown as PendingWhole))
  vi.spyOn(api, 'model').mockResolvedValue(
    { sha256: SHA, name: 'There', type: 'loras', size_bytes: 1, created_at: 0, cover: null, path: '/m/a', state: 'present', locations: [], ...TEXTS } as unknown as ModelWhole)
  vi.spyOn(api, 'importThese').mockResolvedValue({ queued: 1, action: '', position: 1 })
})

async function open(first: number, ids: number[], total = ids.length) {
  const dialog = mount(ConflictDialog, { props: { first, conflicts: ids.map((id) => card(id)), total }, attachTo: document.body })
  await flushPromises()
  return dialog
}

const button = (name: string) =>
  [...document.querySelectorAll('button')].find((each) => each.textContent.startsWith(name) || each.ariaLabel === name || each.getAttribute('aria-label') === name)

async function press(name: string): Promise<void> {
  button(name)?.click()
  await flushPromises()
}

describe('a conflict', () => {
  it('is decided once, and the next one is shown', async () => {
    const dialog = await open(1, [1, 2])

    await press(words.pending.strategies.merge)

    expect(api.importThese).toHaveBeenCalledExactlyOnceWith([1], 'merge')
    expect(api.pendingWhole).toHaveBeenLastCalledWith(2)
    expect(dialog.emitted('close')).toBeUndefined()
    await press(words.pending.strategies.delete)
    expect(api.importThese).toHaveBeenLastCalledWith([2], 'delete')
    expect(dialog.emitted('close')).toHaveLength(1)
  })

  it('is decided for all, also for those that the page has not read', async () => {
    const dialog = await open(1, [1, 2], 700)
    document.querySelector<HTMLInputElement>('input[type="checkbox"]')?.click()

    await press(words.pending.strategies.override)

    expect(api.importThese).toHaveBeenCalledExactlyOnceWith('conflict', 'override')
    expect(dialog.emitted('close')).toHaveLength(1)
  })

  it('can be passed over and come back to', async () => {
    await open(1, [1, 2])

    await press(words.pending.next)
    expect(api.pendingWhole).toHaveBeenLastCalledWith(2)
    await press(words.pending.previous)
    expect(api.pendingWhole).toHaveBeenLastCalledWith(1)
    expect(api.importThese).not.toHaveBeenCalled()
  })

  it('may be decided before anybody tried to import it', async () => {
    const dialog = await open(9, [])

    await press(words.pending.strategies.ignore)

    expect(api.importThese).toHaveBeenCalledExactlyOnceWith([9], 'ignore')
    expect(dialog.emitted('close')).toHaveLength(1)
  })

  it('stays where the decision could not be told', async () => {
    vi.mocked(api.importThese).mockRejectedValue(new Error('no'))
    const dialog = await open(1, [1])

    await press(words.pending.strategies.merge)

    expect(dialog.emitted('close')).toBeUndefined()
  })
})
