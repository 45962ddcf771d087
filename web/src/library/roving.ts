/** One stop for Tab in a group of buttons; the arrow keys go from one to the next. */

import { ref } from 'vue'
import type { Ref } from 'vue'

const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }

/** `group`: what holds the buttons, each marked with `data-stop`. Gives which of them Tab leads to, by its number. */
export function useRoving(group: Ref<HTMLElement | null>, first: () => number = () => 0) {
  const at = ref<number | null>(null)

  function stops(): HTMLElement[] {
    return [...(group.value?.querySelectorAll<HTMLElement>('[data-stop]') ?? [])]
  }

  function onKeydown(event: KeyboardEvent): void {
    const all = stops()
    const here = all.findIndex((stop) => stop === document.activeElement)
    if (here < 0) return
    const step = STEPS[event.key]
    const to =
      step !== undefined ? (here + step + all.length) % all.length
      : event.key === 'Home' ? 0
      : event.key === 'End' ? all.length - 1
      : null
    if (to === null) return
    event.preventDefault()
    at.value = to
    all[to]?.focus()
    all[to]?.scrollIntoView?.({ block: 'nearest', inline: 'nearest' })
  }

  function onFocusin(event: FocusEvent): void {
    const here = stops().findIndex((stop) => stop === event.target)
    if (here >= 0) at.value = here
  }

  const stop = (index: number, count: number) => (index === Math.min(at.value ?? first(), count - 1) ? 0 : -1)

  return { stop, onKeydown, onFocusin }
}
