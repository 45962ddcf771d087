import { describe, expect, it } from 'vitest'

import { keepPlace, leaveAddress, place, show, view } from './address'

const SHA = 'a1'.repeat(32)

describe('over a page that is not ours', () => {
  it('the view is held without a word to the address or the history', () => {
    window.history.replaceState({ theirs: true }, '', '?workflow=1')
    const before = { search: window.location.search, steps: window.history.length }
    leaveAddress()

    show({ type: 'loras', model: SHA })
    show({ q: 'ink' }, 'replace')
    keepPlace(42)
    window.dispatchEvent(new PopStateEvent('popstate'))

    expect(view).toMatchObject({ type: 'loras', model: SHA, q: 'ink' })
    expect(place()).toBe(42)
    expect({ search: window.location.search, steps: window.history.length }).toEqual(before)
    expect(window.history.state).toEqual({ theirs: true })
  })
})
