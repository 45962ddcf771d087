/** How this browser likes to see things; kept in it, shared by its tabs. */

import { usePreferredDark, useStorage } from '@vueuse/core'
import { computed, readonly, ref, watchEffect } from 'vue'

export type Theme = 'system' | 'dark' | 'light'
export type Layout = 'grid' | 'list'

export const LEAST_COLUMNS = 2
export const MOST_COLUMNS = 10

const kept = useStorage(
  'hikaze.preferences',
  {
    theme: 'system' as Theme,
    layout: 'grid' as Layout,
    columns: 6,
    /** Part of the window that the details take, in percent. */
    pane: 34,
    /** Where the floating bar stands, as parts of the window; null where nobody has moved it. */
    bar: null as { x: number; y: number } | null,
  },
  localStorage,
  { mergeDefaults: true },
)

/** The preferences; write to a field to change it. */
export const preferences = kept

/** The number of columns of the grid, held within its bounds whatever is kept. */
export const columns = computed({
  get: () => bounded(kept.value.columns),
  set: (wanted: number) => {
    kept.value.columns = bounded(wanted)
  },
})

function bounded(wanted: number): number {
  const whole = Number.isFinite(wanted) ? Math.round(wanted) : 6
  return Math.min(MOST_COLUMNS, Math.max(LEAST_COLUMNS, whole))
}

const prefersDark = usePreferredDark()

/** The theme as it is shown now. */
export const shownTheme = computed<'dark' | 'light'>(() =>
  kept.value.theme === 'system' ? (prefersDark.value ? 'dark' : 'light') : kept.value.theme,
)

const ours = ref(true)

/** Whether the preferences say how the document looks; inside another page, that page does. */
export const choosesTheme = readonly(ours)

/** Leave the look of the document to somebody else. */
export function leaveTheme(): void {
  ours.value = false
}

/** Have the document follow the theme, for as long as the page lives. */
export function followTheme(): void {
  watchEffect(() => {
    document.documentElement.dataset['theme'] = shownTheme.value
  })
}
