/**
 * What is being edited of one model, as plain values: what the daemon has, what somebody typed, and what is on its way.
 *
 * The rules, which `useEditing` only carries out:
 * - One write at a time, in the order in which fields became due; each carries one field, so that a refusal tells which.
 * - A draft remembers what it was begun on (`base`). Where the daemon has something else by then, somebody else wrote
 *   it: the draft is a conflict until a person decides, and nothing is sent meanwhile.
 * - A draft ends only when the daemon has it, or when a person gives it up. Nothing else drops what was typed.
 */

import { applied, composed, isDisturbed, isDone, isSame, rest } from './comparing'

/** What the daemon has. A pending model has no favourite and no cover. */
export interface There {
  name: string
  type: string | null
  description: string
  community_links: string
  positive: string
  negative: string
  trigger_words: readonly string[]
  favorite: boolean
  cover: number | null
  tags: readonly string[]
}

export type Field = keyof There

/** Tags to put on and to take off. Not a list: a list that is out of date would undo what others did. */
export interface TagChange {
  add: readonly string[]
  remove: readonly string[]
}

/** What is typed into a field. */
export type Mine<F extends Field> = F extends 'tags' ? TagChange : There[F]

export type Draft<F extends Field = Field> =
  | { state: 'clean'; saved: boolean }
  | { state: 'dirty'; mine: Mine<F>; base: There[F] }
  | { state: 'saving'; mine: Mine<F>; base: There[F]; sent: Mine<F> }
  | { state: 'failed'; mine: Mine<F>; base: There[F]; why: string; refused: boolean }
  | { state: 'conflict'; mine: Mine<F>; base: There[F] }

/** A draft as it outlives the page; `lost`: what was sent of it, and no answer came. */
export type Kept = { [F in Field]?: { mine: Mine<F>; base: There[F]; lost?: readonly Mine<F>[] } }

export interface Drafts {
  readonly there: There | null
  readonly version: number
  readonly fields: { readonly [F in Field]: Draft<F> }
  /** The fields that wait to be sent, the one that waits longest first. */
  readonly queue: readonly Field[]
  /** What was sent of a draft, and no answer came: where it is there later, nobody else wrote it. */
  readonly lost: { readonly [F in Field]?: readonly Mine<F>[] }
  /** A write came too late: what is there has to be read before anything is sent. */
  readonly stale: boolean
  /** Nobody answers. */
  readonly away: boolean
}

export type Action =
  | { kind: 'read'; there: There; version: number }
  | { [F in Field]: { kind: 'typed'; field: F; value: Mine<F> } }[Field]
  | { kind: 'due' | 'sending' | 'stale' | 'retry' | 'keep' | 'drop'; field: Field }
  | { kind: 'wrote'; field: Field; there: There; version: number }
  | { kind: 'failed'; field: Field; why: string; refused: boolean }
  | { kind: 'again' }
  | { kind: 'restore'; kept: Kept }

export interface Write {
  field: Field
  value: Mine<Field>
  version: number
}

export const FIELDS = [
  'name', 'type', 'description', 'community_links', 'positive', 'negative', 'trigger_words', 'favorite', 'cover', 'tags',
] as const satisfies readonly Field[]

/** Nothing read, nothing typed. */
export function nothing(): Drafts {
  const clean = { state: 'clean', saved: false } as const
  const fields = Object.fromEntries(FIELDS.map((field) => [field, clean])) as unknown as Drafts['fields']
  return { there: null, version: -1, fields, queue: [], lost: {}, stale: false, away: false }
}

/** Give the write to send now, null where there is none or where one is on its way. */
export function next(now: Drafts): Write | null {
  if (now.there === null || now.stale || now.away) return null
  if (FIELDS.some((field) => now.fields[field].state === 'saving')) return null
  for (const field of now.queue) {
    const draft = now.fields[field]
    if (draft.state === 'dirty') return { field, value: draft.mine, version: now.version }
  }
  return null
}

/** Give what has not reached the daemon. */
export function unsaved(now: Drafts): Kept {
  const kept: Record<string, unknown> = {}
  for (const field of FIELDS) {
    const draft = now.fields[field]
    if (draft.state === 'clean') continue
    // The page may be gone before the answer to what is on its way comes.
    const lost = draft.state === 'saving' && !isSame(draft.mine, draft.sent) ? sentToo(now, field, draft.sent) : now.lost[field]
    kept[field] = { mine: draft.mine, base: draft.base, ...(lost && { lost }) }
  }
  return kept
}

