/**
 * An earlier library that comes along. The daemon does it whether a page is open or not; only the report is the answer
 * to who asked, so a tab remembers what it asked for, and asks again when it was loaded anew or the daemon was: who asks
 * for the same again is answered with the same report.
 */

import { computed, effectScope, shallowRef, watch } from 'vue'

import { api, Away } from '../api'
import type { Migrated } from '../shapes'
import { onEvent, tasks } from '../state/live'
import { daemon } from '../state/status'

export type End = 'done' | 'cancelled' | 'failed'

export type Migration =
  | { is: 'asking'; refused: string | null }
  | { is: 'going'; done: number; total: number; mine: boolean; cancelling: boolean }
  | { is: 'ended'; report: Migrated }
  | { is: 'over'; end: End; reason: string }

const ASKED = 'hikaze.migrating'
const now = shallowRef<Migration>({ is: 'asking', refused: null })
const scope = effectScope(true)
let following = false

export const migration = computed(() => now.value)

/** Follow what the daemon tells of a migration, from now on. */
export function followMigration(): void {
  if (following) return
  following = true
  scope.run(() => {
    watch([daemon, () => tasks.get('migration')], () => look(), { immediate: true })
    onEvent((event) => {
      if (event.type === 'migration-ended') over(event.data['status'], event.data['reason'])
    })
  })
}

function look(): void {
  const task = tasks.get('migration')
  const state = now.value
  if (task) {
    const before = state.is === 'going' ? state : { is: 'going' as const, mine: false, cancelling: false }
    now.value = { ...before, done: task.done ?? 0, total: task.total ?? 0 }
    const folder = sessionStorage.getItem(ASKED)
    if (folder && !before.mine) void bring(folder)
  } else if (state.is === 'going' && !state.mine && daemon.value && !daemon.value.work.some((each) => each.task === 'migration')) {
    over('done', '')
  }
}

function over(end: unknown, reason: unknown): void {
  if (now.value.is !== 'going' || now.value.mine) return
  const known = end === 'cancelled' || end === 'failed' ? end : 'done'
  now.value = { is: 'over', end: known, reason: typeof reason === 'string' ? reason : '' }
}

/** Bring the library in a folder along. */
export function start(folder: string): void {
  sessionStorage.setItem(ASKED, folder)
  now.value = { is: 'going', done: 0, total: 0, mine: false, cancelling: false }
  void bring(folder)
}

async function bring(folder: string): Promise<void> {
  if (now.value.is === 'going') now.value = { ...now.value, mine: true }
  try {
    now.value = { is: 'ended', report: await api.migrate(folder) }
  } catch (error) {
    if (error instanceof Away) {
      // When the daemon is back, its status tells how it stands.
      if (now.value.is === 'going') now.value = { ...now.value, mine: false }
      return
    }
    now.value = { is: 'asking', refused: error instanceof Error ? error.message : String(error) }
  }
  sessionStorage.removeItem(ASKED)
}

/** Stop it; what came along until then stays. */
export async function cancel(): Promise<void> {
  if (now.value.is !== 'going') return
  now.value = { ...now.value, cancelling: true }
  try {
    await api.cancelMigration()
  } catch {
    if (now.value.is === 'going') now.value = { ...now.value, cancelling: false }
  }
}

/** Be ready for another one. */
export function another(): void {
  if (now.value.is !== 'going') now.value = { is: 'asking', refused: null }
}
