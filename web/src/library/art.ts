/** How a card shows its model: which picture, how large, and what stands for one that is not there. */

import type { FoundCard, Quality } from '../shapes'

const CARD_SHAPE = 4 / 5 // its width by its height
const LOW_PX = 320
const MEDIUM_PX = 800
const LOW_PART = 0.33 // of the picture that was given; so the daemon makes them
const MEDIUM_PART = 0.66
const UNSEEN = 1.1 // enlarged this little, a picture looks as sharp as before

/** The smallest quality that looks sharp at a width on the screen; `fills`: the width that the whole picture can fill. */
export function qualityFor(cssWidth: number, ratio: number, fills = Infinity): Quality {
  const wide = cssWidth * Math.min(ratio, 2)
  if (wide <= Math.min(LOW_PX, fills * LOW_PART * UNSEEN)) return 'low'
  return wide <= Math.min(MEDIUM_PX, fills * MEDIUM_PART * UNSEEN) ? 'medium' : 'high'
}

/** The width of a card that a picture can fill with all its pixels, from one that was made of it. */
export function filledBy(width: number, height: number, quality: Quality): number {
  return Math.min(width, height * CARD_SHAPE) / { low: LOW_PART, medium: MEDIUM_PART, high: 1 }[quality]
}

/** The pictures of a model, its cover first. */
export function picturesOf(card: Pick<FoundCard, 'sha256' | 'cover' | 'images'>): string[] {
  const cover = card.cover === null ? undefined : card.images.find((base) => base === `${card.sha256}_${card.cover}`)
  return cover === undefined ? card.images : [cover, ...card.images.filter((base) => base !== cover)]
}

/** What stands where there is no picture: the first letters of a name. */
export function initials(name: string): string {
  const parts = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean)
  return parts.slice(0, 2).map((part) => [...part][0] ?? '').join('').toLocaleUpperCase()
}

/** A tint of its own for each model, the same every time. */
export function hueOf(sha256: string): string {
  return String(Number.parseInt(sha256.slice(0, 6), 16) % 360)
}

/** How many cards of at least a readable width stand side by side. */
export function columnsFor(wanted: number, width: number): number {
  const most = width < 480 ? 2 : width < 640 ? 3 : Math.max(4, Math.floor(width / 80))
  return Math.min(wanted, most)
}
