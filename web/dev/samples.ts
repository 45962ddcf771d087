/** What nodes may say, in every state that a face can show. */

import type { Kind } from '../src/comfy/payload'
import { pathOf } from './fakeLibrary'

const entry = (name: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  name, full_path: pathOf('loras', name), strength_model: 1, strength_clip: 1, sha256: null, enabled: true, ...more,
})
const loras = (...LoRAs: Record<string, unknown>[]): string => JSON.stringify({ version: 2, LoRAs })
const checkpoint = (path: string): string => JSON.stringify({ ckpt_path: path })
const MANY = ['Ink Wash', 'Fine Line', 'Soft Glow', 'Add Detail', 'Film Grain', 'Watercolour', 'Isometric', 'Neon Rain', 'Pastel', 'Chalk', 'Low Key']

export interface Sample {
  name: string
  kind: Kind
  text: string
  size: [number, number]
}

export const SAMPLES: readonly Sample[] = [
  { name: 'A checkpoint', kind: 'checkpoint', text: checkpoint(pathOf('checkpoints', 'Dreamscape XL')), size: [300, 380] },
  { name: 'None chosen', kind: 'checkpoint', text: '', size: [300, 340] },
  { name: 'In a small node', kind: 'checkpoint', text: checkpoint(pathOf('checkpoints', 'Paper Lantern')), size: [300, 180] },
  { name: 'Its file is gone', kind: 'checkpoint', text: checkpoint(pathOf('checkpoints', 'Old Masters')), size: [300, 300] },
  { name: 'Unknown', kind: 'checkpoint', text: checkpoint('D:\\models\\elsewhere.safetensors'), size: [300, 180] },
  {
    name: 'LoRAs in every state', kind: 'loras', size: [420, 190],
    text: loras(
      entry('Ink Wash', { strength_model: 0.85 }), entry('Fine Line', { enabled: false }), entry('Just Dropped'), entry('Woodcut'),
      entry('Chalk', { full_path: '/models/loras/old/chalk.safetensors' }), entry('Nowhere', { strength_clip: 0 }),
      entry('A LoRA with a name that is longer than its row'),
    ),
  },
  { name: 'No LoRAs', kind: 'loras', text: loras(), size: [420, 190] },
  { name: 'Many LoRAs', kind: 'loras', text: loras(...MANY.map((name) => entry(name))), size: [420, 190] },
  {
    name: 'Written by an earlier version', kind: 'loras', size: [420, 190],
    text: '{"version": 1, "LoRAs": [{"name": "ink", "full_path": "ink.safetensors", "MStrength": "0.7", "toggleOn": false}]}',
  },
  { name: 'Cannot be read', kind: 'loras', text: '[{"name": "Odd", "path": "a", "enabled": "yes"}]', size: [420, 190] },
]
