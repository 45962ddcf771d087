import { effectScope, nextTick, ref } from 'vue'
import type { EffectScope } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { api } from '../api'
import type { PendingCard } from '../shapes'
import { takeWork } from './live'
import { everyPending, isReady, standing, usePending } from './pending'
import type { Filter } from './pending'

function card(change: Partial<PendingCard> = {}): PendingCard {
  return {
    id: 1, name: 'a', path: '/drop/a', name_valid: true, type: 'loras', size_bytes: 1, created_at: 0, tags: [], image: null,
    in_place: false, state: 'waiting', sha256: null, replaces: null, import: null, ...change,
  }
}

const ended = (state: NonNullable<PendingCard['import']>['state']) => ({ import: { state, reason: null, model: null } })

let scope: EffectScope

beforeEach(() => {
  scope = effectScope()
})

afterEach(() => {
  scope.stop()
  takeWork([])
})

describe('the state of a pending model', () => {
  it.each([
    ['free', {}, true],
    ['free', { type: null }, false],
    ['free', ended('cancelled'), true],
    ['known', { sha256: 'f'.repeat(64) }, true],
    ['missing', { state: 'missing' }, false],
    ['offline', { state: 'offline', ...ended('failed') }, false],
    ['queued', ended('queued'), false],
    ['importing', ended('planned'), false],
    ['conflict', ended('conflict'), false],
    ['failed', ended('failed'), false],
  ] as const)('is %s for %o', (state, change, ready) => {
    expect(standing(card(change))).toBe(state)
    expect(isReady(card(change))).toBe(ready)
  })

  it('is importing while its queued import is at work', () => {
    takeWork([{ task: 'import/x', pending: 1, done: 1, total: 2 }])

    expect(standing(card(ended('queued')))).toBe('importing')
  })
})

describe('the list of what is pending', () => {
  it('asks anew for another filter and other words, and only then', async () => {
    const asked = vi.spyOn(api, 'pending').mockResolvedValue({ items: [card()], next: null, total: 1 })
    const filter = ref<Filter>('all')
    const words = ref('')
    const list = scope.run(() => usePending(() => filter.value, () => words.value))
    await vi.waitFor(() => expect(list?.items.value).toHaveLength(1))

    words.value = ' '
    await nextTick()
    expect(asked).toHaveBeenCalledTimes(1)
    filter.value = 'conflict'
    await nextTick()

    expect(asked.mock.lastCall?.[0]).toMatchObject({ import: ['conflict'] })
  })

  it('reads further as it is looked at further down', async () => {
    const page = Array.from({ length: 200 }, (_, at) => card({ id: at + 1 }))
    const asked = vi.spyOn(api, 'pending').mockResolvedValue({ items: page, next: 'more', total: 1000 })
    const list = scope.run(() => usePending(() => 'all', () => ''))
    await vi.waitFor(() => expect(list?.items.value).toHaveLength(200))

    list?.need(20)
    expect(asked).toHaveBeenCalledTimes(1)
    list?.need(190)

    await vi.waitFor(() => expect(list?.items.value).toHaveLength(400))
  })

  it('gives every one of them, page by page', async () => {
    vi.spyOn(api, 'pending')
      .mockResolvedValueOnce({ items: [card({ id: 1 })], next: 'more' })
      .mockResolvedValueOnce({ items: [card({ id: 2 })], next: null })

    expect((await everyPending({})).map((item) => item.id)).toEqual([1, 2])
  })
})
