/**
 * The editing of one model or pending model: reads it, follows it live, and saves what is typed, by the rules of
 * `drafts.ts`. It outlives the pane for as long as something is unsaved, and the page by what it keeps for the session.
 */

import { useDebounceFn } from '@vueuse/core'
import { computed, effectScope, onScopeDispose, ref, shallowRef, watch } from 'vue'
import type { Ref, ShallowRef } from 'vue'

import { Away, Refused } from '../api'
import type { LogEvent, ModelPatch, Texts } from '../shapes'
import { onCatchUp, onEvent, state as connection } from '../state/live'
import { words } from '../words'
import { next, nothing, shown, transition, unsaved } from './drafts'
import type { Action, Draft, Field, Mine, TagChange, There, Write } from './drafts'
import { keepFor, keptOf } from './keeping'

const REST_MS = 600
const SOON_MS = 60
const RETRY_MS = 3_000

/** What can be edited: a model, or a pending model, which has no favourite and no cover. */
export interface Editable extends Texts {
  name: string
  type: string | null
  tags: string[]
  favorite?: boolean
  cover?: number | null
}

export interface Target<W extends Editable> {
  /** What is edited, and nothing else has this key: `model/<sha256>`. */
  key: string
  /** The streams of events by which it changes. */
  streams: readonly string[]
  load: () => Promise<W>
  patch: (change: ModelPatch, version: number) => Promise<W>
}

/** How the model stands: it comes, it is here, it is gone, or it cannot be read and `why` tells the reason. */
export type Phase = 'loading' | 'here' | 'gone' | 'failed'

/** One field, for the control that shows it. */
export interface FieldHandle<F extends Field = Field> {
  readonly field: F
  /** What was typed, else what is there. */
  readonly value: There[F]
  /** What the daemon has. */
  readonly theirs: There[F]
  readonly draft: Draft<F>
  /** Whether it waits for a daemon that does not answer. */
  readonly waits: boolean
  /** `rest`: sent when nothing was typed for a while. */
  set(value: Mine<F>, when?: 'rest' | 'now'): void
  /** The field was left: send what is typed. */
  settle(): void
  retry(): void
  /** Settle a conflict: what was typed replaces what is there. */
  keep(): void
  /** Give up what was typed. */
  drop(): void
}

export interface Editing<W extends Editable> {
  readonly whole: Readonly<ShallowRef<W | null>>
  readonly phase: Readonly<Ref<Phase>>
  readonly why: Readonly<Ref<string | null>>
  readonly isUnsaved: Readonly<Ref<boolean>>
  field: <F extends Field>(field: F) => FieldHandle<F>
  addTag: (name: string) => void
  removeTag: (name: string) => void
  load: () => Promise<void>
}

/** Edit a model for as long as the calling component is there, and then until all of it is saved. */
export function useEditing<W extends Editable>(target: Target<W>): Editing<W> {
  const editor = (editors.get(target.key) as Editor<W> | undefined) ?? begin(target)
  editor.users += 1
  onScopeDispose(() => {
    editor.users -= 1
    editor.leave()
  })
  return editor
}

interface Editor<W extends Editable> extends Editing<W> {
  users: number
  leave: () => void
}

const editors = new Map<string, Editor<Editable>>()

function begin<W extends Editable>(target: Target<W>): Editor<W> {
  const scope = effectScope(true)
  const end = (): void => {
    editors.delete(target.key)
    scope.stop()
  }
  const editor = scope.run(() => edit(target, end)) as Editor<W>
  editors.set(target.key, editor)
  heed() // for what was kept from an earlier page
  return editor
}

/** The browser asks before a page with unsaved edits is left; it is listened for only then, as it has its price. */
const warn = (event: BeforeUnloadEvent): void => event.preventDefault()

function heed(): void {
  if ([...editors.values()].some((each) => each.isUnsaved.value)) window.addEventListener('beforeunload', warn)
  else window.removeEventListener('beforeunload', warn)
}

