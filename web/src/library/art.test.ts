import { describe, expect, it } from 'vitest'

import type { FoundCard } from '../shapes'
import { columnsFor, filledBy, initials, picturesOf, qualityFor } from './art'

describe('a card', () => {
  it.each([[160, 1, 'low'], [160, 2, 'low'], [240, 2, 'medium'], [690, 1, 'medium'], [690, 2, 'high']])(
    'of %i px on a screen of %i has its picture in %s', (width, ratio, quality) => {
      expect(qualityFor(width, ratio)).toBe(quality)
    },
  )

  it.each([[169, 211, 'low', 100, 'low'], [169, 211, 'low', 221, 'medium'], [169, 211, 'low', 400, 'high'], [338, 422, 'medium', 221, 'medium']] as const)(
    'is sharp also where its picture is small: %i × %i in %s, on %i px', (width, height, made, shown, quality) => {
      expect(qualityFor(shown, 1, filledBy(width, height, made))).toBe(quality)
    },
  )

  it('is filled by a wide picture as far as its height goes', () => {
    expect(filledBy(1_000, 400, 'high')).toBe(320)
  })

  it('shows its cover first', () => {
    const card = { sha256: 'a', cover: 2, images: ['a_0', 'a_2', 'a_3'] } as FoundCard

    expect(picturesOf(card)).toEqual(['a_2', 'a_0', 'a_3'])
    expect(picturesOf({ ...card, cover: 9 })).toEqual(card.images)
  })

  it('has letters where it has no picture', () => {
    expect(initials('analog  film_grain v2')).toBe('AF')
    expect(initials('猫 model')).toBe('猫M')
  })

  it.each([[6, 366, 2], [6, 600, 3], [10, 900, 10], [10, 1_400, 10], [4, 1_400, 4]])(
    'stands beside others: %i wished in %i px are %i', (wished, width, columns) => {
      expect(columnsFor(wished, width)).toBe(columns)
    },
  )
})