/** Give what a field shows: what was typed, else what is there. */
export function shown<F extends Field>(now: Drafts, field: F): There[F] | null {
  const draft: Draft = now.fields[field]
  const there = now.there?.[field] ?? null
  if (draft.state === 'clean') return there
  if (field === 'tags') return applied((there ?? []) as readonly string[], draft.mine as TagChange) as readonly string[] as There[F]
  return draft.mine as There[F]
}

/** Give what becomes of all of it by something that happened. */
export function transition(now: Drafts, action: Action): Drafts {
  switch (action.kind) {
    case 'read':
      return read(now, action.there, action.version)
    case 'typed':
      return typed(now, action.field, action.value)
    case 'due':
      return isWanting(now.fields[action.field]) ? queued(now, action.field) : now
    case 'sending':
      return sending(now, action.field)
    case 'wrote':
      return wrote(now, action.field, action.there, action.version)
    case 'stale':
      return tooLate(now, action.field)
    case 'failed':
      return failed(now, action.field, action.why, action.refused)
    case 'again':
      return again(now)
    case 'retry':
      return retry(now, action.field)
    case 'keep':
      return keep(now, action.field)
    case 'drop':
      return drop(now, action.field)
    case 'restore':
      return restore(now, action.kept)
  }
}

function read(now: Drafts, there: There, version: number): Drafts {
  // An answer that was overtaken. After a write that came too late any answer counts: it was asked for since.
  if (version < now.version && !now.stale) return now
  return met({ ...now, there, version, stale: false })
}

/** Look at all drafts in the light of what is there now. */
function met(now: Drafts): Drafts {
  return FIELDS.reduce(meet, now)
}

function meet(now: Drafts, field: Field): Drafts {
  const draft: Draft = now.fields[field]
  if (now.there === null || draft.state === 'clean' || draft.state === 'saving') return now
  const mine = rest(field, draft.mine, now.there)
  if (isDone(field, mine, now.there)) return unqueued(put(now, field, { state: 'clean', saved: false }), field)
  const base = isOurs(now, field, now.there) ? now.there[field] : draft.base
  if (isDisturbed(field, base, now.there)) {
    return unqueued(put(now, field, { state: 'conflict', mine, base }), field)
  }
  if (draft.state === 'conflict') return queued(put(now, field, { state: 'dirty', mine, base }), field)
  return put(now, field, { ...draft, mine, base })
}

/** Whether what is there is what was sent from here, and the answer was lost: by a restart, on the way. */
function isOurs(now: Drafts, field: Field, there: There): boolean {
  return (now.lost[field] ?? []).some((sent: Mine<Field>) => isDone(field, sent, there))
}

function sentToo(now: Drafts, field: Field, sent: Mine<Field>): readonly Mine<Field>[] {
  const before: readonly Mine<Field>[] = now.lost[field] ?? []
  return before.some((each) => isSame(each, sent)) ? before : [...before, sent]
}

function typed(now: Drafts, field: Field, value: Mine<Field>): Drafts {
  if (now.there === null) return now
  const draft: Draft = now.fields[field]
  if (draft.state === 'clean') return begun(now, field, value, now.there)
  const mine = field === 'tags' ? composed(draft.mine as TagChange, value as TagChange) : value
  if (draft.state === 'saving') return put(now, field, { ...draft, mine })
  if (draft.state === 'failed') return meet(put(now, field, { state: 'dirty', mine, base: draft.base }), field)
  return meet(put(now, field, { ...draft, mine }), field)
}

function begun(now: Drafts, field: Field, value: Mine<Field>, there: There): Drafts {
  const mine = rest(field, value, there)
  if (isDone(field, mine, there)) return now
  return put(now, field, { state: 'dirty', mine, base: there[field] })
}

function isWanting(draft: Draft): boolean {
  return draft.state === 'dirty' || (draft.state === 'saving' && !isSame(draft.mine, draft.sent))
}

function sending(now: Drafts, field: Field): Drafts {
  const draft: Draft = now.fields[field]
  if (draft.state !== 'dirty') return now
  return unqueued(put(now, field, { ...draft, state: 'saving', sent: draft.mine }), field)
}

