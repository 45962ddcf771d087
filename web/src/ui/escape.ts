/** Escape closes what lies beside a list, wherever the keys are: also where what had the focus is gone. */

import { useEventListener } from '@vueuse/core'

// What has an Escape of its own: a field (but one that has nothing more to do with it), a dialog, a menu.
const OWN = 'input:not([data-escapes]), textarea, select, [contenteditable="true"], [role="dialog"], [role="menu"]'

/**
 * Have Escape close something, for as long as the component is there. `close` gives whether there was something to close;
 * what is outermost asks on `window`, and is asked last.
 */
export function useEscape(close: () => boolean, on: Document | Window = document): void {
  useEventListener(on as EventTarget, 'keydown', (event) => {
    if (!(event instanceof KeyboardEvent) || event.key !== 'Escape' || event.defaultPrevented) return
    if (event.target instanceof Element && event.target.closest(OWN)) return
    if (close()) event.preventDefault()
  })
}
