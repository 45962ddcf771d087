/** What comes when it is needed for the first time: the faces and the sidebar, with Vue, and the way to the library. */

import { createApp, h, shallowReactive } from 'vue'
import type { Component } from 'vue'

import { api, goThrough } from '../api'
import { openChooser, openManager } from '../choosing/open'
import { PICTURES, STEP } from './extension'
import './face.css'
import NodeFace from './faces/NodeFace.vue'
import Sidebar from './faces/Sidebar.vue'
import type { Host } from './host'
import { knownFiles } from './known'
import { labelOf, read, write } from './payload'
import type { Kind } from './payload'
import type { Mount, Stage } from './widget'

/** The settings that faces follow. */
export interface Preferences {
  pictures: boolean
  step: number
}

const TYPES: Record<Kind, string> = { checkpoint: 'checkpoints', loras: 'loras' }

const files = knownFiles(api)
const preferences = shallowReactive<Preferences>({ pictures: true, step: 0.05 })

/** Put the face of a node into its widget's element. */
export const mountFace: Mount = (element, stage) => {
  begin(stage.host)
  return mountInto(element, NodeFace, { stage, files, preferences, onChoose: () => void choose(stage) })
}

/** Put the sidebar into its tab. */
export function mountSidebar(element: HTMLElement, host: Host): () => void {
  begin(host)
  return mountInto(element, Sidebar, { host, files, preferences, onOpen: () => void openLibrary(host) })
}

/** Let the user choose for a node; what it says stays as it is until something is confirmed. */
export async function choose({ kind, host, text, write: put }: Stage): Promise<void> {
  begin(host)
  const chosen = read(kind, text.get()).chosen.map((one) => {
    const known = files.of(one)
    return { ...one, name: known.name ?? labelOf(one), sha256: one.sha256 ?? known.sha256 }
  })
  const result = await openChooser({ kind, type: TYPES[kind], chosen, host })
  if (result) put(write(kind, result.chosen))
  files.again()
}

/** Open the whole library. */
export async function openLibrary(host: Host): Promise<void> {
  begin(host)
  await openManager(host)
  files.again()
}

/** Take over what the settings say now. */
export function settingsChanged(host: Host): void {
  preferences.pictures = host.setting(PICTURES, true)
  preferences.step = host.setting(STEP, 0.05)
}

function begin(host: Host): void {
  goThrough(host.base)
  settingsChanged(host)
}

function mountInto(element: HTMLElement, part: Component, props: Record<string, unknown>): () => void {
  const place = document.createElement('div')
  place.className = 'hk-place'
  element.append(place)
  const face = createApp({ render: () => h(part, props) })
  face.mount(place)
  return () => {
    face.unmount()
    place.remove()
  }
}
