/** How high a face has to be. */

import type { Kind, Payload } from '../payload'

const CHECKPOINT_PX = 72
const UNREADABLE_PX = 132
const NO_LORAS_PX = 96
const HEAD_PX = 28
const ROW_PX = 46
const FOOT_PX = 30
const MOST_ROWS = 8 // more of them scroll, in a node that nobody has made larger

/** The least height, in pixels, of a face that shows all it has to. */
export function heightOf(kind: Kind, { chosen, problem }: Payload): number {
  if (problem !== null) return UNREADABLE_PX
  if (kind === 'checkpoint') return CHECKPOINT_PX
  return chosen.length ? HEAD_PX + Math.min(MOST_ROWS, chosen.length) * ROW_PX + FOOT_PX : NO_LORAS_PX
}
