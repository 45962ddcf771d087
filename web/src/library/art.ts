/** How a card shows its model: which picture, how large, and what stands for one that is not there. */

import type { FoundCard, Quality } from '../shapes'

const LOW_PX = 320
const MEDIUM_PX = 800

/** The smallest quality that looks sharp at a width on the screen. */
export function qualityFor(cssWidth: number, ratio: number): Quality {
  const wide = cssWidth * Math.min(ratio, 2)
  return wide <= LOW_PX ? 'low' : wide <= MEDIUM_PX ? 'medium' : 'high'
}

/** The pictures of a model, its cover first. */
export function picturesOf(card: FoundCard): string[] {
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
