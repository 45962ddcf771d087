/**
 * What the daemon knows of the files that nodes name. One store for all faces of a page: it asks once for each file, and
 * again when the daemon's log has grown, which it looks at now and then while somebody sees a face.
 */

import { onScopeDispose, shallowReactive, toValue, watch } from 'vue'
import type { MaybeRefOrGetter } from 'vue'

import { Away, Refused } from '../api'
import type { ModelCard, ModelWhole, PendingCard, Sha, State } from '../shapes'
import { isAbsolute } from './payload'
import type { Chosen } from './payload'

export type Standing =
  | 'coming' | 'present' | 'offline' | 'missing' | 'moved' | 'pending' | 'unknown' | 'relative' | 'away'

/** What a face shows of a file. `cover` is a picture's base name, `pending` the pending model whose picture it is. */
export interface Known {
  standing: Standing
  name: string | null
  cover: string | null
  pending: { id: number; image: string | null } | null
  sha256: Sha | null
}

/** What is asked of the daemon. */
export interface Asking {
  atPath: (path: string) => Promise<{ model: ModelWhole | null; pending: PendingCard | null }>
  model: (sha256: Sha) => Promise<ModelWhole>
  status: () => Promise<{ position: number }>
}

type Wanted = Pick<Chosen, 'path' | 'sha256'>

export interface KnownFiles {
  /** What is known of a file, while the component is there. */
  of: (wanted: Wanted) => Known
  /** Keep what is known of some files up to date, while the component is there. */
  follow: (wanted: MaybeRefOrGetter<readonly Wanted[]>) => void
  /** Ask again for all that is followed. */
  again: () => void
}

const EVERY_MS = 5_000
const AT_ONCE = 4
const COMING: Known = { standing: 'coming', name: null, cover: null, pending: null, sha256: null }

export function knownFiles(api: Asking): KnownFiles {
  const files = shallowReactive(new Map<string, Known>())
  const followed = new Map<string, { wanted: Wanted; by: number }>()
  const queue: Wanted[] = []
  let position: number | null = null
  let isAway = false
  let asking = 0
  let timer: ReturnType<typeof setInterval> | undefined

  function ask(wanted: Wanted): void {
    if (!queue.some((one) => keyOf(one) === keyOf(wanted))) queue.push(wanted)
    next()
  }

  function next(): void {
    while (asking < AT_ONCE) {
      const wanted = queue.shift()
      if (!wanted) return
      asking += 1
      void look(wanted).finally(() => {
        asking -= 1
        next()
      })
    }
  }

  async function look(wanted: Wanted): Promise<void> {
    try {
      const found = await lookUp(api, wanted)
      files.set(keyOf(wanted), found)
      isAway = false
    } catch (error) {
      isAway = true
      const before = files.get(keyOf(wanted)) ?? COMING
      files.set(keyOf(wanted), { ...before, standing: 'away' })
      if (!(error instanceof Away || error instanceof Refused)) throw error
    }
  }

  /** Whether anything can have changed: the log has grown, or the daemon is back. */
  async function glance(): Promise<void> {
    if (document.visibilityState === 'hidden') return
    try {
      const now = (await api.status()).position
      const changed = isAway || (position !== null && now !== position)
      position = now
      if (changed) again()
    } catch (error) {
      if (!isAway) again()
      if (!(error instanceof Away || error instanceof Refused)) throw error
    }
  }

  function again(): void {
    for (const { wanted } of followed.values()) ask(wanted)
  }

  function hold(wanted: Wanted): void {
    const entry = followed.get(keyOf(wanted)) ?? { wanted, by: 0 }
    entry.by += 1
    followed.set(keyOf(wanted), entry)
    if (entry.by === 1) ask(wanted)
    timer ??= setInterval(() => void glance(), EVERY_MS)
  }

  function leave(wanted: Wanted): void {
    const entry = followed.get(keyOf(wanted))
    if (!entry) return
    entry.by -= 1
    if (!entry.by) followed.delete(keyOf(wanted))
    if (followed.size) return
    clearInterval(timer)
    timer = undefined
  }

  return {
    of: (wanted) => files.get(keyOf(wanted)) ?? COMING,
    follow(wanted) {
      let held: readonly Wanted[] = []
      watch(() => toValue(wanted), (now) => {
        now.forEach(hold)
        held.forEach(leave)
        held = [...now]
      }, { immediate: true })
      onScopeDispose(() => held.forEach(leave))
    },
    again,
  }
}

async function lookUp(api: Asking, wanted: Wanted): Promise<Known> {
  const relative = !isAbsolute(wanted.path)
  const at = relative ? null : await unlessUnknown(api.atPath(wanted.path))
  if (at?.model) return ofModel(at.model, standingAt(at.model, wanted.path))
  if (at?.pending) return ofPending(at.pending)
  const content = wanted.sha256 ? await unlessUnknown(api.model(wanted.sha256)) : null
  if (content) return ofModel(content, relative ? 'relative' : content.state === 'present' ? 'moved' : content.state)
  return { ...COMING, standing: relative ? 'relative' : 'unknown' }
}

/** An answer, or null where the daemon says that it knows none. */
async function unlessUnknown<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Refused && [400, 404, 422].includes(error.status)) return null
    throw error
  }
}

/** How it stands at this path; elsewhere its content may be well. */
function standingAt(model: ModelWhole, path: string): Standing {
  const here: State = model.locations.find((location) => location.path === path)?.state ?? model.state
  return here === 'missing' && model.state === 'present' ? 'moved' : here
}

/** What a card of a list tells of its model. */
export function known(card: ModelCard): Known {
  return ofModel(card, card.state)
}

function ofModel(model: ModelCard, standing: Standing): Known {
  const cover = model.images.find((base) => base === `${model.sha256}_${model.cover ?? ''}`) ?? model.images[0] ?? null
  return { standing, name: model.name, cover, pending: null, sha256: model.sha256 }
}

function ofPending(model: PendingCard): Known {
  const standing = model.state === 'waiting' ? 'pending' : model.state
  return { standing, name: model.name, cover: null, pending: { id: model.id, image: model.image }, sha256: model.sha256 }
}

function keyOf(wanted: Wanted): string {
  return JSON.stringify([wanted.path, wanted.sha256])
}
