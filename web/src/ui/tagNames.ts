/** All tags with their counts, for completion: read when a field first needs them, and again when tags have changed. */

import { readonly, shallowRef } from 'vue'

import { api, Away, Refused } from '../api'
import type { Tag } from '../shapes'
import { onCatchUp, onEvent } from '../state/live'

const MOST_PAGES = 20 // of a thousand tags each; nobody completes beyond that

const known = shallowRef<Tag[]>([])
let stale = true
let reading = false

/** Give the tags there are, and a way to say that they are wanted now. */
export function useTagNames() {
  onEvent((event) => {
    if (/tag|imported|migrated/.test(event.type)) stale = true
  })
  onCatchUp(() => (stale = true))
  return { tags: readonly(known), want }
}

async function want(): Promise<void> {
  if (!stale || reading) return
  reading = true
  stale = false
  try {
    known.value = await readAll()
  } catch (error) {
    stale = true
    // Completion is a help; a tag can be typed without it.
    if (!(error instanceof Away || error instanceof Refused)) throw error
  } finally {
    reading = false
  }
}

async function readAll(): Promise<Tag[]> {
  const all: Tag[] = []
  let cursor: string | null = null
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const found: { items: Tag[]; next: string | null } = await api.tags(cursor)
    all.push(...found.items)
    cursor = found.next
    if (cursor === null) break
  }
  return all
}

/** Two spellings of one tag fold to the same text, as in the daemon. */
export function folded(name: string): string {
  return name.trim().normalize('NFC').toLowerCase()
}

/** Give the tags that a typed text may mean, the likeliest first; those had already are left out. */
export function suggested(tags: readonly Tag[], typed: string, have: readonly string[], most = 8): Tag[] {
  const wanted = folded(typed)
  const had = new Set(have.map(folded))
  const ranked: { tag: Tag; rank: number }[] = []
  for (const tag of tags) {
    const name = folded(tag.name)
    if (had.has(name)) continue
    const rank = rankOf(name, wanted)
    if (rank !== null) ranked.push({ tag, rank })
  }
  ranked.sort((a, b) => a.rank - b.rank || uses(b.tag) - uses(a.tag) || a.tag.name.localeCompare(b.tag.name))
  return ranked.slice(0, most).map(({ tag }) => tag)
}

/** How many models and pending models carry a tag. */
export function uses(tag: Tag): number {
  return tag.models + tag.pending
}

function rankOf(name: string, wanted: string): number | null {
  if (name === wanted) return 0
  if (name.startsWith(wanted)) return 1
  const at = name.indexOf(wanted)
  if (at < 0) return null
  return /[\s_\-:/.(]/.test(name[at - 1] ?? '') ? 2 : 3
}
