/**
 * What we use of ComfyUI's page, as one interface; `comfyHost` is the only place that knows how ComfyUI does it, on every
 * front end from 1.27 on. The rest is written against `Host`, which a page without ComfyUI can play (web/dev).
 */

/** What a node's face needs of its node. */
export interface HostNode {
  readonly id: number | string
  size: [number, number]
  /** The class's name: what the server calls this kind of node. */
  readonly comfyClass?: string
  addDOMWidget: (name: string, type: string, element: HTMLElement, options: WidgetOptions) => HostWidget
  computeSize: () => [number, number]
  setSize: (size: [number, number]) => void
  onAdded?: ((this: HostNode, graph: unknown) => void) | undefined
  onRemoved?: ((this: HostNode) => void) | undefined
}

export interface HostWidget {
  value: string
  readonly name: string
  readonly element?: HTMLElement
}

export interface WidgetOptions {
  getValue: () => string
  setValue: (value: string) => void
  getMinHeight: () => number
  hideOnZoom: boolean
  /** Keeps it out of the properties panel of newer front ends, where one element cannot stand twice. */
  hideInPanel: boolean
  /** No dot to connect something to: nothing in a graph makes such texts. */
  socketless: boolean
}

export type HostEvent = WheelEvent | PointerEvent | MouseEvent

export interface Host {
  /** The address of a file that lies beside our extension. */
  page: (name: string) => string
  /** What stands before the daemon's paths: `/hikaze`, behind whatever ComfyUI itself is served under. */
  readonly base: string
  /** The number of ComfyUI's front end, for those who need to know. */
  readonly version: string
  /** Whether the page is light. */
  isLight: () => boolean
  /** Be told when the colours of the page have changed. Gives what ends it. */
  onColours: (listener: () => void) => () => void
  /** Say something in the page's corner. */
  say: (text: string, kind?: 'done' | 'failed') => void
  /** Have undo know what was changed: one step, from the last call to this. */
  changed: () => void
  /** Hand an event on to the canvas that would have had it, were our element not on top. */
  pass: (event: HostEvent) => void
  /** Add a node of a class in the middle of what is seen, its payload set, and select it. Gives whether there was such a class. */
  addNode: (comfyClass: string, payload: string) => boolean
  /** The one node that is chosen on the canvas, where it is one of these classes. */
  selected: (classes: readonly string[]) => HostNode | null
  /** A setting of ours. */
  setting: <T>(id: string, otherwise: T) => T
}

/** As much of ComfyUI's `app` and `api` as we use. Its own types are a package of their own, newer than what people run. */
interface ComfyCanvas {
  ds: { visible_area: ArrayLike<number> }
  selected_nodes?: Record<string, ComfyNode>
  processMouseWheel: (event: WheelEvent) => void
  processMouseDown: (event: PointerEvent) => void
  processMouseMove: (event: PointerEvent) => void
  processMouseUp: (event: PointerEvent) => void
  setDirty: (foreground: boolean, background: boolean) => void
  selectNode: (node: ComfyNode) => void
  graph?: ComfyGraph
}

interface ComfyGraph {
  add: (node: ComfyNode) => unknown
}

interface ComfyNode extends HostNode {
  pos: [number, number]
  widgets?: HostWidget[]
}

interface ChangeTracker {
  checkState?: () => void
  /** What newer front ends call it. */
  captureCanvasState?: () => void
}

interface ExtensionManager {
  setting: { get: (id: string) => unknown }
  toast: { add: (message: { severity: string; summary: string; detail?: string; life: number }) => void }
  workflow?: { activeWorkflow?: { changeTracker?: ChangeTracker } | null }
  registerSidebarTab: (tab: SidebarTab) => void
}

export interface SidebarTab {
  id: string
  icon: string
  title: string
  tooltip: string
  type: 'custom'
  render: (container: HTMLElement) => void
  destroy: () => void
}

