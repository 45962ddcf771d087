/** What a view means to the daemon: the question that its list answers. */

import type { ListQuery } from '../api'
import type { View } from './address'

const NSFW = 'nsfw'

/** Whether a tag is the one that marks what is not shown until asked for. */
export function isNsfw(tag: string): boolean {
  return tag.normalize('NFC').toLowerCase() === NSFW
}

/** Whether models tagged nsfw are left out of a view: until they are asked for, by the toggle, a chip or the query. */
export function hidesNsfw(view: Readonly<View>): boolean {
  return !view.nsfw && !view.include.some(isNsfw) && !/(^|[\s(])tag:"?nsfw/i.test(view.q)
}

/** What to ask the daemon for a view. */
export function queryOf(view: Readonly<View>): ListQuery {
  const exclude = view.exclude.filter((name) => !isNsfw(name))
  const q = view.q.trim()
  return {
    type: view.type,
    q,
    tag: [...view.include],
    not_tag: hidesNsfw(view) || exclude.length < view.exclude.length ? [...exclude, NSFW] : exclude,
    sort: view.sort === 'best' && !q ? 'name' : (view.sort ?? (q ? null : 'name')),
  }
}

/** What to ask for, to learn what a view would find if nothing were left out for being nsfw. */
export function unhiddenQueryOf(view: Readonly<View>): ListQuery {
  return queryOf({ ...view, nsfw: true })
}
