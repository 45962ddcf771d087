import { describe, expect, it } from 'vitest'

import type { Candidate } from '../shapes'
import { card, chosen, SHAS, waiting } from './fixtures'
import { pickable, usePicks } from './picks'

const INK = chosen('Ink', { sha256: SHAS.ink, strengthModel: 0.6, strengthClip: 0.4, enabled: false })
const MOSS = chosen('Moss', { sha256: SHAS.moss, strengthModel: 0.8 })
const names = (picks: ReturnType<typeof usePicks>) => picks.result().map(({ name }) => name)

describe('choosing LoRAs', () => {
  it('adds at the end with full strength, and keeps what is there as it is', () => {
    const picks = usePicks('loras', [INK])

    picks.pick(card('Moss', SHAS.moss))

    expect(picks.result()).toEqual([INK, chosen('Moss', { sha256: SHAS.moss })])
  })

  it('leaves one by picking it again, and gives it back with the strengths that it had', () => {
    const picks = usePicks('loras', [INK, MOSS])

    picks.pick(card('Ink', SHAS.ink))
    expect(names(picks)).toEqual(['Moss'])
    picks.pick(card('Ink', SHAS.ink))

    expect(picks.result()).toEqual([MOSS, INK])
  })

  it('knows a model by its content at whatever path the node names it', () => {
    const elsewhere = chosen('Ink', { sha256: SHAS.ink, path: '/nas/ink.safetensors' })
    const picks = usePicks('loras', [elsewhere])

    expect(picks.hasModel(SHAS.ink)).toBe(true)
    picks.pick(card('Ink', SHAS.ink))

    expect(picks.result()).toEqual([])
  })

  it('knows a model that the node names by its path alone, once its content is known, and says so to the node', () => {
    const picks = usePicks('loras', [chosen('Ink', { path: '/nas/ink.safetensors' })])

    picks.know(picks.picks[0]?.key ?? 0, SHAS.ink)

    expect(picks.hasModel(SHAS.ink)).toBe(true)
    expect(picks.result()[0]?.sha256).toBe(SHAS.ink)
    expect(picks.changed.value).toBe(false)
  })

  it('takes files that are not imported, by their path', () => {
    const picks = usePicks('loras', [])

    picks.pick(pickable(waiting(7, 'fresh', { sha256: SHAS.ink })))

    expect(picks.hasFile('/models/loras/fresh.safetensors')).toBe(true)
    expect(picks.result()).toEqual([chosen('fresh')])
  })

  it.each([
    [0, 2, ['b', 'c', 'a', 'd']],
    [3, 0, ['d', 'a', 'b', 'c']],
    [1, 9, ['a', 'c', 'd', 'b']],
    [2, -4, ['c', 'a', 'b', 'd']],
    [1, 1, ['a', 'b', 'c', 'd']],
  ])('moves number %d to %d', (from, to, order) => {
    const picks = usePicks('loras', ['a', 'b', 'c', 'd'].map((name) => chosen(name)))

    picks.move(picks.picks[from]?.key ?? -1, to)

    expect(names(picks)).toEqual(order)
  })

  it('has the same LoRA twice where a node does, and removes the one that is meant', () => {
    const picks = usePicks('loras', [INK, MOSS, INK])

    picks.remove(picks.picks[0]?.key ?? -1)

    expect(names(picks)).toEqual(['Moss', 'Ink'])
  })

  it('takes a set in place of what is chosen, or adds what of it is not there', () => {
    const picks = usePicks('loras', [INK])

    picks.take([MOSS, { ...INK, strengthModel: 2 }], 'behind')
    expect(picks.result()).toEqual([INK, MOSS])
    picks.take([MOSS], 'instead')

    expect(picks.result()).toEqual([MOSS])
  })

  it('takes back what was done since a mark', () => {
    const picks = usePicks('loras', [INK, MOSS])
    const undo = picks.mark()

    picks.clear()
    expect(picks.changed.value).toBe(true)
    undo()

    expect(picks.result()).toEqual([INK, MOSS])
    expect(picks.changed.value).toBe(false)
  })
})

describe('choosing a checkpoint', () => {
  it('has one in place of another', () => {
    const picks = usePicks('checkpoint', [INK])

    picks.pick(card('Moss', SHAS.moss))

    expect(names(picks)).toEqual(['Moss'])
  })

  it('keeps the place that the node names where the same content is picked', () => {
    const picks = usePicks('checkpoint', [chosen('Ink', { sha256: SHAS.ink, path: '/nas/ink.safetensors' })])

    picks.pick(card('Ink', SHAS.ink))

    expect(picks.result()[0]?.path).toBe('/nas/ink.safetensors')
  })
})

describe('accepting another place', () => {
  const at = (by: Candidate['by'], sha256: string | null): Candidate =>
    ({ path: '/new/ink.safetensors', name: 'ink', type: 'loras', sha256, pending: null, size_bytes: 1, by })

  it.each([
    ['sha256', SHAS.ink, SHAS.ink],
    ['sha256', null, SHAS.ink],
    ['name', SHAS.moss, SHAS.moss],
    ['name', null, null],
  ] as const)('found by %s with content %s, the entry keeps its strengths', (by, sha256, then) => {
    const picks = usePicks('loras', [INK])

    picks.accept(picks.picks[0]?.key ?? -1, at(by, sha256))

    expect(picks.result()).toEqual([{ ...INK, path: '/new/ink.safetensors', sha256: then }])
  })
})
