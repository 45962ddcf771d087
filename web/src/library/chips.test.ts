import { describe, expect, it } from 'vitest'

import { chipsOf, matching, turned } from './chips'

const COUNTS = [{ name: 'anime', count: 9 }, { name: 'Café', count: 4 }, { name: 'nsfw', count: 3 }, { name: 'old', count: 0 }]
const names = (chips: readonly { name: string }[]) => chips.map((chip) => chip.name)

describe('tag chips', () => {
  it('have the chosen ones first, and none that would leave nothing', () => {
    const chips = chipsOf(COUNTS, { include: ['Café'], exclude: ['photo'] })

    expect(chips).toEqual([
      { name: 'Café', count: 4, state: 'include' },
      { name: 'photo', count: null, state: 'exclude' },
      { name: 'anime', count: 9, state: 'off' },
    ])
  })

  it('go from off to include to exclude to off', () => {
    let chosen = { include: ['x'], exclude: ['y'] }
    const press = () => {
      const chip = chipsOf(COUNTS, chosen).find(({ name }) => name === 'anime')
      if (chip) chosen = turned(chosen, chip)
    }

    press()
    expect(chosen).toEqual({ include: ['x', 'anime'], exclude: ['y'] })
    press()
    expect(chosen).toEqual({ include: ['x'], exclude: ['y', 'anime'] })
    press()
    expect(chosen).toEqual({ include: ['x'], exclude: ['y'] })
  })

  it('are found by a part of their name, whatever its case and accents; the chosen ones stay', () => {
    const chips = chipsOf(COUNTS, { include: [], exclude: ['photo'] })

    expect(names(matching(chips, ' CAFE '))).toEqual(['photo', 'Café'])
    expect(names(matching(chips, ''))).toEqual(['photo', 'anime', 'Café'])
  })
})
