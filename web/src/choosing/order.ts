/** What ComfyUI's page and the overlay say to each other: the order that opens it, and the answer. */

import type { Sha } from '../shapes'

/** A model that a node names. */
export interface Chosen {
  path: string
  name: string
  sha256: Sha | null
  strengthModel: number
  strengthClip: number
  enabled: boolean
}

export type Kind = 'checkpoint' | 'loras'

export interface ChooserResult {
  chosen: Chosen[]
}

/** Red, green and blue from 0 to 255. */
export type Colour = readonly [number, number, number]

/** The colours of the page around it, by the names below; those that it does not have are left out. */
export type Look = Partial<Record<LookName, Colour>>

/** What ComfyUI calls its colours, old front ends and new; the first that is there counts. */
export const LOOKS = {
  ground: ['--bg-color', '--base-background'],
  panel: ['--comfy-menu-bg', '--interface-panel-surface'],
  ink: ['--fg-color', '--base-foreground', '--input-text'],
  quiet: ['--descrip-text', '--muted-foreground'],
  accent: ['--p-primary-color', '--primary-background'],
} as const satisfies Record<string, readonly string[]>

export type LookName = keyof typeof LOOKS

export interface Order {
  /** The whole manager, or a choice for a node. */
  what: 'manager' | Kind
  /** The folder that is chosen from; of no meaning for the manager. */
  type: string
  chosen: Chosen[]
  /** What stands before the daemon's paths on ComfyUI's server. */
  base: string
  look: Look
}

/** What the page tells the overlay: the order at first; later, that it is asked to go. */
export type Told = { hikaze: 'order'; order: Order } | { hikaze: 'leave' }

/** What the overlay tells the page: that it is to be seen; that it has ended, and with what. */
export type Answered = { hikaze: 'here' } | { hikaze: 'done'; result: ChooserResult | null }
