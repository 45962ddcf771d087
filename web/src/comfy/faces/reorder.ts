/** Dragging a row of a list to another place, at any zoom of what the list is drawn on. */

import { onScopeDispose, shallowRef } from 'vue'

export interface Drag {
  from: number
  to: number
}

/** A list with one of its elements at another place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const rest = [...list]
  const [taken] = rest.splice(from, 1)
  if (taken !== undefined) rest.splice(to, 0, taken)
  return rest
}

/** `rows` gives the list's rows, all of one height; `done` is told where a row was put down. */
export function useReorder(rows: () => readonly HTMLElement[], done: (from: number, to: number) => void) {
  const drag = shallowRef<Drag | null>(null)
  let ends = new AbortController()

  function start(event: PointerEvent, from: number): void {
    if (event.button !== 0) return
    event.preventDefault()
    ends.abort()
    ends = new AbortController()
    const how = { signal: ends.signal, capture: true }
    drag.value = { from, to: from }
    // At the window: rows change places under the pointer, and a row that does loses the pointer.
    window.addEventListener('pointermove', (now) => move(now.clientY), how)
    window.addEventListener('pointerup', () => end(true), how)
    window.addEventListener('pointercancel', () => end(false), how)
    window.addEventListener('keydown', (key) => {
      if (key.key !== 'Escape') return
      key.stopPropagation()
      end(false)
    }, how)
  }

  function move(y: number): void {
    const [first, second] = rows().map((row) => row.getBoundingClientRect())
    if (!drag.value || !first) return
    const pitch = second ? second.top - first.top : first.height
    const to = Math.min(rows().length - 1, Math.max(0, Math.floor((y - first.top) / pitch)))
    if (to !== drag.value.to) drag.value = { ...drag.value, to }
  }

  function end(keep: boolean): void {
    ends.abort()
    const was = drag.value
    drag.value = null
    if (keep && was && was.from !== was.to) done(was.from, was.to)
  }

  onScopeDispose(() => ends.abort())
  return { drag, start }
}
