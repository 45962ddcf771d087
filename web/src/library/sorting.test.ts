import { describe, expect, it } from 'vitest'

import { fieldOf, fieldsFor, isDown, sortOf, turnedRound } from './sorting'

describe('the order', () => {
  it('is by name, or best first where words are searched for', () => {
    expect(fieldOf({ q: '', sort: null })).toBe('name')
    expect(fieldOf({ q: 'a', sort: null })).toBe('best')
    expect(fieldOf({ q: '', sort: 'best' })).toBe('name')
    expect(fieldsFor({ q: '' , sort: null })).not.toContain('best')
  })

  it('says to the address what is not so by itself', () => {
    expect(sortOf({ q: '', sort: null }, 'name', false)).toBe(null)
    expect(sortOf({ q: 'a', sort: null }, 'name', false)).toBe('name')
    expect(sortOf({ q: 'a', sort: 'name' }, 'best', false)).toBe(null)
    expect(sortOf({ q: '', sort: null }, 'size', true)).toBe('-size')
  })

  it('turns round', () => {
    expect(turnedRound({ q: '', sort: null })).toBe('-name')
    expect(turnedRound({ q: '', sort: '-name' })).toBe(null)
    expect(isDown({ q: '', sort: '-added' })).toBe(true)
  })
})
