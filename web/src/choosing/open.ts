/**
 * Opens the manager over ComfyUI's canvas: to choose for a node, or whole.
 *
 * It is a document of its own, in a frame in a modal dialog. Neither page's styles, keys, pastes, drops, focus or history
 * reach the other that way, whichever front end it is (some style every `button`, or a class as common as `grid`), and
 * when it closes nothing of it is left. This module runs in ComfyUI's page: it is small, and brings no Vue.
 */

import { choosing as words } from '../words/choosing'
import { readLook } from './look'
import { dressOf } from './dress'
import type { Answered, Chosen, ChooserResult, Kind, Order, Told } from './order'

export type { Chosen, ChooserResult } from './order'

/** What is needed of ComfyUI's page: what stands before the daemon's paths on its server. */
export interface Way {
  readonly base: string
}

export interface ChooserOptions {
  kind: Kind
  type: string
  chosen: Chosen[]
  host: Way
}

// Built, this lies one folder below our extension, and the document beside that.
const PAGE = new URL(/* @vite-ignore */ import.meta.env.DEV ? '/choosing.html' : '../choosing.html', import.meta.url)
const SLOW_MS = 600 // what opens sooner needs no word for it
const REST_MS = 1_000 // no key is held for longer by somebody who meant to close something

/** Let the user choose; gives what a node is to name now, null where it stays as it is. */
export function openChooser({ kind, type, chosen, host }: ChooserOptions): Promise<ChooserResult | null> {
  return lay({ what: kind, type, chosen: chosen.map((each) => ({ ...each })) }, words.titles[kind], host)
}

/** Open the whole manager; settles when it is closed. */
export async function openManager(host: Way): Promise<void> {
  await lay({ what: 'manager', type: '', chosen: [] }, words.manager, host)
}

function lay(
  wanted: Pick<Order, 'what' | 'type' | 'chosen'>, title: string, host: Way,
): Promise<ChooserResult | null> {
  if (document.querySelector('dialog.hk-overlay')) return Promise.resolve(null)
  const order: Order = { ...wanted, base: host.base, look: readLook(document) }
  const { dialog, frame } = build(order, title)
  return new Promise((resolve) => {
    const { port1: port, port2: theirs } = new MessageChannel()
    let result: ChooserResult | null = null
    let isHere = false

    /** The overlay may have something to ask first; where it is not there yet, nobody has. */
    function leave(): void {
      if (isHere) port.postMessage({ hikaze: 'leave' } satisfies Told)
      else dialog.close()
    }

    port.onmessage = ({ data }: MessageEvent<Answered>) => {
      if (data.hikaze === 'here') {
        isHere = true
        frame.style.setProperty('opacity', '1', 'important')
        frame.contentWindow?.focus()
      } else {
        result = data.result
        dialog.close()
      }
    }
    frame.addEventListener('load', () => {
      frame.contentWindow?.postMessage({ hikaze: 'order', order } satisfies Told, window.location.origin, [theirs])
    }, { once: true })
    dialog.addEventListener('click', (event) => event.target === dialog && leave())
    dialog.addEventListener('cancel', (event) => {
      event.preventDefault()
      leave()
    })
    dialog.addEventListener('close', () => {
      swallowRest()
      port.close()
      dialog.remove()
      resolve(result)
    })
    frame.src = PAGE.href
    document.body.append(dialog)
    dialog.showModal()
  })
}

/** The key that closed it is still down: that it repeats, and that it comes up, is not for the canvas either. */
function swallowRest(): void {
  const rest = new AbortController()
  const swallow = (event: KeyboardEvent): void => {
    if (event.type === 'keydown' && !event.repeat) return rest.abort()
    event.preventDefault()
    event.stopImmediatePropagation()
  }
  for (const kind of ['keydown', 'keyup'] as const) {
    window.addEventListener(kind, swallow, { capture: true, signal: rest.signal })
  }
  window.setTimeout(() => rest.abort(), REST_MS)
}

function build(order: Order, title: string): { dialog: HTMLDialogElement; frame: HTMLIFrameElement } {
  const { theme, tokens } = dressOf(order.look)
  const paper = tokens['paper'] ?? '#111'
  const dialog = styled('dialog', {
    position: 'fixed', inset: '0', width: '100vw', height: '100dvh', 'max-width': 'none', 'max-height': 'none',
    margin: '0', padding: 'clamp(0px, 2.4vmin, 28px)', border: '0', display: 'block', overflow: 'hidden',
    'box-sizing': 'border-box', background: theme === 'dark' ? 'rgb(0 0 0 / 0.6)' : 'rgb(30 30 40 / 0.45)',
  })
  dialog.className = 'hk-overlay'
  dialog.setAttribute('aria-label', title)
  const panel = styled('div', {
    position: 'relative', width: '100%', height: '100%', overflow: 'hidden', 'border-radius': '12px', background: paper,
    'box-shadow': '0 0 0 1px rgb(128 128 128 / 0.3), 0 30px 80px -20px rgb(0 0 0 / 0.6)',
  })
  const frame = styled('iframe', {
    position: 'absolute', inset: '0', width: '100%', height: '100%', margin: '0', border: '0', display: 'block',
    opacity: '0', background: paper, 'color-scheme': theme,
  })
  frame.title = title
  const note = styled('p', {
    position: 'absolute', inset: '45% 0 auto', margin: '0', 'text-align': 'center', font: '14px system-ui, sans-serif',
    color: tokens['soft'] ?? '#bbb',
  })
  window.setTimeout(() => (note.textContent = words.opening), SLOW_MS)
  panel.append(note, frame)
  dialog.append(panel)
  // What happens on the dialog itself, before the frame has the keys, is not for the canvas either.
  for (const kind of ['keydown', 'keyup', 'keypress', 'copy', 'cut', 'paste', 'wheel', 'pointerdown', 'dragover', 'drop']) {
    dialog.addEventListener(kind, (event) => event.stopPropagation())
  }
  return { dialog, frame }
}

/** Make an element that no style of the page around it changes. */
function styled<K extends keyof HTMLElementTagNameMap>(tag: K, style: Record<string, string>): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(style)) element.style.setProperty(name, value, 'important')
  return element
}
