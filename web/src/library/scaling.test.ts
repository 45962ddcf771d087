import { describe, expect, it } from 'vitest'

import { follow, rest, shownHeight, TALLEST } from './scaling'

const LOW = { full: 20_000, port: 800 }
const TALL = { full: 43_000_000, port: 800 } // 100,000 models, two in a row
const MOST = TALL.full - TALL.port
const MOST_TOP = TALLEST - TALL.port

describe('a list of any height', () => {
  it('is as tall as it is, up to what browsers can have', () => {
    expect(shownHeight(LOW.full)).toBe(20_000)
    expect(shownHeight(TALL.full)).toBe(TALLEST)
  })

  it('stands where it is scrolled to, where it is not too tall', () => {
    expect(follow(LOW, { top: 0, at: 0 }, 5_000)).toEqual({ top: 5_000, at: 5_000 })
    expect(rest(LOW, 5_000)).toEqual({ top: 5_000, at: 5_000 })
  })

  it('has its end at the end of the scrollbar, and its start at the start', () => {
    expect(follow(TALL, { top: 0, at: 0 }, MOST_TOP).at).toBe(MOST)
    expect(follow(TALL, { top: 900, at: 40_000 }, 0).at).toBe(0)
  })

  it('moves pixel by pixel with the wheel', () => {
    const there = rest(TALL, 20_000_000)

    expect(follow(TALL, there, there.top + 120).at).toBe(20_000_120)
    expect(follow(TALL, there, there.top - 120).at).toBe(19_999_880)
  })

  it('goes in proportion with the scrollbar', () => {
    expect(follow(TALL, { top: 0, at: 0 }, MOST_TOP / 2).at).toBeCloseTo(MOST / 2)
  })

  it('is brought to rest without moving', () => {
    for (const at of [0, 1, 12_345_678, MOST]) {
      const there = rest(TALL, at)
      expect(there.at).toBe(at)
      expect(there.top).toBeLessThanOrEqual(MOST_TOP)
    }
    expect(rest(TALL, MOST + 5_000).at).toBe(MOST)
  })
})
