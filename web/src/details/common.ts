/** What several models have in common: their names, and the tags they carry, counted by the daemon. */

import type { ListQuery } from '../api'
import type { FoundPage, Sha } from '../shapes'

export const LOOKED_AT = 200
const AT_ONCE = 50 // as many words as a query may have
const DIGITS = 16 // enough to mean one model, few enough for a query of 50

export interface InCommon {
  names: { sha256: Sha; name: string }[]
  /** Each tag with how many of those looked at carry it, the commonest first. */
  tags: { name: string; count: number }[]
  lookedAt: number
}

/** Look at the first of these models; `find` asks the daemon. */
export async function inCommon(hashes: readonly Sha[], find: (query: ListQuery) => Promise<FoundPage>): Promise<InCommon> {
  const first = hashes.slice(0, LOOKED_AT)
  const names = new Map<Sha, string>()
  const counts = new Map<string, number>()
  for (let from = 0; from < first.length; from += AT_ONCE) {
    const some = first.slice(from, from + AT_ONCE)
    const q = some.map((hash) => `hash:${hash.slice(0, DIGITS)}`).join(' OR ')
    const page = await find({ q, sort: 'name', limit: some.length, offset: 0, facets: LOOKED_AT })
    for (const { sha256, name } of page.items) names.set(sha256, name)
    for (const { name, count } of page.facets?.tags ?? []) counts.set(name, (counts.get(name) ?? 0) + count)
  }
  const tags = [...counts].map(([name, count]) => ({ name, count }))
  tags.sort((a, b) => b.count - a.count || a.name.localeCompare(b.name))
  return {
    names: first.flatMap((sha256) => (names.has(sha256) ? [{ sha256, name: names.get(sha256) ?? '' }] : [])),
    tags,
    lookedAt: first.length,
  }
}