function wrote(now: Drafts, field: Field, there: There, version: number): Drafts {
  const draft: Draft = now.fields[field]
  const known = version >= now.version || now.there === null ? { ...now, there, version } : now
  if (draft.state !== 'saving') return met(known)
  if (isSame(draft.mine, draft.sent)) {
    return met(unqueued(put(known, field, { state: 'clean', saved: true }), field))
  }
  // More was typed since: it rests on what was just written, and on nothing that another has put there after that.
  const base = field === 'tags' ? there.tags : (draft.sent as There[Field])
  return met(put(known, field, { state: 'dirty', mine: draft.mine, base }))
}

function tooLate(now: Drafts, field: Field): Drafts {
  const draft: Draft = now.fields[field]
  if (draft.state !== 'saving') return { ...now, stale: true }
  const back = put(now, field, { state: 'dirty', mine: draft.mine, base: draft.base })
  return { ...first(back, field), stale: true }
}

function failed(now: Drafts, field: Field, why: string, refused: boolean): Drafts {
  const draft: Draft = now.fields[field]
  if (draft.state !== 'saving') return now
  const { mine, base } = draft
  // While this was on its way it was not held against what others wrote: `met` does that now.
  if (refused && !isSame(mine, draft.sent)) {
    return met(put(now, field, { state: 'dirty', mine, base })) // what was refused stands there no more
  }
  const unsure = refused ? now : { ...now, lost: { ...now.lost, [field]: sentToo(now, field, draft.sent) } }
  const told = put(unsure, field, { state: 'failed', mine, base, why, refused })
  // Its turn is kept: what was typed first is sent first when somebody answers again.
  return met(refused ? unqueued(told, field) : { ...first(told, field), away: true })
}

function again(now: Drafts): Drafts {
  if (!now.away) return now
  return FIELDS.reduce((so: Drafts, field) => {
    const draft: Draft = so.fields[field]
    if (draft.state !== 'failed' || draft.refused) return so
    return put(so, field, { state: 'dirty', mine: draft.mine, base: draft.base })
  }, { ...now, away: false })
}

function retry(now: Drafts, field: Field): Drafts {
  const draft: Draft = now.fields[field]
  if (draft.state === 'dirty') return queued(again(now), field)
  if (draft.state !== 'failed') return now
  const { mine, base } = draft
  return queued(put(again(now), field, { state: 'dirty', mine, base }), field)
}

function keep(now: Drafts, field: Field): Drafts {
  const draft: Draft = now.fields[field]
  if (draft.state !== 'conflict' || now.there === null) return now
  return queued(put(now, field, { state: 'dirty', mine: draft.mine, base: now.there[field] }), field)
}

function drop(now: Drafts, field: Field): Drafts {
  if (now.fields[field].state === 'saving') return now
  return unqueued(put(now, field, { state: 'clean', saved: false }), field)
}

function restore(now: Drafts, kept: Kept): Drafts {
  const back = FIELDS.reduce((so: Drafts, field) => {
    const was = kept[field]
    if (was === undefined || so.fields[field].state !== 'clean') return so
    const known = was.lost ? { ...so, lost: { ...so.lost, [field]: was.lost } } : so
    return queued(put(known, field, { state: 'dirty', mine: was.mine, base: was.base }), field)
  }, now)
  return met(back)
}

// Small steps ------------------------------------------------------------------------------------------

function put(now: Drafts, field: Field, draft: Draft): Drafts {
  const fields = { ...now.fields, [field]: draft }
  if (draft.state !== 'clean' || !now.lost[field]) return { ...now, fields }
  const lost = Object.fromEntries(Object.entries(now.lost).filter(([each]) => each !== field))
  return { ...now, fields, lost }
}

function queued(now: Drafts, field: Field): Drafts {
  return now.queue.includes(field) ? now : { ...now, queue: [...now.queue, field] }
}

function unqueued(now: Drafts, field: Field): Drafts {
  return now.queue.includes(field) ? { ...now, queue: now.queue.filter((each) => each !== field) } : now
}

function first(now: Drafts, field: Field): Drafts {
  return { ...now, queue: [field, ...now.queue.filter((each) => each !== field)] }
}
