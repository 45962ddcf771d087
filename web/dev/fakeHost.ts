/** ComfyUI's page, played: nodes that are boxes, a history, and palettes as ComfyUI has them. */

import { reactive, shallowReactive } from 'vue'

import { NODES } from '../src/comfy/extension'
import type { Host, HostNode, HostWidget, WidgetOptions } from '../src/comfy/host'
import type { Kind } from '../src/comfy/payload'

const HEAD_PX = 90 // what a node has above its widget
const STEPS = 50

export interface FakeNode extends HostNode {
  id: number
  kind: Kind
  element: HTMLElement
  widget: HostWidget
}

/** What ComfyUI's palettes say of the colours that we use. */
export const PALETTES = {
  dark: {
    '--bg-color': '#202020', '--comfy-menu-bg': '#171718', '--comfy-input-bg': '#222', '--input-text': '#ddd',
    '--fg-color': '#fff', '--descrip-text': '#999', '--border-color': '#4e4e4e', '--p-primary-color': '#60a5fa',
    '--p-primary-contrast-color': '#18181b', '--node': '#353535',
  },
  light: {
    '--bg-color': '#e9e9e9', '--comfy-menu-bg': '#f5f5f5', '--comfy-input-bg': '#fff', '--input-text': '#222',
    '--fg-color': '#222', '--descrip-text': '#444', '--border-color': '#bbb', '--p-primary-color': '#2563eb',
    '--p-primary-contrast-color': '#fff', '--node': '#f7f7f7',
  },
  nord: {
    '--bg-color': '#2e3440', '--comfy-menu-bg': '#161b22', '--comfy-input-bg': '#2e3440', '--input-text': '#bcc2c8',
    '--fg-color': '#e5eaf0', '--descrip-text': '#999', '--border-color': '#545d70', '--p-primary-color': '#88c0d0',
    '--p-primary-contrast-color': '#161b22', '--node': '#161b22',
  },
} as const
export type Palette = keyof typeof PALETTES

export function fakeHost(base: string) {
  const nodes = shallowReactive<FakeNode[]>([])
  const said = shallowReactive<string[]>([])
  const past: string[][] = []
  const settings = reactive(new Map<string, unknown>())
  let now: string[] = []
  let last = 0
  let palette: Palette = 'dark'

  const texts = (): string[] => nodes.map((node) => node.widget.value)

  const host: Host = {
    page: (name) => `/${name}`,
    base,
    version: 'made up',
    isLight: () => palette === 'light',
    onColours: () => () => {},
    say: (text) => said.push(text),
    changed() {
      past.push(now)
      if (past.length > STEPS) past.shift()
      now = texts()
    },
    pass: () => {},
    addNode: () => false,
    selected: () => null,
    setting: <T>(id: string, otherwise: T) => (settings.get(id) as T | undefined) ?? otherwise,
  }

  /** Make a node; `make` is what the extension gives for our widget. */
  function add(kind: Kind, text: string, size: [number, number], make: (node: HostNode, name: string, spec: unknown) => unknown): void {
    let least = (): number => 0
    const node = shallowReactive({
      id: ++last, kind, comfyClass: NODES[kind], size,
      computeSize: (): [number, number] => [200, HEAD_PX + least()],
      setSize(to: [number, number]) {
        node.size = to
      },
      addDOMWidget(name: string, _: string, element: HTMLElement, options: WidgetOptions): HostWidget {
        least = options.getMinHeight
        node.element = element
        node.widget = { name, get value() { return options.getValue() }, set value(value) { options.setValue(value) } }
        return node.widget
      },
    }) as unknown as FakeNode
    make(node, 'hikaze_payload', ['STRING', { default: text }])
    nodes.push(node)
    now = texts()
  }

  function remove(node: FakeNode): void {
    nodes.splice(nodes.indexOf(node), 1)
    node.onRemoved?.()
    now = texts()
  }

  /** Take back the last change, as long as no node came or went since. */
  function undo(): void {
    const before = past.pop()
    if (before?.length !== nodes.length) return
    nodes.forEach((node, at) => (node.widget.value = before[at] ?? ''))
    now = before
  }

  function wear(name: Palette): void {
    palette = name
    for (const [variable, colour] of Object.entries(PALETTES[name])) document.documentElement.style.setProperty(variable, colour)
  }

  return { host, nodes, said, settings, add, remove, undo, wear }
}
