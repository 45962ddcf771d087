/** Where the files of what is chosen lie, and how they look; asked once for each, and again when files come or go. */

import { useDebounceFn } from '@vueuse/core'
import { shallowReactive, watch } from 'vue'

import { api, Away, Refused } from '../api'
import { picturesOf } from '../library/art'
import type { Candidate, ModelWhole, PendingCard, Resolved, Sha } from '../shapes'
import { onCatchUp, onEvent, state } from '../state/live'
import { daemon } from '../state/status'
import type { Chosen } from './order'
import type { Picks } from './picks'
import { endsSo, isAbsolute, isWatched, stemOf } from './places'

/** `gone`: its folder is watched, and it is not there; `unseen`: nobody looks there. */
export type Standing = 'here' | 'gone' | 'unseen'

export interface Lookup {
  standing: Standing
  /** The address of its picture. */
  picture: string | null
  /** Where it may lie instead, the likeliest first. */
  candidates: readonly Candidate[]
}

const SOON_MS = 400

/** Follow how what is chosen stands, by its key. */
export function useLookups({ picks, know }: Picks, type: string) {
  const found = shallowReactive(new Map<number, Lookup>())
  const asked = new Map<number, string>()

  async function look(key: number, chosen: Readonly<Chosen>): Promise<void> {
    asked.set(key, chosen.path)
    try {
      const resolved = await resolve(chosen)
      const candidates = resolved.here ? [] : resolved.candidates
      const standing = stands(chosen, resolved, type)
      const { picture, sha256 } = await shown(chosen, resolved)
      if (asked.get(key) !== chosen.path) return
      found.set(key, { standing, picture, candidates: standing === 'here' ? [] : candidates })
      if (standing === 'here' && sha256) know(key, sha256)
    } catch (error) {
      asked.delete(key) // it is asked again when the daemon is back
      if (!(error instanceof Away || error instanceof Refused)) throw error
    }
  }

  function lookAtNew(): void {
    const keys = new Set(picks.map(({ key }) => key))
    for (const key of found.keys()) if (!keys.has(key)) found.delete(key)
    for (const { key, chosen } of picks) if (asked.get(key) !== chosen.path) void look(key, chosen)
  }

  /** What is gone may be back, and what was not imported may be by now. */
  function lookAgain(): void {
    for (const { key, chosen } of picks) {
      if (found.get(key)?.standing !== 'here' || chosen.sha256 === null) void look(key, chosen)
    }
  }

  const soon = useDebounceFn(lookAgain, SOON_MS, { maxWait: 2_000 })
  watch(() => [...picks], lookAtNew, { immediate: true })
  watch(state, (now, before) => {
    if (now === 'live' && before === 'away') lookAtNew()
  })
  onEvent((event) => {
    if (/^(location|pending|root|model-imported)/.test(event.type)) void soon()
  })
  onCatchUp(() => void soon())

  return found as ReadonlyMap<number, Lookup>
}

function resolve({ path, sha256, name }: Readonly<Chosen>): Promise<Resolved> {
  // A relative path is one of ComfyUI's folder: the files of that name are looked at for it.
  return isAbsolute(path) ? api.resolve({ path, sha256, name: name || stemOf(path) }) : api.resolve({ sha256, name: stemOf(path) })
}

function stands({ path }: Readonly<Chosen>, resolved: Resolved, type: string): Standing {
  if (resolved.here) return 'here'
  if (isAbsolute(path)) return isWatched(path, daemon.value?.roots ?? []) ? 'gone' : 'unseen'
  return resolved.candidates.some((each) => each.type === type && endsSo(each.path, path)) ? 'here' : 'gone'
}

async function shown(
  { path }: Readonly<Chosen>, resolved: Resolved,
): Promise<{ picture: string | null; sha256: Sha | null }> {
  const at = resolved.here && isAbsolute(path) ? path : resolved.candidates[0]?.path
  if (at === undefined) return { picture: null, sha256: null }
  try {
    const { model, pending } = await api.atPath(at)
    return { picture: model ? ofModel(model) : pending ? ofPending(pending) : null, sha256: model?.sha256 ?? null }
  } catch (error) {
    if (error instanceof Refused) return { picture: null, sha256: null } // it moved just now
    throw error
  }
}

function ofModel(model: ModelWhole): string | null {
  const [cover] = picturesOf(model)
  return cover === undefined ? null : api.picture(cover, 'low')
}

function ofPending({ id, image }: PendingCard): string | null {
  return image === null ? null : api.pendingPicture(id, image)
}
