import { beforeEach, describe, expect, it } from 'vitest'

import { columns, LEAST_COLUMNS, MOST_COLUMNS, preferences, shownTheme } from './preferences'

beforeEach(() => {
  preferences.value.theme = 'system'
})

describe('the preferences', () => {
  it.each([
    [0, LEAST_COLUMNS],
    [5, 5],
    [4.4, 4],
    [99, MOST_COLUMNS],
    [Number.NaN, 6],
  ])('hold %d columns within their bounds', (wanted, held) => {
    columns.value = wanted

    expect(columns.value).toBe(held)
  })

  it('show a theme that was chosen, whatever the system likes', () => {
    preferences.value.theme = 'light'
    expect(shownTheme.value).toBe('light')
    preferences.value.theme = 'dark'
    expect(shownTheme.value).toBe('dark')
  })
})
