import { describe, expect, it } from 'vitest'

import cases from '../../../tests/payloads.json'
import { chosenAt, isAbsolute, labelOf, nameOf, read, write } from './payload'
import type { Kind } from './payload'

interface Case {
  name: string
  node: string
  input: string
  output?: unknown
  error?: string
}

function shownAs(kind: Kind, text: string): Pick<Case, 'output' | 'error'> {
  const { chosen, problem } = read(kind, text)
  if (problem !== null) return { error: problem }
  if (kind === 'checkpoint') return { output: { ckpt_path: chosen[0]?.path ?? '' } }
  return {
    output: chosen.map(({ strengthModel, strengthClip, ...rest }) => ({
      ...rest, strength_model: strengthModel, strength_clip: strengthClip,
    })),
  }
}

describe('a node’s text', () => {
  it.each(cases as Case[])('is read as the server reads it: $node, $name', ({ node, input, output, error }) => {
    expect(shownAs(node as Kind, input)).toEqual(error === undefined ? { output } : { error })
  })

  it('is written in our spelling, and read again as it was', () => {
    const ink = { ...chosenAt('/l/ink.safetensors', 'Ink', 'ab'.repeat(32)), strengthModel: 0.8, strengthClip: -1 }
    const line = { ...chosenAt('/l/line.safetensors'), enabled: false }

    expect(JSON.parse(write('loras', [ink]))).toEqual({
      version: 2,
      LoRAs: [{
        name: 'Ink', full_path: '/l/ink.safetensors', strength_model: 0.8, strength_clip: -1, sha256: 'ab'.repeat(32),
        enabled: true,
      }],
    })
    expect(read('loras', write('loras', [ink, line]))).toEqual({ chosen: [ink, line], problem: null })
    expect(write('checkpoint', [ink])).toBe('{"ckpt_path":"/l/ink.safetensors"}')
    expect(write('checkpoint', [])).toBe('{"ckpt_path":""}')
  })

  it('keeps the entries that can be read beside one that cannot', () => {
    const { chosen, problem } = read('loras', '[{"path": "a"}, {"path": 7}, {"path": "c"}]')

    expect(chosen.map((one) => one.path)).toEqual(['a', 'c'])
    expect(problem).toBe('LoRA 2: "path" must be text.')
  })
})

it.each([
  ['/a/b/c.safetensors', 'c', true],
  ['C:\\m\\d.e.ckpt', 'd.e', true],
  ['\\\\nas\\m\\f.pt', 'f', true],
  ['sub/g', 'g', false],
  ['.hidden', '.hidden', false],
])('the file of %s is called %s', (path, name, absolute) => {
  expect([nameOf(path), isAbsolute(path)]).toEqual([name, absolute])
  expect(labelOf(chosenAt(path, ''))).toBe(name)
})
