import { describe, expect, it } from 'vitest'

import { counted, percent, since, size } from './common'

describe('numbers in words', () => {
  it.each([
    [0, '0 models'], [1, '1 model'], [2, '2 models'], [20_000, '20,000 models'],
  ])('%d is %s', (count, said) => {
    expect(counted(count, 'model', 'models')).toBe(said)
  })

  it.each([
    [0, '0 bytes'], [999, '999 bytes'], [1000, '1.00 KB'], [999_499, '999 KB'], [999_500, '1.00 MB'],
    [6_938_040_682, '6.94 GB'], [30e12, '30.0 TB'],
  ])('%d bytes are %s', (bytes, said) => {
    expect(size(bytes)).toBe(said)
  })

  it.each([
    [0, '0%'], [0.999, '99%'], [1, '100%'], [7, '100%'],
  ])('the part %d is %s', (part, said) => {
    expect(percent(part)).toBe(said)
  })

  it.each([
    [30_000, 'this minute'], [180_000, '3 minutes ago'], [86_400_000, 'yesterday'], [14 * 86_400_000, '2 weeks ago'],
  ])('%d ms before now was %s', (before, said) => {
    expect(since(1_000_000_000_000 - before, 1_000_000_000_000)).toBe(said)
  })
})
