/** What the daemon says of itself: roots, counts, warnings. Read again when something of it has changed. */

import { useDebounceFn, useEventListener } from '@vueuse/core'
import { effectScope, readonly, shallowRef, watch } from 'vue'

import { api, Away, Refused } from '../api'
import type { LogEvent, Status, TypeCount } from '../shapes'
import { close, onCatchUp, onEvent, open, state, takeWork } from './live'

const SOON_MS = 250

const status = shallowRef<Status | null>(null)
const types = shallowRef<TypeCount[]>([])
const scope = effectScope(true)

/** The last answer; null before the first. */
export const daemon = readonly(status)

/** The types that exist, with their counts. */
export const modelTypes = readonly(types)

/** Read everything for the first time and follow it from there. Throws where the daemon refuses. */
export async function begin(): Promise<void> {
  const first = await read()
  follow()
  open(first.position)
}

let following = false

function follow(): void {
  if (following) return // the door was shut and opened again
  following = true
  scope.run(() => {
    const soon = useDebounceFn(again, SOON_MS, { maxWait: 1_000 })
    onEvent((event) => {
      if (concerns(event)) void soon()
    })
    onCatchUp(() => void soon())
    watch(state, (now, before) => {
      if (now === 'live' && before !== 'live') void soon()
    })
    window.setInterval(() => void again(), 10_000) // what waits and what is warned of makes no event
    useEventListener(document, 'visibilitychange', () => void again())
  })
}

/** Stop following: the key is gone. */
export function end(): void {
  close()
  status.value = null
}

function concerns(event: LogEvent): boolean {
  return /^(root|pending|import|model-imported|location|model-edited|tag|migration|claim|file)/.test(event.type)
}

async function again(): Promise<void> {
  if (state.value === 'closed' || document.visibilityState === 'hidden') return
  try {
    await read()
  } catch (error) {
    if (!(error instanceof Away || error instanceof Refused)) throw error
  }
}

async function read(): Promise<Status> {
  const [now, found] = await Promise.all([api.status(), api.types()])
  status.value = now
  types.value = found.items
  takeWork(now.work)
  return now
}
