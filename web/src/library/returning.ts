/** Brings a list back to where it stood: after a reload, the back button, a look at something else. */

import { nextTick, watch } from 'vue'

import { keepPlace, place, travelled } from '../state/address'
import type { Library } from '../state/library'
import type { Rows } from './listing'

/** Each new question begins at the top, but for those that the history leads back to. */
export function useReturn(library: Library, rows: () => Rows | null): void {
  let goTo = place()
  let shown = library.asked.value

  watch(travelled, () => {
    goTo = library.asked.value === shown ? 0 : place() // other details, the same list: it stays where it is
  })

  watch([library.answered, () => (rows()?.height ?? 0) > 0] as const, async ([answered, measured]) => {
    if (!measured || answered === 0) return
    const to = Math.min(goTo, Math.max(0, (library.total.value ?? 1) - 1))
    goTo = 0
    shown = library.asked.value
    await nextTick()
    rows()?.reveal(to, 'top')
    keepPlace(to)
  }, { immediate: true })
}