function edit<W extends Editable>(target: Target<W>, end: () => void): Editor<W> {
  const drafts = shallowRef(nothing())
  const whole: ShallowRef<W | null> = shallowRef<Editable | null>(null) as ShallowRef<W | null>
  const phase = ref<Phase>('loading')
  const why = ref<string | null>(null)
  const kept = computed(() => unsaved(drafts.value))
  const isUnsaved = computed(() => Object.keys(kept.value).length > 0)
  const timers = new Map<Field, number>()
  let asked = 0
  let answered = 0
  let retrying: number | undefined

  function act(action: Action): void {
    drafts.value = transition(drafts.value, action)
  }

  // Reading

  async function load(): Promise<void> {
    const mine = ++asked
    try {
      const got = await target.load()
      if (mine < answered) return // one that was asked later was quicker
      answered = mine
      take(got, (there) => ({ kind: 'read', there, version: got.version }))
      phase.value = 'here'
      why.value = null
    } catch (error) {
      tell(error)
    }
    void pump()
  }

  function tell(error: unknown): void {
    if (isPassing(error)) {
      why.value = whole.value ? words.details.away : words.details.awayAtFirst
      later()
    } else if (error instanceof Refused) {
      phase.value = error.status === 404 ? 'gone' : whole.value ? phase.value : 'failed'
      why.value = error.message
    } else throw error
  }

  function take(got: W, action: (there: There) => Action): void {
    const before = drafts.value
    if (got.version >= before.version || before.stale) whole.value = got
    act(action(thereOf(got)))
  }

  // Writing

  async function pump(): Promise<void> {
    const write = next(drafts.value)
    if (write === null) return
    const { field } = write
    act({ kind: 'sending', field })
    try {
      const got = await target.patch(patchOf(write), write.version)
      take(got, (there) => ({ kind: 'wrote', field, there, version: got.version }))
    } catch (error) {
      if (!(error instanceof Away || error instanceof Refused)) {
        act({ kind: 'failed', field, why: String(error), refused: true })
        throw error
      }
      miss(field, error)
    }
    void pump()
    endIfDone()
  }

  function miss(field: Field, error: Away | Refused): void {
    if (error instanceof Away || isPassing(error)) {
      act({ kind: 'failed', field, why: reasonOf(error), refused: false })
      later()
    } else if (error.status === 412) {
      act({ kind: 'stale', field })
      answered = asked + 1 // what was asked before the refusal is too old an answer
      asked += 1
      void load()
    } else {
      if (error.status === 404) phase.value = 'gone'
      act({ kind: 'failed', field, why: error.message, refused: true })
    }
  }

  /** The live stream tells when the daemon is back. Where it was never away, or says nothing, time does. */
  function later(): void {
    window.clearTimeout(retrying)
    retrying = window.setTimeout(() => (connection.value === 'live' ? goOn() : later()), RETRY_MS)
  }

  function goOn(): void {
    window.clearTimeout(retrying)
    act({ kind: 'again' })
    void load()
  }

  function change<F extends Field>(field: F, value: Mine<F>, when: 'rest' | 'now'): void {
    act({ kind: 'typed', field, value } as Action)
    window.clearTimeout(timers.get(field))
    if (when === 'now') due(field)
    else timers.set(field, window.setTimeout(() => due(field), REST_MS))
  }

  function due(field: Field): void {
    window.clearTimeout(timers.get(field))
    timers.delete(field)
    act({ kind: 'due', field })
    void pump()
  }

  function decide(kind: 'retry' | 'keep' | 'drop', field: Field): void {
    window.clearTimeout(timers.get(field))
    act({ kind, field })
    if (drafts.value.stale) void load()
    else void pump()
    endIfDone()
  }

  // Its life

  const editor: Editor<W> = {
    users: 0,
    whole,
    phase,
    why,
    isUnsaved,
    load,
    field: (field) => handle(field),
    addTag: (name) => change('tags', { add: [name], remove: [] }, 'now'),
    removeTag: (name) => change('tags', { add: [], remove: [name] }, 'now'),
    leave() {
      for (const field of [...timers.keys()]) due(field)
      endIfDone()
    },
  }

  function handle<F extends Field>(field: F): FieldHandle<F> {
    return {
      field,
      get value() {
        return shown(drafts.value, field) as There[F]
      },
      get theirs() {
        return drafts.value.there?.[field] as There[F]
      },
      get draft() {
        return drafts.value.fields[field]
      },
      get waits() {
        return drafts.value.away && drafts.value.queue.includes(field)
      },
      set: (value, when = 'rest') => change(field, value, when),
      settle: () => timers.has(field) && due(field),
      retry: () => decide('retry', field),
      keep: () => decide('keep', field),
      drop: () => decide('drop', field),
    }
  }

  function endIfDone(): void {
    if (editor.users === 0 && !isUnsaved.value) end()
  }

  const soon = useDebounceFn(() => void load(), SOON_MS, { maxWait: 300 })
  onEvent((event) => {
    if (concerns(event, target.streams)) void soon()
  })
  onCatchUp(() => void soon())
  watch(connection, (now, before) => {
    if (now === 'live' && before !== 'live') goOn()
  })
  // At once: what was saved last may end this editor, and a draft that stayed behind would come back as a conflict.
  watch(kept, (now) => keepFor(target.key, now), { flush: 'sync' })
  watch(isUnsaved, heed, { flush: 'sync' })
  onScopeDispose(() => {
    window.clearTimeout(retrying)
    for (const timer of timers.values()) window.clearTimeout(timer)
  })
  act({ kind: 'restore', kept: keptOf(target.key) })
  void load()
  return editor
}

/** Whether a failure passes by itself: nobody answers, also behind a proxy; nothing can be written now; the key is gone. */
export function isPassing(error: unknown): boolean {
  return error instanceof Away || (error instanceof Refused && [401, 502, 503, 504].includes(error.status))
}

/** Why it did not go: what the daemon says of itself, else that it says nothing. */
export function reasonOf(error: Away | Refused): string {
  return error instanceof Refused && error.status === 503 ? words.details.edits.notSaved(error.message) : words.details.edits.away
}

/** Whether something changed that the model shows: its own streams, what its tags are called, whether its root is here. */
function concerns(event: LogEvent, streams: readonly string[]): boolean {
  return streams.includes(event.stream) || /^(tag-renamed|tags-merged|tag-deleted|root-)/.test(event.type)
}

function thereOf(whole: Editable): There {
  const { name, type, description, community_links, prompts, trigger_words, tags, favorite = false, cover = null } = whole
  const { positive, negative } = prompts
  return { name, type, description, community_links, positive, negative, trigger_words, favorite, cover, tags }
}

function patchOf({ field, value }: Write): ModelPatch {
  if (field === 'positive' || field === 'negative') return { prompts: { [field]: value as string } }
  if (field !== 'tags') return { [field]: value }
  const { add, remove } = value as TagChange
  return { ...(add.length && { add_tags: [...add] }), ...(remove.length && { remove_tags: [...remove] }) }
}
