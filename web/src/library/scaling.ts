/**
 * A list may be taller than any element can be (Chromium ends at 33,554,428 px, Firefox at half of that). Past a bound
 * its height is scaled down: the scrollbar then reaches the whole list, while the wheel, a finger and the keys still move
 * it pixel by pixel. What drifts apart that way is brought together again when the list has come to rest.
 */

export const TALLEST = 8_000_000 // px; also small enough for a compositor that counts in 32-bit floats

/** `full`: the height of all rows; `port`: the height of what is seen of them. */
export interface Extent {
  full: number
  port: number
}

/** `top`: how far the element is scrolled; `at`: how far the list is. */
export interface Place {
  top: number
  at: number
}

/** The height that the element gets. */
export function shownHeight(full: number): number {
  return Math.min(full, TALLEST)
}

/** Where the list stands when the element has been scrolled to `top`, from a place before. */
export function follow(extent: Extent, before: Place, top: number): Place {
  const [most, mostTop] = ends(extent)
  if (extent.full <= TALLEST) return { top, at: clamp(top, most) }
  const moved = top - before.top
  const stepwise = Math.abs(moved) < 2 * extent.port && top > 0 && top < mostTop - 1
  return { top, at: clamp(stepwise ? before.at + moved : (top / mostTop) * most, most) }
}

/** Where the element has to be scrolled to for the list to stand `at`. */
export function rest(extent: Extent, at: number): Place {
  const [most, mostTop] = ends(extent)
  const held = clamp(at, most)
  return { at: held, top: extent.full <= TALLEST || most === 0 ? held : Math.round((held / most) * mostTop) }
}

function ends({ full, port }: Extent): [number, number] {
  return [Math.max(0, full - port), Math.max(0, shownHeight(full) - port)]
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, value))
}
