import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, nextTick, reactive, ref } from 'vue'
import type { EffectScope } from 'vue'

import { Refused } from '../api'
import type { ListQuery } from '../api'
import type { FoundCard, FoundPage, LogEvent } from '../shapes'
import { emptyView } from './address'
import { MOST_PAGES, PAGE, slip, useLibrary } from './library'

/** A daemon that answers when it is told to. */
function daemon(total: number) {
  const asked: { query: ListQuery; signal: AbortSignal | undefined; answer: (total?: number) => void; refuse: (error: Error) => void }[] = []
  let listener: (event: LogEvent) => void = () => {}
  const renamed = new Map<number, string>()
  const models = (query: ListQuery, signal?: AbortSignal) =>
    new Promise<FoundPage>((resolve, reject) => {
      const offset = query.offset ?? 0
      const answer = (now = total) => {
        const items = Array.from({ length: Math.max(0, Math.min(query.limit ?? PAGE, now - offset)) }, (_, at) =>
          card(offset + at, renamed.get(offset + at)),
        )
        resolve({ items, next: null, total: now, ...(query.facets ? { facets: { tags: [], types: [] } } : {}) })
      }
      asked.push({ query, signal, answer, refuse: reject })
    })
  return {
    asked,
    renamed,
    happen: (type: string) => listener({ type } as LogEvent),
    source: {
      models,
      onEvent: (heard: (event: LogEvent) => void) => (listener = heard),
      onCatchUp: () => {},
      connection: ref('live'),
    },
    /** Answer everything that is open. */
    async answerAll() {
      for (const each of asked.splice(0)) each.answer()
      await settle()
    },
  }
}

function card(number: number, name = `model ${number}`): FoundCard {
  return {
    sha256: String(number).padStart(64, '0'), name, type: 'loras', size_bytes: 1, created_at: 0, changed_at: 0, favorite: false,
    tags: [], images: [], cover: null, path: null, name_valid: true, state: 'present', found_by: null, earlier: null,
  }
}

async function settle(): Promise<void> {
  await nextTick()
  await vi.advanceTimersByTimeAsync(1)
}

describe('the library', () => {
  let scope: EffectScope
  const view = reactive(emptyView())

  beforeEach(() => {
    vi.useFakeTimers()
    Object.assign(view, emptyView())
    scope = effectScope()
  })

  afterEach(() => {
    scope.stop()
    vi.useRealTimers()
  })

  const begin = async (house: ReturnType<typeof daemon>) => {
    const library = scope.run(() => useLibrary(() => view, house.source))
    if (!library) throw new Error('no scope')
    await house.answerAll()
    return library
  }

  it('fetches the pages in sight by their place in the list', async () => {
    const house = daemon(100_000)
    const library = await begin(house)
    await vi.advanceTimersByTimeAsync(200)

    library.need(50_050, 50_130)
    expect(house.asked.map(({ query }) => query.offset)).toEqual([50_000, 50_100])
    await house.answerAll()

    expect(library.row(50_099)?.name).toBe('model 50099')
    expect(library.row(60_000)).toBe(null)
  })

  it('fetches nothing of what flies by', async () => {
    const house = daemon(100_000)
    const library = await begin(house)
    await vi.advanceTimersByTimeAsync(200)

    library.need(0, 50)
    for (let from = 1_000; from <= 10_000; from += 1_000) {
      library.need(from, from + 50)
      await vi.advanceTimersByTimeAsync(16)
    }
    expect(house.asked).toEqual([])
    await vi.advanceTimersByTimeAsync(100)

    expect(house.asked.map(({ query }) => query.offset)).toEqual([10_000])
  })

  it('drops the answer to an older question, and takes the request back', async () => {
    const house = daemon(10)
    const library = await begin(house)

    view.q = 'a'
    await nextTick()
    view.q = 'ab'
    await nextTick()
    const [older, newer] = house.asked
    newer?.answer(3)
    await settle()
    older?.answer(7)
    await settle()

    expect(older?.signal?.aborted).toBe(true)
    expect(library.total.value).toBe(3)
  })

  it('shows what it had until the answer is here', async () => {
    const house = daemon(10)
    const library = await begin(house)

    view.q = 'a'
    await nextTick()

    expect(library.row(3)?.name).toBe('model 3')
  })

  it('says where a query cannot be read, and keeps what was found', async () => {
    const house = daemon(10)
    const library = await begin(house)

    view.q = 'a OR'
    await nextTick()
    house.asked[0]?.refuse(new Refused(422, 'something is missing', 4))
    await settle()

    expect(slip.value).toEqual({ text: 'something is missing', at: 4 })
    expect(library.total.value).toBe(10)
  })

  it('forgets pages long out of sight', async () => {
    const house = daemon(100_000)
    const library = await begin(house)
    for (let page = 0; page < MOST_PAGES + 20; page += 1) {
      await vi.advanceTimersByTimeAsync(200)
      library.need(page * PAGE, page * PAGE + PAGE)
      await house.answerAll()
    }

    expect(library.pages.size).toBe(MOST_PAGES)
    expect(library.row((MOST_PAGES + 19) * PAGE)).not.toBe(null)
  })

  it('reads rows in sight again when something happens, and keeps those that are as they were', async () => {
    const house = daemon(50)
    const library = await begin(house)
    const [before, other] = [library.row(0), library.row(1)]

    house.renamed.set(1, 'renamed')
    house.happen('model-edited')
    house.happen('model-edited')
    await vi.advanceTimersByTimeAsync(200)
    expect(house.asked.length).toBe(1)
    expect(library.row(1)).toBe(other)
    await house.answerAll()

    expect(library.row(0)).toBe(before)
    expect(library.row(1)?.name).toBe('renamed')
    expect(library.answered.value).toBe(1)
  })

  it('gives the hashes of rows that were never fetched, a thousand at a time', async () => {
    const house = daemon(2_500)
    const library = await begin(house)

    const found = library.hashes(500, 2_500)
    for (let round = 0; round < 3; round += 1) await house.answerAll()

    expect((await found).length).toBe(2_000)
    expect((await found)[0]).toBe(card(500).sha256)
  })
})
