/**
 * The list of models as a window onto the daemon's: rows are fetched by their number, a page at a time, when they come
 * into sight, so that 100,000 models cost no more than those on the screen.
 *
 * An answer to an older question is dropped. When something changed, the rows in sight are read again, in place: nothing
 * jumps, nothing flickers. While the list flies by, nothing is fetched until it slows down.
 */

import { useDebounceFn } from '@vueuse/core'
import { computed, onScopeDispose, ref, shallowReactive, shallowRef, watch } from 'vue'
import type { Ref } from 'vue'

import { api, Away, Refused } from '../api'
import type { ListQuery } from '../api'
import type { Facets, FoundCard, FoundPage, LogEvent, Sha } from '../shapes'
import type { View } from './address'
import { queryOf } from './asking'
import { onCatchUp, onEvent, state } from './live'

export const PAGE = 100
export const MOST_PAGES = 40 // kept in memory; those out of sight go first
export const MOST_CHOSEN = 50_000 // what the daemon changes at once
const SOON_MS = 120
const SETTLE_MS = 80
const WHOLE = 1_000 // the daemon's largest page
const FEW_TAGS = 60
const ALL_TAGS = 1_000

export interface Slip {
  text: string
  /** Where in the query, in characters from 0. */
  at: number | null
}

/** Where the daemon is asked and heard; tests have their own. */
export interface Source {
  models: (query: ListQuery, signal?: AbortSignal) => Promise<FoundPage>
  onEvent: (listener: (event: LogEvent) => void) => void
  onCatchUp: (listener: () => void) => void
  connection: Readonly<Ref<string>>
}

const DAEMON: Source = { models: api.models, onEvent, onCatchUp, connection: state }

const lastSlip = shallowRef<Slip | null>(null)
const underWay = ref(false)

/** What the daemon could not read in the query, if anything; the search field shows it. */
export const slip = lastSlip as Readonly<Ref<Slip | null>>

/** Whether an answer to another question is awaited. */
export const asking = underWay as Readonly<Ref<boolean>>

