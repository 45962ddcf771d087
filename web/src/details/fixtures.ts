/** A model for tests. */

import type { ModelWhole } from '../shapes'

export const SHA = 'ab'.repeat(32)

export function modelWhole(change: Partial<ModelWhole> = {}): ModelWhole {
  return {
    sha256: SHA, name: 'Ink Wash', type: 'loras', size_bytes: 144_000_000, created_at: 1_700_000_000_000,
    changed_at: 1_700_000_100_000, favorite: false, tags: ['style', 'sdxl'], images: [`${SHA}_0`, `${SHA}_2`], cover: 0,
    path: '/models/ink.safetensors', name_valid: true, state: 'present', description: 'Soft **ink**.',
    community_links: 'https://example.org/1\nask Mia', prompts: { positive: '', negative: '' }, trigger_words: ['ink wash'],
    provided: [], origins: { description: 'user', community_links: 'user', prompts: 'none', trigger_words: 'header' },
    tag_origins: { style: 'user', sdxl: 'header' },
    offered_prompts: { positive: 'a valley', negative: 'photo', image: `${SHA}_0` },
    header: { format: 'safetensors', facts: { base_model: 'SDXL', adapter: { kind: 'LoRA', rank: 16 } }, metadata: { ss_x: '1' } },
    version: 1, earlier_names: [{ kind: 'name', name: 'Ink' }], hash_state: 'confirmed', denied: [],
    locations: [{ path: '/models/ink.safetensors', root: 1, name_valid: true, state: 'present', claimed: false }],
    ...change,
  }
}
