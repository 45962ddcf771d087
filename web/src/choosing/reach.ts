/** Whether the daemon is reached through ComfyUI; where it is not, how it is started, and going on by itself. */

import { computed, onScopeDispose, reactive, readonly, shallowRef, watch } from 'vue'

import { api, Away } from '../api'
import type { Way } from '../shapes'
import { state } from '../state/live'
import { begin } from '../state/status'
import { told } from '../state/toasts'
import { words } from '../words'

const RETRY_MS = 1_500

export type Reach = 'opening' | 'open' | 'away' | 'refused'

/** Reach the daemon, and follow whether it is there. */
export function useReach() {
  const reach = reactive<{ state: Reach; why: string | null; starting: boolean; problem: string | null }>({
    state: 'opening', why: null, starting: false, problem: null,
  })
  const way = shallowRef<Way | null>(null)
  let timer: number | undefined
  let gone = false

  async function enter(): Promise<void> {
    window.clearTimeout(timer)
    try {
      await begin()
      reach.state = 'open'
      reach.problem = null
      await look()
    } catch (error) {
      reach.state = error instanceof Away ? 'away' : 'refused'
      reach.why = told(error)
      await look()
      if (!gone) timer = window.setTimeout(() => void enter(), RETRY_MS)
    }
  }

  /** Ask ComfyUI's server, which is there when the daemon is not. */
  async function look(): Promise<void> {
    way.value = await api.way().catch(() => way.value) // an older pack without it: the sentence that always holds is said
  }

  async function start(): Promise<void> {
    reach.starting = true
    reach.problem = null
    try {
      await api.startDaemon()
      if (reach.state !== 'open') await enter()
    } catch (error) {
      reach.problem = error instanceof Away ? null : told(error)
    } finally {
      reach.starting = false
    }
  }

  watch(state, (now, before) => {
    if (reach.state === 'open' && (now === 'away' || before === 'away')) void look()
  })
  onScopeDispose(() => {
    gone = true
    window.clearTimeout(timer)
  })
  void enter()

  return {
    reach: readonly(reach),
    /** Whether it was there and is not now. */
    lost: computed(() => reach.state === 'open' && state.value === 'away'),
    how: computed(() => way.value?.how ?? words.choosing.away.how),
    canStart: computed(() => way.value?.can_start ?? false),
    /** Whether one may write; a viewer from afar may not. */
    mayWrite: computed(() => way.value?.access !== 'view'),
    start,
    enter,
  }
}

export type Reached = ReturnType<typeof useReach>
