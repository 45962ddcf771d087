import { describe, expect, it } from 'vitest'

import { endsSo, isAbsolute, isWatched, stemOf } from './places'

describe('paths of a payload', () => {
  it.each([
    ['/models/a.safetensors', true], ['C:\\models\\a.safetensors', true], ['d:/models/a', true],
    ['\\\\nas\\models\\a', true], ['styles/a.safetensors', false], ['a', false], ['', false],
  ])('%s: absolute is %s', (path, is) => {
    expect(isAbsolute(path)).toBe(is)
  })

  it.each([
    ['/m/loras/style/a.safetensors', 'style/a.safetensors', true],
    ['/m/loras/style/a.safetensors', 'style\\a.safetensors', true],
    ['C:\\m\\style\\a.safetensors', './style/a.safetensors', true],
    ['/m/loras/mystyle/a.safetensors', 'style/a.safetensors', false],
  ])('%s is what %s means: %s', (path, relative, is) => {
    expect(endsSo(path, relative)).toBe(is)
  })

  it.each([
    ['/m/a.b.safetensors', 'a.b'], ['C:\\m\\a.pt', 'a'], ['/m/.hidden', '.hidden'], ['plain', 'plain'],
  ])('the stem of %s is %s', (path, stem) => {
    expect(stemOf(path)).toBe(stem)
  })

  it('lie in a watched folder where that is here', () => {
    const roots = [{ path: '/m/loras', state: 'online' as const }, { path: '/nas', state: 'offline' as const }]

    expect(isWatched('/m/loras/a.pt', roots)).toBe(true)
    expect(isWatched('/m/loras2/a.pt', roots)).toBe(false)
    expect(isWatched('/nas/a.pt', roots)).toBe(false)
  })
})
