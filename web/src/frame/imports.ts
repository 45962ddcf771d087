/** How far the imports are, as a whole. */

import { computed } from 'vue'

import { tasks } from '../state/live'
import { daemon } from '../state/status'

/** Give how many imports are done of how many; null while nothing is imported. */
export function useImports() {
  return computed(() => {
    const counts = daemon.value?.imports ?? {}
    const open = (counts['queued'] ?? 0) + (counts['running'] ?? 0)
    if (!open) return null
    const task = tasks.get('imports')
    const of = (name: string) => Number(task?.[name] ?? counts[name] ?? 0)
    return { done: of('done'), total: of('total') || open, bytes: of('bytes'), bytesTotal: of('bytes_total') }
  })
}
