import { describe, expect, it } from 'vitest'

import { contrast, dressOf, readable, wear } from './dress'
import type { Colour, Look } from './order'

const LOOKS: Record<string, Look> = {
  'ComfyUI’s dark': { ground: [32, 32, 32], panel: [53, 53, 53], ink: [255, 255, 255], quiet: [153, 153, 153], accent: [96, 165, 250] },
  'its newer dark': { ground: [32, 32, 32], panel: [23, 23, 24], ink: [255, 255, 255], quiet: [138, 138, 138], accent: [11, 140, 233] },
  'its light': { ground: [221, 221, 221], panel: [245, 245, 245], ink: [34, 34, 34], quiet: [68, 68, 68], accent: [59, 130, 246] },
  solarized: { ground: [0, 43, 54], panel: [7, 54, 66], ink: [253, 246, 227], quiet: [88, 110, 117], accent: [181, 137, 0] },
  'a palette of somebody who likes grey': { ground: [120, 120, 120], panel: [128, 128, 128], ink: [140, 140, 140], quiet: [125, 125, 125] },
  'one that says next to nothing': { panel: [10, 10, 30] },
}

function rgb(css: string | undefined): Colour {
  const [red = 0, green = 0, blue = 0] = (css ?? '').match(/\d+/g)?.map(Number) ?? []
  return [red, green, blue]
}

describe('a look', () => {
  it.each(Object.entries(LOOKS))('%s leaves all text readable', (_, look) => {
    const { tokens } = dressOf(look)
    const grounds = ['paper', 'sheet', 'raised'].map((name) => rgb(tokens[name]))

    for (const name of ['ink', 'soft', 'faint', ...(look.accent ? ['accent'] : [])]) {
      for (const ground of grounds) expect(contrast(rgb(tokens[name]), ground), name).toBeGreaterThanOrEqual(4.4)
    }
    if (look.accent) expect(contrast(rgb(tokens['accent-ink']), rgb(tokens['accent-fill']))).toBeGreaterThanOrEqual(4.5)
  })

  it.each([
    ['ComfyUI’s dark', 'dark'], ['its light', 'light'], ['solarized', 'dark'],
  ])('%s is %s', (name, theme) => {
    expect(dressOf(LOOKS[name] ?? {}).theme).toBe(theme)
  })

  it('keeps the colours that a palette gives where they can be read', () => {
    const { tokens } = dressOf(LOOKS['ComfyUI’s dark'] ?? {})

    expect(tokens).toMatchObject({ paper: 'rgb(32 32 32)', sheet: 'rgb(53 53 53)', ink: 'rgb(255 255 255)' })
  })

  it('of a page that has no such colours is ours', () => {
    expect(dressOf({})).toEqual({ theme: 'dark', tokens: {} })
  })

  it('is worn by the document', () => {
    wear(document.documentElement, { theme: 'light', tokens: { paper: 'rgb(1 2 3)' } })

    expect(document.documentElement.dataset['theme']).toBe('light')
    expect(document.documentElement.style.getPropertyValue('--paper')).toBe('rgb(1 2 3)')
  })
})

describe('a colour', () => {
  it('is moved no further than needed', () => {
    expect(readable([250, 250, 250], [[0, 0, 0]], 4.5, [255, 255, 255])).toEqual([250, 250, 250])
    expect(readable([20, 20, 20], [[0, 0, 0]], 21, [255, 255, 255])).toEqual([255, 255, 255])
  })
})
