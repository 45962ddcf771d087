/** What is chosen for a node, in its order. What stays keeps its strengths, also where it was left and is picked again. */

import { computed, shallowReactive } from 'vue'

import type { Candidate, PendingCard, Sha } from '../shapes'
import type { Chosen, Kind } from './order'

export interface Pick {
  /** Tells it from others, also of the same model. */
  readonly key: number
  readonly chosen: Readonly<Chosen>
}

/** What there is to pick: a model of the library, or a file that is not imported. */
export interface Pickable {
  name: string
  path: string | null
  sha256: Sha | null
}

export type Picks = ReturnType<typeof usePicks>

/** Hold what is chosen. */
export function usePicks(kind: Kind, first: readonly Chosen[]) {
  const several = kind === 'loras'
  const left = new Map<string, Readonly<Chosen>>()
  const began = JSON.stringify(first)
  let last = 0
  const picks = shallowReactive<Pick[]>(first.map(made))

  /** What the files of some have turned out to hold; what a payload says of that may be old, or nothing. */
  const known = shallowReactive(new Map<number, Sha>())

  const hashes = computed(() => new Set(picks.map(hashOf)))
  const paths = computed(() => new Set(picks.map(({ chosen }) => chosen.path)))
  /** Whether it is otherwise than it was at first. */
  const changed = computed(() => JSON.stringify(picks.map(({ chosen }) => chosen)) !== began)

  function hashOf({ key, chosen }: Pick): Sha | null {
    return known.get(key) ?? chosen.sha256
  }

  /** What the node is to name. */
  function result(): Chosen[] {
    return picks.map((each) => ({ ...each.chosen, sha256: hashOf(each) }))
  }

  function made(wanted: Readonly<Chosen>): Pick {
    last += 1
    return { key: last, chosen: { ...wanted } }
  }

  function set(now: readonly Pick[]): void {
    picks.splice(0, picks.length, ...now)
  }

  function isSame(one: Pick, other: Pickable): boolean {
    return one.chosen.path === other.path || (other.sha256 !== null && hashOf(one) === other.sha256)
  }

  /** Pick something; where several are picked, leave it if it is. */
  function pick(wanted: Pickable): void {
    const { path } = wanted
    if (path === null) return
    if (!several) return set([kept(wanted) ?? made(fresh(wanted, path))])
    const stay = picks.filter((each) => !isSame(each, wanted))
    if (stay.length < picks.length) return leave(stay)
    const before = left.get(path) ?? (wanted.sha256 === null ? undefined : left.get(wanted.sha256))
    set([...picks, made(before ?? fresh(wanted, path))])
  }

  /** What is picked already stays as it is: it may name another place of the same content. */
  function kept(wanted: Pickable): Pick | undefined {
    return picks.find((each) => isSame(each, wanted))
  }

  function leave(stay: readonly Pick[]): void {
    for (const each of picks.filter((one) => !stay.includes(one))) {
      const hash = hashOf(each)
      left.set(each.chosen.path, each.chosen)
      if (hash !== null) left.set(hash, each.chosen)
    }
    set(stay)
  }

  function remove(key: number): void {
    leave(picks.filter((each) => each.key !== key))
  }

  function clear(): void {
    leave([])
  }

  /** Put one where another stands. */
  function move(key: number, to: number): void {
    const from = picks.findIndex((each) => each.key === key)
    const [moved] = picks.slice(from, from + 1)
    if (from < 0 || !moved) return
    const rest = picks.toSpliced(from, 1)
    const held = Math.max(0, Math.min(rest.length, to))
    if (held !== from) set(rest.toSpliced(held, 0, moved))
  }

  /** Take these in place of what is chosen, or behind it; what is there already is not taken twice. */
  function take(wanted: readonly Chosen[], how: 'instead' | 'behind'): void {
    if (how === 'instead') return set(wanted.map(made))
    const more = wanted.filter((each) => !picks.some((one) => isSame(one, each)))
    set([...picks, ...more.map(made)])
  }

  /** Have one lie elsewhere. */
  function accept(key: number, { path, sha256, by }: Candidate): void {
    known.delete(key)
    set(picks.map((each) =>
      each.key === key
        ? { ...each, chosen: { ...each.chosen, path, sha256: sha256 ?? (by === 'sha256' ? each.chosen.sha256 : null) } }
        : each,
    ))
  }

  /** Give what takes back whatever is done from now on. */
  function mark(): () => void {
    const before = [...picks]
    return () => set(before)
  }

  return {
    several,
    picks: picks as readonly Pick[],
    result,
    changed,
    know: (key: number, sha256: Sha) => known.set(key, sha256),
    hasModel: (sha256: Sha) => hashes.value.has(sha256),
    hasFile: (path: string) => paths.value.has(path),
    pick,
    remove,
    clear,
    move,
    take,
    accept,
    mark,
  }
}

function fresh({ name, sha256 }: Pickable, path: string): Chosen {
  return { path, name, sha256, strengthModel: 1, strengthClip: 1, enabled: true }
}

/** A file that is not imported, as something to pick. Its content may be known; what it is called counts. */
export function pickable(item: PendingCard): Pickable {
  return { name: item.name, path: item.path, sha256: null }
}