export interface Extension {
  name: string
  commands: { id: string; label: string; icon: string; function: () => void }[]
  menuCommands: { path: string[]; commands: string[] }[]
  keybindings: { combo: { key: string; alt?: boolean; shift?: boolean }; commandId: string }[]
  settings: {
    id: string
    name: string
    tooltip: string
    category: string[]
    type: string
    defaultValue: unknown
    attrs?: Record<string, unknown>
    onChange: (value: unknown) => void
  }[]
  aboutPageBadges: { label: string; url: string; icon: string }[]
  getCustomWidgets: () => Record<string, (node: HostNode, name: string, spec: unknown) => unknown>
  setup: () => void
}

interface ComfyApp {
  canvas: ComfyCanvas
  graph: ComfyGraph
  extensionManager: ExtensionManager
  registerExtension: (extension: Extension) => void
}

interface ComfyApi {
  fileURL: (path: string) => string
}

interface LiteGraphs {
  createNode: (type: string) => ComfyNode | null
  vueNodesMode?: boolean
}

declare global {
  interface Window {
    /** ComfyUI's modules, as its own shims at /scripts/*.js take them. */
    comfyAPI?: { app: { app: ComfyApp }; api: { api: ComfyApi } }
    LiteGraph?: LiteGraphs
    __COMFYUI_FRONTEND_VERSION__?: string
  }
}

const LIFE_MS = { done: 5_000, failed: 12_000 } as const

/** ComfyUI's page as our host, for an extension that lies at `here`; null where this is no page of ComfyUI. */
export function comfyHost(here: string): { host: Host; app: ComfyApp } | null {
  const modules = window.comfyAPI
  if (!modules) return null
  const { app } = modules.app
  const { api } = modules.api
  const host: Host = {
    page: (name) => new URL(name, here).href,
    base: api.fileURL('/hikaze'),
    version: window.__COMFYUI_FRONTEND_VERSION__ ?? '',
    isLight: () => !document.body.classList.contains('dark-theme'),
    onColours,
    say(text, kind = 'done') {
      const severity = kind === 'done' ? 'info' : 'error'
      app.extensionManager.toast.add({ severity, summary: 'Hikaze', detail: text, life: LIFE_MS[kind] })
    },
    changed() {
      app.canvas.setDirty(true, true)
      const tracker = app.extensionManager.workflow?.activeWorkflow?.changeTracker
      if (tracker?.captureCanvasState) tracker.captureCanvasState()
      else tracker?.checkState?.()
    },
    pass: (event) => pass(app.canvas, event),
    addNode: (comfyClass, payload) => addNode(app, comfyClass, payload),
    selected(classes) {
      const nodes = Object.values(app.canvas.selected_nodes ?? {})
      const [only] = nodes
      return nodes.length === 1 && only && classes.includes(classOf(only)) ? only : null
    },
    setting: <T>(id: string, otherwise: T) => (app.extensionManager.setting.get(id) as T | undefined) ?? otherwise,
  }
  return { host, app }
}

/** The name of a node's class, which some front ends keep at the class alone. */
export function classOf(node: HostNode): string {
  return node.comfyClass ?? (node.constructor as { comfyClass?: string }).comfyClass ?? ''
}

function onColours(listener: () => void): () => void {
  const observer = new MutationObserver(listener)
  observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'style'] })
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['class', 'style'] })
  return () => observer.disconnect()
}

/** In Vue-nodes mode our element lies inside of the node's, and events find their way by bubbling. */
function pass(canvas: ComfyCanvas, event: HostEvent): void {
  if (event instanceof WheelEvent) canvas.processMouseWheel(event)
  else if (!(event instanceof PointerEvent)) return
  else if (event.type === 'pointerdown') canvas.processMouseDown(event)
  else if (event.type === 'pointermove') canvas.processMouseMove(event)
  else canvas.processMouseUp(event)
}

function addNode(app: ComfyApp, comfyClass: string, payload: string): boolean {
  const node = window.LiteGraph?.createNode(comfyClass)
  const widget = node?.widgets?.find((each) => each.name === 'hikaze_payload')
  if (!node || !widget) return false
  widget.value = payload
  const [x = 0, y = 0, width = 0, height = 0] = Array.from(app.canvas.ds.visible_area)
  node.pos = [Math.round(x + (width - node.size[0]) / 2), Math.round(y + (height - node.size[1]) / 2)]
  const graph = app.canvas.graph ?? app.graph
  graph.add(node)
  app.canvas.selectNode(node)
  return true
}
