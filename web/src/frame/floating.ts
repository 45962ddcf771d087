/** Where the floating bar stands: kept as parts of the window, so that it stays inside whatever the window's size. */

import { useDraggable, useElementSize, useWindowSize } from '@vueuse/core'
import { computed } from 'vue'
import type { ShallowRef } from 'vue'

import { preferences } from '../state/preferences'

const EDGE = 8
const STEP = 16

interface Spot {
  x: number
  y: number
}

/** Give the left and top of a bar whose middle is at a part of the window, held within it. */
export function placed(spot: Spot, bar: { width: number; height: number }, within: { width: number; height: number }): Spot {
  const hold = (at: number, size: number, room: number) =>
    Math.max(EDGE, Math.min(room - size - EDGE, Math.round(at * room - size / 2)))
  return { x: hold(spot.x, bar.width, within.width), y: hold(spot.y, bar.height, within.height) }
}

/** Let a bar be dragged by its handle, and moved by the arrow keys on it. */
export function useFloating(bar: Readonly<ShallowRef<HTMLElement | null>>, handle: Readonly<ShallowRef<HTMLElement | null>>) {
  const size = useElementSize(bar, { width: 0, height: 0 }, { box: 'border-box' })
  const within = useWindowSize()
  const spot = computed<Spot>(() => preferences.value.bar ?? { x: 0.5, y: 1 })
  const at = computed(() =>
    placed(
      spot.value,
      { width: size.width.value, height: size.height.value },
      { width: within.width.value, height: within.height.value - (preferences.value.bar ? 0 : EDGE) },
    ),
  )
  const style = computed(() => ({ left: `${at.value.x}px`, top: `${at.value.y}px` }))

  function put(left: number, top: number): void {
    preferences.value.bar = {
      x: (left + size.width.value / 2) / within.width.value,
      y: (top + size.height.value / 2) / within.height.value,
    }
  }

  useDraggable(bar, { handle, preventDefault: true, onMove: (position) => put(position.x, position.y) })

  function nudge(event: KeyboardEvent): void {
    if (event.key === 'Home') {
      event.preventDefault()
      preferences.value.bar = null
      return
    }
    const way = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key]
    if (!way) return
    event.preventDefault()
    put(at.value.x + (way[0] ?? 0), at.value.y + (way[1] ?? 0))
  }

  return { style, nudge }
}
