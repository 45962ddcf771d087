/** The tags as chips of three states, and which of them are offered. */

import type { View } from '../state/address'
import { isNsfw } from '../state/asking'
import type { TagCount } from '../shapes'

export type ChipState = 'off' | 'include' | 'exclude'

export interface Chip {
  name: string
  /** null: not known, because nothing of it is among what is found. */
  count: number | null
  state: ChipState
}

type Chosen = Pick<View, 'include' | 'exclude'>

const NEXT: Readonly<Record<ChipState, ChipState>> = { off: 'include', include: 'exclude', exclude: 'off' }

/** Give the chips: those that are chosen first, then those that would leave something, the commonest first. */
export function chipsOf(counts: readonly TagCount[], { include, exclude }: Readonly<Chosen>): Chip[] {
  const count = new Map(counts.map((tag) => [tag.name, tag.count]))
  const chosen = new Set([...include, ...exclude])
  return [
    ...include.map((name): Chip => ({ name, count: count.get(name) ?? null, state: 'include' })),
    ...exclude.map((name): Chip => ({ name, count: null, state: 'exclude' })),
    ...counts
      .filter((tag) => !chosen.has(tag.name) && tag.count > 0 && !isNsfw(tag.name))
      .map((tag): Chip => ({ ...tag, state: 'off' })),
  ]
}

/** Give what is chosen once a chip has gone on to its next state, or to the one that is wanted. */
export function turned({ include, exclude }: Readonly<Chosen>, chip: Chip, to: ChipState = NEXT[chip.state]): Chosen {
  const others = (names: readonly string[]) => names.filter((name) => name !== chip.name)
  return {
    include: to === 'include' ? [...others(include), chip.name] : others(include),
    exclude: to === 'exclude' ? [...others(exclude), chip.name] : others(exclude),
  }
}

/** The chips whose name holds a text, case and accents aside. */
export function matching(chips: readonly Chip[], text: string): Chip[] {
  const wanted = plain(text.trim())
  return wanted ? chips.filter((chip) => chip.state !== 'off' || plain(chip.name).includes(wanted)) : [...chips]
}

function plain(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase()
}
