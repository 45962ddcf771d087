import { describe, expect, it, vi } from 'vitest'

import type { Order } from './order'
import { receive } from './receive'

const ORDER: Order = { what: 'loras', type: 'loras', chosen: [], base: '/hikaze', look: {} }

/** A window in a frame, as far as it is asked. */
function framed() {
  const listeners = new Set<(event: MessageEvent) => void>()
  const parent = {} as Window
  const own = {
    parent,
    location: { origin: 'http://comfy' },
    addEventListener: (_: string, listener: (event: MessageEvent) => void) => listeners.add(listener),
    removeEventListener: (_: string, listener: (event: MessageEvent) => void) => listeners.delete(listener),
  } as unknown as Window
  const port = { postMessage: vi.fn(), onmessage: null as ((event: MessageEvent) => void) | null }
  const say = (more: Partial<MessageEvent> = {}) => {
    const event = { origin: 'http://comfy', source: parent, ports: [port], data: { hikaze: 'order', order: ORDER }, ...more }
    for (const listener of [...listeners]) listener(event as unknown as MessageEvent)
  }
  return { own, port, say }
}

describe('the order that opens the overlay', () => {
  it('comes from the page around it; others may say what they like', async () => {
    const { own, say } = framed()
    const received = receive(own)

    say({ origin: 'http://elsewhere' })
    say({ source: {} as Window })
    say({ ports: [] })
    say({ data: { type: 'of an extension of the browser' } })
    say()

    expect((await received).order).toEqual(ORDER)
  })

  it('opens a way for the answer, and for being asked to go', async () => {
    const { own, port, say } = framed()
    const received = receive(own)
    say()
    const { answer, onLeave } = await received
    const leave = vi.fn()
    onLeave(leave)

    answer({ hikaze: 'here' })
    port.onmessage?.({ data: { hikaze: 'leave' } } as MessageEvent)

    expect(port.postMessage).toHaveBeenCalledExactlyOnceWith({ hikaze: 'here' })
    expect(leave).toHaveBeenCalledOnce()
  })
})
