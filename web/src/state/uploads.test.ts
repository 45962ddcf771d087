import { describe, expect, it } from 'vitest'

import { sorted } from './uploads'

function file(name: string): File {
  return new File(['x'], name)
}

const names = (files: readonly File[]) => files.map((each) => each.name)

describe('what is dropped', () => {
  it.each([
    ['a model alone', ['a.safetensors'], ['a.safetensors'], []],
    ['a picture goes before the model that it belongs to', ['a.gguf', 'a.png'], ['a.png', 'a.gguf'], []],
    ['a preview of another program', ['a.safetensors', 'a.preview.png'], ['a.preview.png', 'a.safetensors'], []],
    ['a text of another program', ['a.ckpt', 'a.civitai.info'], ['a.civitai.info', 'a.ckpt'], []],
    ['case is not looked at', ['A.SafeTensors', 'a.PNG'], ['a.PNG', 'A.SafeTensors'], []],
    ['a picture of nothing', ['b.png'], [], ['b.png']],
    ['a picture of another model', ['a.safetensors', 'ab.png'], ['a.safetensors'], ['ab.png']],
    ['something else', ['a.exe', 'notes'], [], ['a.exe', 'notes']],
  ])('%s', (_what, dropped, wanted, refused) => {
    const found = sorted(dropped.map(file))

    expect(names(found.wanted)).toEqual(wanted)
    expect(names(found.refused)).toEqual(refused)
  })
})
