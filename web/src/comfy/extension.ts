/** What ComfyUI is told of us when its page is loaded: nodes' widget, commands, menu, keys, settings, sidebar tab, badge. */

import { comfy as said } from '../words/comfy'
import { classOf } from './host'
import type { Extension, Host, HostNode, SidebarTab } from './host'
import type * as parts from './parts'
import type { Kind } from './payload'
import { WIDGET, widgetMaker } from './widget'
import type { Stage } from './widget'

/** The nodes' classes, by what they choose. */
export const NODES: Record<Kind, string> = { checkpoint: 'HikazeCheckpointLoader', loras: 'HikazeLoraPowerLoader' }

export const OPEN = 'Hikaze.Open'
export const CHOOSE = 'Hikaze.Choose'
export const PICTURES = 'Hikaze.Node.Pictures'
export const STEP = 'Hikaze.Node.StrengthStep'
const DEFAULT_STEP = 0.05
const MENU = ['Extensions', 'Hikaze']

/** The parts that are loaded when they are needed for the first time: Vue, faces, the manager. */
export type Parts = typeof parts

/** Make the extension; `load` brings the parts, `about` is where one reads about the nodes. */
export function extensionFor(
  host: Host, load: () => Promise<Parts>, addTab: (tab: SidebarTab) => void, about: string,
): Extension {
  const stages = new WeakMap<HostNode, Stage>()
  const makeWidget = widgetMaker(host, async () => (await load()).mountFace)
  const attempt = (work: (parts: Parts) => Promise<void>): void => {
    load().then(work).catch((error: unknown) => {
      host.say(said.notOpened(error instanceof Error ? error.message : String(error)), 'failed')
    })
  }
  const heard = (): void => void load().then((parts) => parts.settingsChanged(host))

  const choose = (): void => {
    const node = host.selected(Object.values(NODES))
    const stage = node && stages.get(node)
    if (stage) attempt((parts) => parts.choose(stage))
    else host.say(said.noNode, 'failed')
  }
  return {
    name: 'Hikaze',
    commands: [
      { id: OPEN, label: said.open, icon: 'pi pi-images', function: () => attempt((parts) => parts.openLibrary(host)) },
      { id: CHOOSE, label: said.choose, icon: 'pi pi-image', function: choose },
    ],
    menuCommands: [{ path: MENU, commands: [OPEN, CHOOSE] }],
    keybindings: [{ combo: { key: 'h', alt: true, shift: true }, commandId: OPEN }],
    settings: [
      {
        id: PICTURES, name: said.picturesSetting, tooltip: said.picturesTip, type: 'boolean', defaultValue: true,
        category: ['Hikaze', said.settingsOf, said.picturesSetting], onChange: heard,
      },
      {
        id: STEP, name: said.stepSetting, tooltip: said.stepTip, type: 'slider', defaultValue: DEFAULT_STEP,
        attrs: { min: 0.01, max: 0.5, step: 0.01 }, category: ['Hikaze', said.settingsOf, said.stepSetting], onChange: heard,
      },
    ],
    aboutPageBadges: [{ label: said.tab, url: about, icon: 'pi pi-images' }],
    getCustomWidgets: () => ({
      [WIDGET](node, name, spec) {
        const kind = classOf(node) === NODES.checkpoint ? 'checkpoint' : 'loras'
        const { stage, ...made } = makeWidget(node, name, kind, defaultOf(spec))
        stages.set(node, stage)
        return made
      },
    }),
    setup: () => addTab(sidebarTab(host, load)),
  }
}

/** What the schema gives as the value of a new node: `[type, {default}]`. */
function defaultOf(spec: unknown): string {
  const options: unknown = Array.isArray(spec) ? spec[1] : undefined
  const value = (options as { default?: unknown } | undefined)?.default
  return typeof value === 'string' ? value : ''
}

function sidebarTab(host: Host, load: () => Promise<Parts>): SidebarTab {
  let leave: (() => void) | null = null
  let shown: HTMLElement | null = null
  return {
    id: 'hikaze',
    icon: 'pi pi-images',
    title: said.tab,
    tooltip: said.tabTip,
    type: 'custom',
    render(container) {
      leave?.()
      leave = null
      shown = container
      void load().then((parts) => {
        if (shown === container) leave = parts.mountSidebar(container, host)
      })
    },
    destroy() {
      shown = null
      leave?.()
      leave = null
    },
  }
}
