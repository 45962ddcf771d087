import { describe, expect, it } from 'vitest'

import type { Location } from '../shapes'
import { whyOf, whyOfModel } from './standing'

const ROOTS = [
  { id: 1, state: 'offline', why: '/disk is not mounted' },
  { id: 2, state: 'paused', why: 'paused' },
] as const

const lying = (state: Location['state'], root: number) => ({ path: `/${root}`, root, name_valid: true, state, claimed: false })

describe('what is told of a file that is away', () => {
  it('is what the daemon says of its folder', () => {
    expect(whyOf(lying('offline', 1), ROOTS)).toBe('/disk is not mounted')
    expect(whyOf(lying('missing', 1), ROOTS)).toMatch(/file/)
  })

  it('is of a model, that its folder is paused, or else the general reason', () => {
    expect(whyOfModel('offline', [lying('missing', 1), lying('offline', 2)], ROOTS)).toMatch(/^Its folder is paused/)
    expect(whyOfModel('offline', [lying('offline', 1)], ROOTS)).toBe(whyOfModel('offline', [], []))
  })
})
