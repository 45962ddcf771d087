import { beforeEach, describe, expect, it } from 'vitest'

import { anchor, choose, choosing, clear, reach, selection, startFrom, toggle } from './selection'

const chosen = () => [...selection].sort()

describe('the choice', () => {
  beforeEach(clear)

  it('takes a model in and out again', () => {
    toggle('a', 3)
    expect(chosen()).toEqual(['a'])
    expect(anchor.value).toBe(3)

    toggle('a', 3)
    expect(choosing.value).toBe(false)
  })

  it('follows a range that shrinks, and keeps what was chosen before it', () => {
    toggle('x', 9)
    startFrom(0)
    reach(['a', 'b', 'c'])
    reach(['a', 'b'])

    expect(chosen()).toEqual(['a', 'b', 'x'])
  })

  it('takes in many at once, and leaves all', () => {
    choose(['a', 'b'])
    expect(chosen()).toEqual(['a', 'b'])

    clear()
    expect(chosen()).toEqual([])
    expect(anchor.value).toBe(null)
  })
})
