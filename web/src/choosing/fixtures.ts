/** What tests choose from. */

import type { FoundCard, PendingCard } from '../shapes'
import type { Chosen } from './order'

const INK = 'a1'.repeat(32)
const MOSS = 'b2'.repeat(32)

export const SHAS = { ink: INK, moss: MOSS } as const

export function chosen(name: string, more: Partial<Chosen> = {}): Chosen {
  return {
    path: `/models/loras/${name}.safetensors`, name, sha256: null, strengthModel: 1, strengthClip: 1, enabled: true, ...more,
  }
}

export function card(name: string, sha256: string, more: Partial<FoundCard> = {}): FoundCard {
  return {
    sha256, name, type: 'loras', size_bytes: 1000, created_at: 1, changed_at: 1, favorite: false, tags: [], images: [],
    cover: null, path: `/models/loras/${name}.safetensors`, name_valid: true, state: 'present', found_by: null, earlier: null,
    ...more,
  }
}

export function waiting(id: number, name: string, more: Partial<PendingCard> = {}): PendingCard {
  return {
    id, name, path: `/models/loras/${name}.safetensors`, name_valid: true, type: 'loras', size_bytes: 1000, created_at: 1,
    tags: [], image: null, in_place: true, state: 'waiting', sha256: null, replaces: null, import: null, ...more,
  }
}
