import { describe, expect, it } from 'vitest'

import type { ModelWhole, PendingWhole } from '../shapes'
import { words } from '../words'
import { rowsOf } from './comparing'

const TEXTS = {
  description: '', community_links: '', prompts: { positive: '', negative: '' }, trigger_words: [], provided: [],
  origins: { description: 'none', community_links: 'none', prompts: 'none', trigger_words: 'none' },
  tag_origins: {}, offered_prompts: null, header: {}, version: 1,
} as const

const CARD = { type: 'loras', size_bytes: 1000, created_at: 0, tags: [], path: '/m/a', name_valid: true }

const there = { ...CARD, ...TEXTS, name: 'Old', tags: ['anime'], locations: [] } as unknown as ModelWhole
const comes = { ...CARD, ...TEXTS, name: 'New', description: 'of the new one' } as unknown as PendingWhole

describe('what is there and what comes', () => {
  const rows = rowsOf(there, comes)
  const of = (label: string) => rows.find((row) => row.label === label)
  const fields = words.pending.fields

  it('marks what differs', () => {
    expect(of(fields.name)).toEqual({ label: fields.name, there: 'Old', comes: 'New', differs: true })
    expect(of(fields.type)?.differs).toBe(false)
  })

  it('shows what only one of them has', () => {
    expect(of(fields.tags)).toMatchObject({ there: 'anime', comes: '' })
    expect(of(fields.description)).toMatchObject({ there: '', comes: 'of the new one' })
  })

  it('leaves out what neither has', () => {
    expect(of(fields.positive)).toBeUndefined()
  })
})
