/** The order of tiles in rows, changed by dragging: which place a pointer means, whatever moves below it meanwhile. */

import { ref } from 'vue'

export const A_ROW = 6

export interface Spot {
  x: number
  y: number
}

/** The place that a spot within the tiles means; rows stand `rowHeight` from each other. */
export function placeAt(spot: Spot, width: number, rowHeight: number, count: number): number {
  const column = Math.max(0, Math.min(A_ROW - 1, Math.floor((spot.x / Math.max(1, width)) * A_ROW)))
  const row = Math.max(0, Math.floor(spot.y / Math.max(1, rowHeight)))
  return Math.max(0, Math.min(count - 1, row * A_ROW + column))
}

interface Ordered {
  /** The element that holds the tiles, each with `data-key`. */
  tiles: () => HTMLElement | null
  count: () => number
  rowHeight: number
  move: (key: number, to: number) => void
  /** Gives what takes back all moves from now on. */
  mark: () => () => void
}

/** Let tiles be dragged; they give way while one is, and go back where it is let go elsewhere. */
export function useOrdering({ tiles, count, rowHeight, move, mark }: Ordered) {
  const dragged = ref<number | null>(null)
  let undo = (): void => {}
  let isDropped = false

  function begin(event: DragEvent, key: number): void {
    dragged.value = key
    isDropped = false
    undo = mark()
    event.dataTransfer?.setData('text/plain', '') // without any data, Firefox drags nothing
    if (event.dataTransfer) event.dataTransfer.effectAllowed = 'move'
  }

  function over(event: DragEvent): void {
    const box = tiles()?.getBoundingClientRect()
    if (dragged.value === null || !box) return
    event.preventDefault()
    if (event.dataTransfer) event.dataTransfer.dropEffect = 'move'
    const spot = { x: event.clientX - box.left, y: event.clientY - box.top }
    move(dragged.value, placeAt(spot, box.width, rowHeight, count()))
  }

  function drop(event: DragEvent): void {
    if (dragged.value === null) return
    event.preventDefault()
    isDropped = true
  }

  function end(): void {
    if (dragged.value !== null && !isDropped) undo()
    dragged.value = null
  }

  return { dragged, begin, over, drop, end }
}
