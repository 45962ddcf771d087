/**
 * What is being looked at, held by the address: a reload, a shared link and the back button all lead to the same view.
 * Over a page that is not ours the address and its history are that page's; the view is then held here alone.
 */

import { reactive, readonly, ref } from 'vue'

import type { Sha, Sort } from '../shapes'

export type Mode = 'library' | 'pending'

export interface View {
  mode: Mode
  /** null: models of all types. */
  type: string | null
  q: string
  include: string[]
  exclude: string[]
  /** null: by name, or best first where words are searched for. */
  sort: Sort | null
  /** Whether models tagged nsfw are shown. */
  nsfw: boolean
  /** The model whose details are open. */
  model: Sha | null
  /** The pending model whose details are open. */
  pending: number | null
}

export const SORTS: readonly Sort[] = [
  'best', 'name', '-name', 'added', '-added', 'size', '-size', 'changed', '-changed',
]

export function emptyView(): View {
  return {
    mode: 'library', type: null, q: '', include: [], exclude: [], sort: null, nsfw: false, model: null, pending: null,
  }
}

/** Read a view from the search part of an address; what makes no sense there is left out. */
export function viewOf(search: string): View {
  const said = new URLSearchParams(search)
  const sort = said.get('sort')
  const model = said.get('model')
  const pending = said.get('id')
  const exclude = names(said.getAll('not'))
  return {
    mode: said.get('view') === 'pending' ? 'pending' : 'library',
    type: said.get('type') || null,
    q: said.get('q') ?? '',
    include: names(said.getAll('tag')).filter((name) => !exclude.includes(name)),
    exclude,
    sort: SORTS.find((known) => known === sort) ?? null,
    nsfw: said.get('nsfw') === '1',
    model: model && /^[0-9a-f]{64}$/.test(model) ? model : null,
    pending: pending && /^[1-9][0-9]{0,14}$/.test(pending) ? Number(pending) : null,
  }
}

function names(said: string[]): string[] {
  return [...new Set(said)].filter(Boolean)
}

/** Give the search part of the address of a view. */
export function searchOf(view: Readonly<View>): string {
  const said = new URLSearchParams()
  if (view.mode === 'pending') said.set('view', 'pending')
  if (view.type) said.set('type', view.type)
  if (view.q) said.set('q', view.q)
  for (const name of view.include) said.append('tag', name)
  for (const name of view.exclude) said.append('not', name)
  if (view.sort) said.set('sort', view.sort)
  if (view.nsfw) said.set('nsfw', '1')
  if (view.model) said.set('model', view.model)
  if (view.pending) said.set('id', String(view.pending))
  const search = said.toString()
  return search ? `?${search}` : ''
}

const current = reactive<View>(viewOf(window.location.search))
const arrived = ref(0)
let isOurs = true
let standsAt = 0

/** Leave the address and the history alone from now on. */
export function leaveAddress(): void {
  isOurs = false
}

window.addEventListener('popstate', () => {
  if (!isOurs) return
  Object.assign(current, viewOf(window.location.search))
  arrived.value += 1
})

/** The view as it is now. Change it with `show`. */
export const view = readonly(current) as Readonly<View>

/** How often the back and forward buttons have led somewhere. */
export const travelled = readonly(arrived)

/**
 * Change the view. `push` makes a step that the back button takes back; typing in the search field makes none for each
 * letter.
 */
export function show(change: Partial<View>, how: 'push' | 'replace' = 'push'): void {
  const before = searchOf(current)
  Object.assign(current, change)
  const after = searchOf(current)
  if (after === before || !isOurs) return
  const address = window.location.pathname + after
  // A step begins where the list stands: going back and forth between details does not move it.
  if (how === 'push') window.history.pushState(window.history.state, '', address)
  else window.history.replaceState(window.history.state, '', address)
}

/** Where in the list this step of the history stood: the number of the model on top. */
export function place(): number {
  if (!isOurs) return standsAt
  const kept: unknown = window.history.state
  const at = typeof kept === 'object' && kept !== null && 'at' in kept ? kept.at : 0
  return typeof at === 'number' && Number.isSafeInteger(at) && at > 0 ? at : 0
}

/** Keep where the list stands, for when this step is come back to or reloaded. */
export function keepPlace(at: number): void {
  if (!isOurs) standsAt = at
  else if (at !== place()) window.history.replaceState({ at }, '')
}