/** Follow the models that a view means. `view` gives it; rows are wanted with `need`. */
export function useLibrary(view: () => Readonly<View>, source: Source = DAEMON) {
  const total = ref<number | null>(null)
  const facets = shallowRef<Facets>({ tags: [], types: [] })
  const away = ref(false)
  /** Counts the questions that were answered: the list begins anew with each. */
  const answered = ref(0)
  /** Whether all tags of what is found are to be counted, or the commonest. */
  const allTags = ref(false)
  const pages = shallowReactive(new Map<number, readonly FoundCard[]>())
  const asked = computed(() => JSON.stringify(queryOf(view())))

  let question = 0
  let sight: [number, number] = [0, 0]
  let lastNeed = 0
  const stale = new Set<number>()
  const onTheWay = new Map<number, AbortController>()

  async function ask(): Promise<void> {
    question += 1
    stop()
    lastSlip.value = null
    underWay.value = true
    await read(0, { anew: true, facets: true })
  }

  /** Read a page; what came for an older question is dropped. */
  async function read(page: number, how: { anew?: boolean; facets?: boolean } = {}): Promise<void> {
    const mine = question
    const under = new AbortController()
    onTheWay.get(page)?.abort()
    onTheWay.set(page, under)
    try {
      const query = JSON.parse(asked.value) as ListQuery
      const tags = how.facets ? (allTags.value ? ALL_TAGS : FEW_TAGS) : 0
      const found = await source.models({ ...query, offset: page * PAGE, limit: PAGE, facets: tags }, under.signal)
      if (mine !== question || onTheWay.get(page) !== under) return
      take(page, found, how.anew ?? false)
    } catch (error) {
      if (mine !== question || under.signal.aborted) return
      refused(error, how.anew ?? false)
    } finally {
      if (onTheWay.get(page) === under) onTheWay.delete(page)
    }
  }

  function take(page: number, found: FoundPage, anew: boolean): void {
    if (anew) {
      pages.clear()
      stale.clear()
    }
    pages.set(page, anew ? found.items : kept(pages.get(page), found.items))
    stale.delete(page)
    total.value = found.total
    if (found.facets) facets.value = found.facets
    away.value = false
    if (anew) {
      underWay.value = false
      sight = [0, PAGE]
      answered.value += 1
      if (oncemore) void soon()
    }
    forget()
  }

  function refused(error: unknown, anew: boolean): void {
    if (anew) underWay.value = false
    if (error instanceof Refused) {
      if (anew) lastSlip.value = { text: error.message, at: error.at }
    } else if (error instanceof Away) away.value = true
    else throw error
  }

  /** Say which rows are in sight, from the first up to but not the last. */
  function need(from: number, until: number): void {
    const calm = performance.now() - lastNeed > SETTLE_MS
    sight = [Math.max(0, from), Math.max(0, until)]
    lastNeed = performance.now()
    if (calm) fetchSight()
    else void settled()
  }

  const settled = useDebounceFn(fetchSight, SETTLE_MS, { maxWait: 6 * SETTLE_MS })

  function fetchSight(): void {
    const wanted = inSight()
    for (const [page, under] of onTheWay) {
      if (page === 0 || wanted.includes(page)) continue
      under.abort()
      onTheWay.delete(page)
    }
    if (total.value === null || underWay.value) return
    for (const page of wanted) {
      if (!onTheWay.has(page) && page * PAGE < total.value && (!pages.has(page) || stale.has(page))) void read(page)
    }
  }

  function inSight(): number[] {
    const [from, until] = sight
    const first = Math.floor(from / PAGE)
    return Array.from({ length: Math.max(1, Math.ceil(until / PAGE) - first) }, (_, at) => first + at)
  }

  function forget(): void {
    const [from, until] = sight
    for (const page of pages.keys()) {
      const behind = page * PAGE >= (total.value ?? 0) && page > 0
      if (!behind && pages.size <= MOST_PAGES) continue
      if (behind || (page + 1) * PAGE <= from || page * PAGE >= until) pages.delete(page)
    }
  }

  function stop(): void {
    for (const under of onTheWay.values()) under.abort()
    onTheWay.clear()
  }

  let refreshing = false
  let oncemore = false

  /** Read again what is in sight; the rest is read when it comes into sight, and shown as it was until then. */
  async function again(): Promise<void> {
    if (refreshing || underWay.value) {
      oncemore = true
      return
    }
    if (total.value === null) return ask()
    refreshing = true
    oncemore = false
    for (const page of pages.keys()) stale.add(page)
    await Promise.all(inSight().map((page, at) => read(page, { facets: at === 0 })))
    refreshing = false
    if (oncemore) void soon()
  }

  function row(at: number): FoundCard | null {
    return pages.get(Math.floor(at / PAGE))?.[at % PAGE] ?? null
  }

  /** Give the hashes of the rows from the first up to but not the last, `tell`ing how far it is. */
  async function hashes(from: number, until: number, tell: (done: number) => void = () => {}): Promise<Sha[]> {
    const mine = question
    const found: Sha[] = []
    const known = Array.from({ length: Math.max(0, until - from) }, (_, at) => from + at)
    if (known.length <= WHOLE && known.every((at) => row(at))) return known.map((at) => row(at)?.sha256 ?? '')
    const query = JSON.parse(asked.value) as ListQuery
    while (from + found.length < until && mine === question) {
      const limit = Math.min(WHOLE, until - from - found.length)
      const page = await source.models({ ...query, offset: from + found.length, limit, facets: 0 })
      found.push(...page.items.map((card) => card.sha256))
      tell(found.length)
      if (page.items.length < limit) break
    }
    return mine === question ? found : []
  }

  /** How many models another question finds. */
  async function count(query: ListQuery): Promise<number> {
    return (await source.models({ ...query, offset: 0, limit: 1, facets: 0 })).total
  }

  /** Show a change of a card before the daemon says so; the next answer puts it right. */
  function foresee(at: number, change: Partial<FoundCard>): void {
    const page = pages.get(Math.floor(at / PAGE))
    const card = page?.[at % PAGE]
    if (page && card) pages.set(Math.floor(at / PAGE), page.with(at % PAGE, { ...card, ...change }))
  }

  const soon = useDebounceFn(() => void again(), SOON_MS, { maxWait: 500 })
  watch(asked, () => void ask(), { immediate: true })
  watch(allTags, (all) => {
    if (all && facets.value.tags.length >= FEW_TAGS) void read(0, { facets: true })
  })
  watch(source.connection, (now, before) => {
    if (now === 'live' && before === 'away') void soon()
  })
  source.onEvent((event) => {
    if (concerns(event)) void soon()
  })
  source.onCatchUp(() => void soon())
  onScopeDispose(() => {
    question += 1
    stop()
    underWay.value = false
    lastSlip.value = null
  })

  return { total, facets, away, answered, allTags, asked, pages, row, need, again, hashes, count, foresee }
}

export type Library = ReturnType<typeof useLibrary>

/** Keep the cards that are as they were: what shows them has nothing to do then. */
function kept(before: readonly FoundCard[] | undefined, now: readonly FoundCard[]): readonly FoundCard[] {
  if (!before) return now
  const old = new Map(before.map((card) => [card.sha256, card]))
  return now.map((card) => {
    const same = old.get(card.sha256)
    return same && JSON.stringify(same) === JSON.stringify(card) ? same : card
  })
}

function concerns(event: LogEvent): boolean {
  return /^(model-(imported|edited|tagged|untagged)|location|image|cover|tag|root|claim|row-migrated|migration-ended)/.test(
    event.type,
  )
}
