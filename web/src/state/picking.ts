/** What the library is opened for inside ComfyUI: to pick the models that a node loads, where the page changes them. */

import { readonly, shallowRef } from 'vue'

import type { FoundCard, Sha } from '../shapes'

export interface Picking {
  /** Whether several can be picked, or one in place of another. */
  several: boolean
  isPicked: (sha256: Sha) => boolean
  /** Why a model cannot be picked; null where it can. */
  obstacle: (card: FoundCard) => string | null
  /** Pick a model; where several are, leave it if it is picked. */
  pick: (card: FoundCard) => void
  /** Have done with what is picked. */
  finish: () => void
}

const current = shallowRef<Picking | null>(null)

/** What is picked for; null on the page. */
export const picking = readonly(current)

/** Have the library pick from now on. */
export function pickFor(wanted: Picking | null): void {
  current.value = wanted
}
