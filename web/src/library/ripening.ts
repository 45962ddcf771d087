/**
 * Rows are filled a few at a time, frame by frame, those in sight first: a jump to anywhere puts two hundred cards on the
 * page, and none of them is worth a frame that comes late. Until its turn a row stands empty, at its place.
 */

import { onScopeDispose, shallowReactive, watch } from 'vue'

/** `range`: the rows that are there. `ready`: whether what they show is here. `atOnce`: how many to fill in a frame. */
export function useRipening(
  range: () => readonly [from: number, until: number],
  ready: (row: number) => boolean,
  atOnce: () => number,
) {
  const ripe = shallowReactive(new Set<number>())
  let frame: number | undefined

  function waiting(): number[] {
    const [from, until] = range()
    const rows: number[] = []
    for (let row = from; row < until; row += 1) if (!ripe.has(row) && ready(row)) rows.push(row)
    const middle = (from + until - 1) / 2
    return rows.sort((one, other) => Math.abs(one - middle) - Math.abs(other - middle))
  }

  function ripen(): void {
    frame = undefined
    const rows = waiting()
    for (const row of rows.slice(0, atOnce())) ripe.add(row)
    if (rows.length > atOnce()) later()
  }

  function later(): void {
    frame ??= requestAnimationFrame(ripen)
  }

  watch([() => range()[0], () => range()[1], () => waiting().length] as const, ([from, until, count]) => {
    for (const row of ripe) if (row < from || row >= until) ripe.delete(row)
    if (count) later()
  }, { immediate: true })

  onScopeDispose(() => {
    if (frame !== undefined) cancelAnimationFrame(frame)
  })

  return ripe as ReadonlySet<number>
}
