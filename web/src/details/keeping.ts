/** What is typed and not saved outlives the page: it is kept for the session of this tab, by what is edited. */

import { FIELDS } from './drafts'
import type { Kept } from './drafts'

const KEPT = 'hikaze.unsaved.'

/** Keep what is unsaved of one thing; nothing unsaved is nothing kept. */
export function keepFor(key: string, kept: Kept): void {
  try {
    if (Object.keys(kept).length) sessionStorage.setItem(KEPT + key, JSON.stringify(kept))
    else sessionStorage.removeItem(KEPT + key)
  } catch (error) {
    // The store is full: the draft lives as long as the page does, and the browser asks before that is left.
    if (!(error instanceof DOMException)) throw error
  }
}

/** Give what was kept of it. */
export function keptOf(key: string): Kept {
  const text = sessionStorage.getItem(KEPT + key)
  if (text === null) return {}
  try {
    const all = JSON.parse(text) as Record<string, unknown>
    return Object.fromEntries(FIELDS.filter((field) => field in all).map((field) => [field, all[field]]))
  } catch {
    return {} // not ours
  }
}
