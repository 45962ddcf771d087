/** The models that are chosen, to be changed together. */

import { computed, ref, shallowReactive } from 'vue'

import type { Sha } from '../shapes'

const chosen = shallowReactive(new Set<Sha>())
const last = ref<number | null>(null)
let before: ReadonlySet<Sha> = new Set()

/** The hashes that are chosen. */
export const selection = chosen as ReadonlySet<Sha>

/** Whether any is chosen: the library shows its tick boxes then. */
export const choosing = computed(() => chosen.size > 0)

/** The place in the list that was chosen last, from which Shift reaches. */
export const anchor = last

/** Choose or leave one; `row` is where it stands in the list. */
export function toggle(sha256: Sha, row: number): void {
  if (!chosen.delete(sha256)) chosen.add(sha256)
  startFrom(row)
}

/** Let Shift reach from here. */
export function startFrom(row: number): void {
  last.value = row
  before = new Set(chosen)
}

/** Choose a range, in place of the one that began at the same anchor. */
export function reach(range: readonly Sha[]): void {
  const wanted = new Set(range)
  for (const sha256 of chosen) if (!wanted.has(sha256) && !before.has(sha256)) chosen.delete(sha256)
  for (const sha256 of range) chosen.add(sha256)
}

/** Choose these, too. */
export function choose(hashes: Iterable<Sha>): void {
  for (const sha256 of hashes) chosen.add(sha256)
}

/** Choose none. */
export function clear(): void {
  chosen.clear()
  last.value = null
  before = new Set()
}
