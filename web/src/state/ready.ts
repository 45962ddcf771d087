/** How many pending models are ready to be imported, and importing those: what is in conflict, failed or has no type is not. */

import { useDebounceFn } from '@vueuse/core'
import { computed, effectScope, shallowRef, watch } from 'vue'

import { api, Away, Refused } from '../api'
import { words } from '../words'
import { onEvent } from './live'
import { everyPending, isReady } from './pending'
import { daemon, modelTypes } from './status'
import { attempt, say } from './toasts'

const SOON_MS = 200
const FEW = 500 // are looked at one by one, where counts alone do not tell
const WAITING = { state: ['waiting'] }
const NOT_READY = { ...WAITING, import: ['conflict', 'failed', 'queued', 'running'] }

const count = shallowRef<number | null>(0)
const scope = effectScope(true)
let following = false
let question = 0

/** How many are ready; null where there are so many that nobody can tell without reading all of them. */
export function useReady() {
  follow()
  return computed(() => count.value)
}

function follow(): void {
  if (following) return
  following = true
  scope.run(() => {
    const soon = useDebounceFn(() => void look(), SOON_MS, { maxWait: 1_000 })
    watch(daemon, () => void soon(), { immediate: true })
    onEvent((event) => {
      if (/^(pending-|import-|root-)/.test(event.type)) void soon()
    })
  })
}

async function look(): Promise<void> {
  if (document.visibilityState === 'hidden' && count.value !== null) return
  const mine = ++question
  try {
    const found = await counted()
    if (mine === question) count.value = found
  } catch (error) {
    if (!(error instanceof Away || error instanceof Refused)) throw error
  }
}

async function counted(): Promise<number | null> {
  const all = daemon.value?.counts['pending'] ?? 0
  if (!all) return 0
  if (all <= FEW) {
    const page = await api.pending({ ...WAITING, limit: FEW })
    if (!page.next) return page.items.filter(isReady).length
  }
  const typed = modelTypes.value.reduce((sum, type) => sum + type.pending, 0)
  if (typed < all) return null
  const [waiting, not] = await Promise.all([
    api.pending({ ...WAITING, limit: 1 }),
    api.pending({ ...NOT_READY, limit: 1 }),
  ])
  return waiting.total === undefined || not.total === undefined ? null : waiting.total - not.total
}

/** Import all that are ready. */
export async function importReady(): Promise<void> {
  await attempt(async () => {
    const ids = (await everyPending(WAITING)).filter(isReady).map((item) => item.id)
    const queued = ids.length ? (await api.importThese(ids)).queued : 0
    say(queued ? words.frame.importQueued(queued) : words.frame.nothingToImport)
  })
}
