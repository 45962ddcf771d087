import { beforeEach, describe, expect, it } from 'vitest'

import { emptyView, keepPlace, place, searchOf, show, view, viewOf } from './address'
import type { View } from './address'

const SHA = 'a1'.repeat(32)

const VIEWS: Partial<View>[] = [
  {},
  { mode: 'pending', pending: 7 },
  { type: 'loras', q: 'anime girl' },
  { q: ' "a & b" = ? # % + é 猫 ' },
  { include: ['hair color', 'a&b', '猫'], exclude: ['nsfw'] },
  { sort: '-added', nsfw: true, model: SHA },
  { type: 'unet', q: 'x', include: ['a'], exclude: ['b', 'c'], sort: 'best', model: SHA, pending: 12 },
]

describe('the address', () => {
  it.each(VIEWS)('gives back the view it holds: %j', (change) => {
    const whole = { ...emptyView(), ...change }

    expect(viewOf(searchOf(whole))).toEqual(whole)
  })

  it.each([
    ['?sort=worst&model=xyz&id=-3&nsfw=yes&type=', emptyView()],
    ['?id=1e3&view=nothing&tag=&not=', emptyView()],
    ['?tag=a&tag=a&tag=b&not=b', { ...emptyView(), include: ['a'], exclude: ['b'] }],
  ])('leaves out what makes no sense: %s', (search, meant) => {
    expect(viewOf(search)).toEqual(meant)
  })
})

describe('showing', () => {
  beforeEach(() => show(emptyView()))

  it('makes a step that the back button takes back, but not for what is typed', () => {
    const steps = window.history.length

    show({ q: 'a' }, 'replace')
    show({ q: 'ab' }, 'replace')
    expect(window.history.length).toBe(steps)
    expect(window.location.search).toBe('?q=ab')

    show({ type: 'loras' })
    expect(window.history.length).toBe(steps + 1)
  })

  it('makes no step where nothing changes', () => {
    const steps = window.history.length

    show({ type: null, q: '' })

    expect(window.history.length).toBe(steps)
  })

  it('follows the history', () => {
    window.history.replaceState(null, '', '?type=vae')
    window.dispatchEvent(new PopStateEvent('popstate'))

    expect(view.type).toBe('vae')
  })

  it('keeps where the list stood with the step, and through details that open', () => {
    keepPlace(4_200)
    show({ model: SHA })

    expect(place()).toBe(4_200)
  })
})
