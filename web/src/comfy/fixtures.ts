/** Stand-ins for tests: a node that is only as much of one as a widget needs, and a daemon that knows a few files. */

import { Refused } from '../api'
import type { ModelWhole } from '../shapes'
import type { Host, HostNode, HostWidget, WidgetOptions } from './host'
import type { Asking } from './known'

/** A node of 100 pixels and its widget; `log` tells what was done to it. */
export class TestNode implements HostNode {
  id = 1
  size: [number, number] = [300, 400]
  comfyClass = 'HikazeLoraPowerLoader'
  widget!: HostWidget & { width?: number; options: WidgetOptions; element: HTMLElement }
  onAdded?: ((graph: unknown) => void) | undefined
  onRemoved?: (() => void) | undefined

  computeSize = (): [number, number] => [200, 100 + this.widget.options.getMinHeight()]

  setSize = (size: [number, number]): void => {
    this.size = size
  }

  addDOMWidget = (name: string, _: string, element: HTMLElement, options: WidgetOptions): HostWidget => {
    const widget = {
      name, element, options,
      get value() {
        return options.getValue()
      },
      set value(text: string) {
        options.setValue(text)
      },
    }
    this.widget = widget
    return widget
  }
}

/** A host that notes what it is told; an override plays it otherwise. */
export function testHost(more: Partial<Host> = {}) {
  const said: string[] = []
  const passed: Event[] = []
  const steps: number[] = []
  const host: Host = {
    page: (name) => `/${name}`,
    base: '/hikaze',
    version: '1',
    isLight: () => false,
    onColours: () => () => {},
    say: (text) => said.push(text),
    changed: () => steps.push(steps.length),
    pass: (event) => passed.push(event),
    addNode: () => true,
    selected: () => null,
    setting: <T>(_: string, otherwise: T) => otherwise,
    ...more,
  }
  return { host, said, passed, steps }
}

/** A model that lies at some paths, the first of which is its own. */
export function modelAt(sha256: string, name: string, ...paths: [string, string][]): ModelWhole {
  const [[path = '', state = 'present'] = []] = paths
  const locations = paths.map(([at, how]) => ({ path: at, root: 1, name_valid: true, state: how, claimed: false }))
  return { sha256, name, path, state, cover: 1, images: [`${sha256}_0`, `${sha256}_1`], locations } as unknown as ModelWhole
}

/** A daemon that knows some models. */
export function daemonOf(models: ModelWhole[]): Asking & { position: number; asked: string[] } {
  const unknown = (): never => {
    throw new Refused(404, 'not known')
  }
  return {
    position: 1,
    asked: [],
    atPath(path) {
      this.asked.push(path)
      const model = models.find((one) => one.locations.some((location) => location.path === path))
      return Promise.resolve().then(() => (model ? { model, pending: null } : unknown()))
    },
    model: (sha256) => Promise.resolve().then(() => models.find((one) => one.sha256 === sha256) ?? unknown()),
    status() {
      return Promise.resolve({ position: this.position })
    },
  }
}
