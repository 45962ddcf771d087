import { describe, expect, it } from 'vitest'

import { placed } from './floating'

const BAR = { width: 300, height: 48 }

describe('the floating bar', () => {
  it.each([
    ['stands with its middle where it was put', { x: 0.5, y: 0.5 }, { width: 1000, height: 800 }, { x: 350, y: 376 }],
    ['stays inside on the right and below', { x: 1, y: 1 }, { width: 1000, height: 800 }, { x: 692, y: 744 }],
    ['stays inside on the left and above', { x: 0, y: 0 }, { width: 1000, height: 800 }, { x: 8, y: 8 }],
    ['shows its beginning in a window that is too small', { x: 0.5, y: 0.5 }, { width: 200, height: 40 }, { x: 8, y: 8 }],
  ])('%s', (_what, spot, within, at) => {
    expect(placed(spot, BAR, within)).toEqual(at)
  })
})
