import { describe, expect, it } from 'vitest'

import { emptyView } from './address'
import { queryOf, unhiddenQueryOf } from './asking'

const ask = (change: object) => queryOf({ ...emptyView(), ...change })

describe('the question of a view', () => {
  it('leaves out what is tagged nsfw, by name, for a library nobody asks anything of', () => {
    expect(ask({})).toEqual({ type: null, q: '', tag: [], not_tag: ['nsfw'], sort: 'name' })
  })

  it.each([
    [{ nsfw: true }, []],
    [{ include: ['NSFW'] }, []],
    [{ q: 'tag:nsfw' }, []],
    [{ q: '(a OR tag:"nsfw")' }, []],
    [{ q: 'nsfw' }, ['nsfw']],
    [{ q: '-tag:nsfw' }, ['nsfw']],
    [{ exclude: ['photo'] }, ['photo', 'nsfw']],
    [{ exclude: ['NSFW'], nsfw: true }, ['nsfw']],
  ])('shows it where it is asked for: %j', (change, left) => {
    expect(ask(change).not_tag).toEqual(left)
  })

  it.each([
    [{ q: 'cat' }, null],
    [{ q: '  ' }, 'name'],
    [{ q: 'cat', sort: '-size' }, '-size'],
    [{ sort: 'best' }, 'name'],
  ])('is ordered best first where there are words: %j', (change, sort) => {
    expect(ask(change).sort).toBe(sort)
  })

  it('can be asked as if nothing were hidden', () => {
    expect(unhiddenQueryOf({ ...emptyView(), exclude: ['photo'] }).not_tag).toEqual(['photo'])
  })
})
