/** Which pending models are chosen, to be imported, changed or dismissed together. */

import { shallowReactive } from 'vue'

export function useChoosing() {
  const chosen = shallowReactive(new Set<number>())
  let anchor: number | null = null
  let before: ReadonlySet<number> = new Set()

  /** Choose or leave one; Shift reaches from here. */
  function toggle(id: number): void {
    if (!chosen.delete(id)) chosen.add(id)
    startFrom(id)
  }

  function startFrom(id: number): void {
    anchor = id
    before = new Set(chosen)
  }

  /** Choose all from the one where Shift began to this one, in place of the range that began there before. */
  function reach(ids: readonly number[], to: number): void {
    const from = anchor === null ? -1 : ids.indexOf(anchor)
    const end = ids.indexOf(to)
    if (from < 0) return toggle(to)
    const range = new Set(ids.slice(Math.min(from, end), Math.max(from, end) + 1))
    for (const id of [...chosen]) if (!range.has(id) && !before.has(id)) chosen.delete(id)
    for (const id of range) chosen.add(id)
  }

  function choose(ids: Iterable<number>): void {
    for (const id of ids) chosen.add(id)
  }

  /** Leave all but these. */
  function keep(ids: Iterable<number>): void {
    const kept = new Set(ids)
    for (const id of [...chosen]) if (!kept.has(id)) chosen.delete(id)
  }

  function clear(): void {
    chosen.clear()
    anchor = null
  }

  return { chosen: chosen as ReadonlySet<number>, toggle, startFrom, reach, choose, keep, clear }
}
