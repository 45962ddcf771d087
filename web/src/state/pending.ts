/** The list of what is pending, as far down as it is looked at; it follows what happens. */

import { useDebounceFn, useDocumentVisibility } from '@vueuse/core'
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'

import { api, Away, Refused } from '../api'
import type { LogEvent, PendingCard, Progress } from '../shapes'
import { onCatchUp, onEvent, state, tasks } from './live'

export type Filter = 'all' | 'conflict' | 'failed' | 'running'

const STEP = 200
const MOST = 1000 // the daemon gives at once
const SOON_MS = 120
const AT_MOST_MS = 500

type Question = Parameters<typeof api.pending>[0]

/** What to ask the daemon for a filter and words. */
export function questionOf(filter: Filter, words: string): Question {
  const q = words.trim()
  if (filter === 'all') return { q }
  return { q, import: filter === 'running' ? ['queued', 'running'] : [filter] }
}

/** Give all that a question finds, however many; `each` page is as large as the daemon gives. */
export async function everyPending(question: Question): Promise<PendingCard[]> {
  const found: PendingCard[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof api.pending>> = await api.pending({ ...question, limit: MOST, cursor })
    found.push(...page.items)
    cursor = page.next
  } while (cursor)
  return found
}

/**
 * Follow the pending models of a filter whose names hold some words; `step`: so many are read at once, `more`: what else
 * must be so of them.
 */
export function usePending(filter: () => Filter, words: () => string, step = STEP, more: Question = {}) {
  const items = shallowRef<PendingCard[]>([])
  const total = ref<number | null>(null)
  const next = ref<string | null>(null)
  const problem = ref<string | null>(null)

  let wanted = step
  let question = 0
  const atMost = ref(AT_MOST_MS)
  let busy = false
  let gone = false

  const query = computed(() => ({ ...questionOf(filter(), words()), ...more }))

  async function read(): Promise<void> {
    const mine = ++question
    const began = Date.now()
    busy = true
    try {
      const found: PendingCard[] = []
      let cursor: string | null = null
      do {
        const limit = Math.min(MOST, wanted - found.length)
        const page: Awaited<ReturnType<typeof api.pending>> = await api.pending({ ...query.value, limit, cursor })
        if (mine !== question || gone) return
        found.push(...page.items)
        cursor = page.next
        total.value = page.total ?? null
      } while (cursor && found.length < wanted)
      items.value = found
      next.value = cursor
      problem.value = null
    } catch (error) {
      if (mine !== question) return
      if (error instanceof Refused) problem.value = error.message
      else if (!(error instanceof Away)) throw error
    } finally {
      if (mine === question) busy = false
      // A long list takes long: it is not read all the time while thousands are imported.
      atMost.value = Math.max(AT_MOST_MS, 5 * (Date.now() - began))
    }
  }

  /** Say how far down the list is looked at. */
  function need(until: number): void {
    if (!next.value || busy || until < items.value.length - step / 4) return
    wanted = items.value.length + step
    void read()
  }

  const visible = useDocumentVisibility()
  let missed = false
  const follow = (): void => {
    // Nobody looks: it is read when somebody does.
    if (visible.value === 'hidden') missed = true
    else void read()
  }
  const soon = useDebounceFn(follow, SOON_MS, { maxWait: atMost })
  watch(visible, (now) => {
    if (now === 'hidden' || !missed) return
    missed = false
    void read()
  })
  watch(() => JSON.stringify(query.value), () => {
    wanted = step
    void read()
  }, { immediate: true })
  watch(state, (now, before) => {
    if (now === 'live' && before === 'away') void soon()
  })
  onEvent((event) => {
    if (concerns(event)) void soon()
  })
  onCatchUp(() => void soon())
  onScopeDispose(() => (gone = true))

  return { items, total, next, problem, need, read }
}

function concerns(event: LogEvent): boolean {
  return /^(pending|import|root|tag|row-migrated|migration-ended)/.test(event.type)
}

/** The work on pending models, by their id. */
export const workOn = computed(() => {
  const found = new Map<number, Progress>()
  for (const task of tasks.values()) if (task.pending !== undefined) found.set(task.pending, task)
  return found
})

/** The one state a pending model is in; `known`: its content is in the library, and nobody has decided yet. */
export type Standing = 'free' | 'known' | 'missing' | 'offline' | 'queued' | 'importing' | 'conflict' | 'failed'

export function standing(item: PendingCard): Standing {
  const of = item.import?.state
  if (of === 'planned') return 'importing'
  if (of === 'queued') return workOn.value.has(item.id) ? 'importing' : 'queued'
  if (item.state !== 'waiting') return item.state
  if (of === 'conflict' || of === 'failed') return of
  return item.sha256 ? 'known' : 'free'
}

/** Whether it can be imported as it is, without a question to anybody. */
export function isReady(item: PendingCard): boolean {
  const state = standing(item)
  return item.type !== null && (state === 'free' || state === 'known')
}
