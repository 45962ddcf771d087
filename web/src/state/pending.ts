/** The list of what is pending, as far down as it is looked at; it follows what happens. */

import { useDebounceFn } from '@vueuse/core'
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'

import { api, Away, Refused } from '../api'
import type { LogEvent, PendingCard, Progress } from '../shapes'
import { onCatchUp, onEvent, state, tasks } from './live'

export type Filter = 'all' | 'conflict' | 'failed' | 'running'

const STEP = 200
const MOST = 1000 // the daemon gives at once
const SOON_MS = 120

/** Follow the pending models of a filter whose names hold some words. */
export function usePending(filter: () => Filter, words: () => string) {
  const items = shallowRef<PendingCard[]>([])
  const total = ref<number | null>(null)
  const next = ref<string | null>(null)
  const problem = ref<string | null>(null)

  let wanted = STEP
  let question = 0
  let busy = false
  let gone = false

  const query = computed(() => ({
    q: words().trim(),
    ...(filter() === 'running' ? { import: ['queued', 'running'] } : filter() === 'all' ? {} : { import: [filter()] }),
  }))

  async function read(): Promise<void> {
    const mine = ++question
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
    }
  }

  /** Say how far down the list is looked at. */
  function need(until: number): void {
    if (!next.value || busy || until < items.value.length - STEP / 4) return
    wanted = items.value.length + STEP
    void read()
  }

  const soon = useDebounceFn(() => void read(), SOON_MS, { maxWait: 500 })
  watch(query, () => {
    wanted = STEP
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

/** The one state a pending model is in. */
export type Standing = 'free' | 'missing' | 'offline' | 'queued' | 'importing' | 'conflict' | 'failed'

export function standing(item: PendingCard): Standing {
  const of = item.import?.state
  if (of === 'planned') return 'importing'
  if (of === 'queued') return workOn.value.has(item.id) ? 'importing' : 'queued'
  if (item.state !== 'waiting') return item.state
  if (of === 'conflict' || of === 'failed') return of
  return 'free'
}
