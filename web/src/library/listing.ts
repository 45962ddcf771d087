/**
 * What the grid and the list have in common: the cell the keys are at, what keys and clicks do, and which models are
 * chosen. Cells carry `data-at` (their number) and, on their parts, `data-do`; one listener on the whole serves them all.
 */

import { computed, nextTick, ref, watch } from 'vue'

import { api } from '../api'
import { show, view } from '../state/address'
import type { FoundCard } from '../shapes'
import { MOST_CHOSEN } from '../state/library'
import type { Library } from '../state/library'
import { picking } from '../state/picking'
import type { Picking } from '../state/picking'
import { anchor, choose, choosing, reach, selection, startFrom, toggle } from '../state/selection'
import { attempt, say } from '../state/toasts'
import { words } from '../words'
import { movedTo } from './moving'

export interface Rows {
  reveal: (cell: number, how?: 'near' | 'top') => void
  port: HTMLElement | null
  height: number
}

export function useListing(library: Library, rows: () => Rows | null, shape: () => { columns: number; rowHeight: number }) {
  const at = ref(0)
  const count = computed(() => library.total.value ?? 0)
  /** The cell that Tab leads to. */
  const current = computed(() => Math.min(at.value, Math.max(0, count.value - 1)))

  watch(library.answered, () => (at.value = 0))

  function cellOf(event: Event): number | null {
    const cell = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-at]') : null
    return cell ? Number(cell.dataset['at']) : null
  }

  /** Go to a cell: it comes into sight and has the focus. */
  async function focus(cell: number): Promise<void> {
    at.value = cell
    rows()?.reveal(cell)
    await nextTick()
    element(cell)?.focus({ preventScroll: true })
  }

  function element(cell: number): HTMLElement | null {
    return rows()?.port?.querySelector<HTMLElement>(`[data-at="${cell}"]`) ?? null
  }

  /** The cell with the focus is about to leave the page: keep the keys here. */
  function hold(from: number, until: number): void {
    const port = rows()?.port
    const focused = document.activeElement
    if (!port || !(focused instanceof HTMLElement) || !port.contains(focused)) return
    const cell = focused.closest<HTMLElement>('[data-at]')
    if (cell && (Number(cell.dataset['at']) < from || Number(cell.dataset['at']) >= until)) port.focus({ preventScroll: true })
  }

  function open(cell: number): void {
    const card = library.row(cell)
    if (card) show({ model: card.sha256 }, view.model ? 'replace' : 'push')
  }

  function tick(cell: number): void {
    const card = library.row(cell)
    if (card && picking.value) pick(card, picking.value)
    else if (card) toggle(card.sha256, cell)
  }

  function pick(card: FoundCard, picks: Picking): boolean {
    const why = picks.obstacle(card)
    if (why !== null) say(why, 'failed')
    else picks.pick(card)
    return why === null
  }

  /** Pick one model, and have done: a second press on what one press picks. */
  function pickLast(cell: number): void {
    const card = library.row(cell)
    if (card && picking.value && !picking.value.several && pick(card, picking.value)) picking.value.finish()
  }

  async function extend(to: number): Promise<void> {
    if (anchor.value === null) startFrom(current.value)
    const from = anchor.value ?? to
    const [first, last] = from < to ? [from, to] : [to, from]
    if (last - first >= MOST_CHOSEN) say(words.library.mostChosen(MOST_CHOSEN), 'failed')
    await attempt(async () => reach(await library.hashes(first, Math.min(last + 1, first + MOST_CHOSEN))))
  }

  const gathering = ref<number | null>(null)

  async function chooseAll(): Promise<void> {
    if (gathering.value !== null || !count.value) return
    const until = Math.min(count.value, MOST_CHOSEN)
    gathering.value = 0
    await attempt(async () => {
      choose(await library.hashes(0, until, (done) => (gathering.value = done)))
      say(count.value > until ? words.library.choseMost(until, count.value) : words.library.chose(selection.size))
    })
    gathering.value = null
  }

  async function favour(cell: number): Promise<void> {
    const card = library.row(cell)
    if (!card) return
    const favorite = !card.favorite
    library.foresee(cell, { favorite })
    if (!(await attempt(() => api.edit(card.sha256, { favorite })))) library.foresee(cell, { favorite: !favorite })
  }

  function onClick(event: MouseEvent): void {
    const cell = cellOf(event)
    if (cell === null) return
    const part = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-do]')?.dataset['do'] : undefined
    at.value = cell
    if (part === 'favour') void favour(cell)
    else if (part === 'details') open(cell)
    else if (picking.value) tick(cell)
    else if (event.shiftKey) void extend(cell)
    else if (part === 'choose' || event.ctrlKey || event.metaKey || choosing.value) tick(cell)
    else {
      startFrom(cell)
      open(cell)
    }
  }

  function onDblclick(event: MouseEvent): void {
    const cell = cellOf(event)
    if (cell !== null && !(event.target instanceof Element && event.target.closest('[data-do]'))) pickLast(cell)
  }

  function onFocusin(event: FocusEvent): void {
    at.value = cellOf(event) ?? at.value
  }

  function onKeydown(event: KeyboardEvent): void {
    if (event.altKey || event.target instanceof HTMLInputElement) return
    const cell = current.value
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'a') {
      if (!picking.value) void chooseAll()
    } else if (!act(event.key, event, cell) && !move(event, cell)) return
    event.preventDefault()
  }

  function act(key: string, event: KeyboardEvent, cell: number): boolean {
    if (event.ctrlKey || event.metaKey) return false
    if (picking.value) return actPicking(key, cell, picking.value.several)
    if (key === 'Enter') open(cell)
    else if (key === ' ') {
      if (event.shiftKey) void extend(cell)
      else tick(cell)
    } else if (key === 'f') void favour(cell)
    else return false
    return true
  }

  function actPicking(key: string, cell: number, several: boolean): boolean {
    if (key === 'Enter' && !several) pickLast(cell)
    else if (key === 'Enter' || key === ' ') tick(cell)
    else if (key === 'i') open(cell)
    else if (key === 'f') void favour(cell)
    else return false
    return true
  }

  function move(event: KeyboardEvent, cell: number): boolean {
    const { columns, rowHeight } = shape()
    const whole = Math.floor((rows()?.height ?? 0) / rowHeight)
    const to = movedTo(event.key, cell, { count: count.value, columns, rows: whole })
    if (to === null) return false
    void focus(to)
    if (picking.value) return true
    if (event.shiftKey && to !== cell) {
      if (anchor.value === null) startFrom(cell)
      void extend(to)
    } else if (!event.shiftKey && !choosing.value) anchor.value = null
    return true
  }

  /** Have the focus where it was in the list. */
  function refocus(): void {
    (element(current.value) ?? rows()?.port)?.focus({ preventScroll: true })
  }

  return { current, count, refocus, hold, onClick, onDblclick, onFocusin, onKeydown, chooseAll, gathering, cellOf }
}
