/** The overlay's end of the talk with ComfyUI's page. */

import type { Answered, Order, Told } from './order'

export interface Received {
  order: Order
  answer: (said: Answered) => void
  /** Be told that one is asked to go: by a press beside the overlay, or by Escape out there. */
  onLeave: (listener: () => void) => void
}

/** Wait for the order of the page around a window; what others say is passed over. */
export function receive(own: Window): Promise<Received> {
  return new Promise((resolve) => {
    function take(event: MessageEvent<Told | undefined>): void {
      const [port] = event.ports
      if (event.origin !== own.location.origin || event.source !== own.parent || !port) return
      if (event.data?.hikaze !== 'order') return
      own.removeEventListener('message', take)
      const listeners: (() => void)[] = []
      port.onmessage = ({ data }: MessageEvent<Told>) => {
        if (data.hikaze === 'leave') for (const listener of listeners) listener()
      }
      resolve({
        order: event.data.order,
        answer: (said) => port.postMessage(said),
        onLeave: (listener) => listeners.push(listener),
      })
    }
    own.addEventListener('message', take)
  })
}
