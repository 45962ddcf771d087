/**
 * The one widget of our nodes, `hikaze_payload`: its value is the node's text, its element the node's face. ComfyUI puts
 * the same element over the canvas, or into the node where nodes are drawn by Vue.
 */

import type { Host, HostEvent, HostNode, HostWidget } from './host'
import type { Kind } from './payload'
import { sharedText } from './text'
import type { SharedText } from './text'

/** The widget's type, by which the nodes' schema asks for it. */
export const WIDGET = 'HK_PAYLOAD'

/** What a face is given to live on; `write` is a change that can be undone, `fit` says how high it has to be. */
export interface Stage {
  kind: Kind
  host: Host
  text: SharedText
  write: (text: string) => void
  fit: (height: number) => void
}

/** Put a face into an element. Gives what takes it out again. */
export type Mount = (element: HTMLElement, stage: Stage) => () => void

/** The least height before the face says its own, and the size of a node that is new. */
const LEAST = 96
const MARGIN = 10 // around a DOM widget on the canvas; it is taken from the height that a widget asks for
const NEW: Record<Kind, { minWidth: number; minHeight: number }> = {
  checkpoint: { minWidth: 300, minHeight: 340 },
  loras: { minWidth: 420, minHeight: 190 },
}
// Without `contain`, the grid of a node drawn by Vue grows to what is in the face, and the face spills out of the node.
const ROOT_STYLE =
  'contain:inline-size;width:100%;min-width:0;height:100%;box-sizing:border-box;overflow:auto;position:relative;'

export interface MadeWidget {
  stage: Stage
  widget: HostWidget
  minWidth: number
  minHeight: number
}

/** Give what makes the widget of a node. The face comes later: it is loaded when the first node needs one. */
export function widgetMaker(host: Host, load: () => Promise<Mount>) {
  const leavings: Leavings = new Map()
  return (node: HostNode, name: string, kind: Kind, first: string): MadeWidget => {
    const element = rootElement()
    const text = sharedText(first)
    const height = heightOf(node, element)
    const widget = node.addDOMWidget(name, WIDGET, element, {
      getValue: text.get,
      setValue: text.set,
      getMinHeight: height.get,
      hideOnZoom: false,
      hideInPanel: true,
      socketless: true,
    })
    keepWidth(widget)
    keepEvents(host, element)
    const stage: Stage = {
      kind, host, text, fit: height.set,
      write(now) {
        widget.value = now
        host.changed()
      },
    }
    live(node, element, leavings, async () => (await load())(element, stage))
    return { stage, widget, ...NEW[kind] }
  }
}

function rootElement(): HTMLElement {
  const element = document.createElement('div')
  element.className = 'hk-node widget-expands' // the second has a Vue node of 1.32 give it the room there is
  element.style.cssText = ROOT_STYLE
  element.title = '' // else the schema's word about the text comes up, wherever the pointer rests
  return element
}

/** The face's least height. A node is made larger for it, and smaller again where nobody had made it larger still. */
function heightOf(node: HostNode, element: HTMLElement) {
  let least = LEAST
  element.style.minHeight = `${least}px`
  return {
    get: () => least + 2 * MARGIN,
    set: (height: number): void => {
      const grown = height - least
      if (!grown) return
      const wasTight = node.size[1] <= node.computeSize()[1] + 1
      least = height
      element.style.minHeight = `${least}px`
      const needed = node.computeSize()[1]
      if (node.size[1] < needed || (wasTight && grown < 0)) node.setSize([node.size[0], needed])
    },
  }
}

/**
 * With its properties panel open, ComfyUI writes the panel's width to every widget of a node, and the canvas then draws a
 * DOM widget that wide for good (ComfyUI_frontend #13068, #17246).
 */
function keepWidth(widget: HostWidget): void {
  Object.defineProperty(widget, 'width', { get: () => undefined, set: () => {}, configurable: true })
}

/** The elements that nodes have left behind in what is drawn, by the node's id. */
type Leavings = Map<HostNode['id'], HTMLElement>

const SOON_MS = 60 // then Vue has drawn what changed

/** Mount the face when its node is in a graph, and take it out when the node leaves. */
function live(node: HostNode, element: HTMLElement, leavings: Leavings, mount: () => Promise<() => void>): void {
  let mounted: Promise<() => void> | null = null
  const enter = (): void => {
    mounted ??= mount()
    setTimeout(() => mounted && takePlace(node, element, leavings), SOON_MS)
  }
  const { onAdded, onRemoved } = node
  node.onAdded = function (this: HostNode, graph) {
    onAdded?.call(this, graph)
    enter()
  }
  node.onRemoved = function (this: HostNode) {
    onRemoved?.call(this)
    void mounted?.then((unmount) => unmount())
    mounted = null
    // One that came and went between two drawings left nothing: undo can be pressed that quickly.
    if (element.isConnected) leavings.set(node.id, element)
  }
  enter()
}

/**
 * Undo, and opening another workflow, make all nodes anew. A front end that draws nodes by Vue may keep what it has drawn
 * for a node of the same id, and in it the element of the node that is gone: then this one takes its place.
 */
function takePlace(node: HostNode, element: HTMLElement, leavings: Leavings): void {
  const left = leavings.get(node.id)
  if (!left || left === element) return
  leavings.delete(node.id)
  if (left.isConnected && !element.isConnected) left.replaceWith(element)
}

/** Keep what is done to the face from the canvas below it; and hand on what is meant for the canvas. */
function keepEvents(host: Host, element: HTMLElement): void {
  const pass = (event: HostEvent): void => {
    event.preventDefault()
    host.pass(event)
  }
  element.addEventListener('pointerdown', (event) => {
    event.stopPropagation()
    if (event.button === 1) pass(event) // the middle button moves the canvas
  })
  element.addEventListener('pointermove', (event) => {
    if (event.buttons === 4) pass(event)
  })
  element.addEventListener('pointerup', (event) => {
    if (event.button === 1) pass(event)
  })
  element.addEventListener('wheel', (event) => {
    event.stopPropagation()
    if (event.ctrlKey || !scrolls(event, element)) pass(event)
  }, { passive: false })
  element.addEventListener('keydown', (event) => {
    if (!isForComfy(event)) event.stopPropagation()
  })
  for (const kind of ['copy', 'cut', 'paste'] as const) {
    element.addEventListener(kind, (event) => {
      if (isField(event.target)) event.stopPropagation()
    })
  }
}

/** Shortcuts of ComfyUI work as everywhere: queue, save, undo. In a field the keys are the field's, but for queueing. */
function isForComfy(event: KeyboardEvent): boolean {
  if (!(event.ctrlKey || event.metaKey || event.altKey)) return false
  return !isField(event.target) || event.key === 'Enter'
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement
}

/** Whether something of ours has to scroll that way. */
function scrolls(event: WheelEvent, root: HTMLElement): boolean {
  let at = event.target instanceof Element ? event.target : null
  for (; at && root.contains(at); at = at.parentElement) {
    const room = at.scrollHeight - at.clientHeight
    if (room <= 1 || !/auto|scroll/.test(getComputedStyle(at).overflowY)) continue
    if (event.deltaY < 0 ? at.scrollTop > 0 : at.scrollTop < room - 1) return true
  }
  return false
}
