/** The order of a list as a field and a direction, and back to what the address and the daemon call it. */

import type { View } from '../state/address'
import type { Sort } from '../shapes'

export type Field = 'best' | 'name' | 'added' | 'size' | 'changed'

type Ordered = Pick<View, 'q' | 'sort'>

const FIELDS: readonly Field[] = ['name', 'added', 'size', 'changed']

/** The fields that make sense: best match where there are words to match. */
export function fieldsFor(view: Readonly<Ordered>): readonly Field[] {
  return view.q.trim() ? ['best', ...FIELDS] : FIELDS
}

export function fieldOf(view: Readonly<Ordered>): Field {
  const searched = view.q.trim() !== ''
  if (view.sort === null || (view.sort === 'best' && !searched)) return searched ? 'best' : 'name'
  return view.sort.replace('-', '') as Field
}

export function isDown(view: Readonly<Ordered>): boolean {
  return view.sort?.startsWith('-') ?? false
}

/** Whether a field is asked for from its large end first: the newest, the largest. */
export function startsDown(field: Field): boolean {
  return field !== 'name' && field !== 'best'
}

/** What the address holds for an order; null for the one that stands without being said. */
export function sortOf(view: Readonly<Ordered>, field: Field, down: boolean): Sort | null {
  if (field === 'best') return null
  if (field === 'name' && !down && !view.q.trim()) return null
  return down ? `-${field}` : field
}

/** The same order, the other way round. */
export function turnedRound(view: Readonly<Ordered>): Sort | null {
  return sortOf(view, fieldOf(view), !isDown(view))
}
