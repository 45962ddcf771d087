import { describe, expect, it } from 'vitest'

import { movedTo } from './moving'

const GRID = { count: 23, columns: 5, rows: 2 } // rows of 5, the last with 3

describe('the keys in a grid', () => {
  it.each([
    ['ArrowRight', 0, 1], ['ArrowRight', 4, 5], ['ArrowRight', 22, 22], ['ArrowLeft', 5, 4], ['ArrowLeft', 0, 0],
    ['ArrowDown', 3, 8], ['ArrowDown', 16, 21], ['ArrowDown', 19, 22], ['ArrowDown', 21, 21],
    ['ArrowUp', 8, 3], ['ArrowUp', 3, 3], ['Home', 17, 0], ['End', 2, 22],
    ['PageDown', 2, 12], ['PageDown', 14, 22], ['PageUp', 12, 2], ['PageUp', 7, 2],
  ])('%s from %i leads to %i', (key, from, to) => {
    expect(movedTo(key, from, GRID)).toBe(to)
  })

  it('leave a list’s sides alone, other keys, and a list of nothing', () => {
    expect(movedTo('ArrowRight', 3, { count: 9, columns: 1, rows: 4 })).toBe(null)
    expect(movedTo('x', 3, GRID)).toBe(null)
    expect(movedTo('End', 0, { count: 0, columns: 5, rows: 2 })).toBe(null)
  })
})
