import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, nextTick, ref } from 'vue'

import type { FoundCard } from '../shapes'
import { emptyView, show, view } from '../state/address'
import type { Library } from '../state/library'
import { pickFor } from '../state/picking'
import { clear, selection } from '../state/selection'
import { useListing } from './listing'

const COUNT = 1_000
const sha = (at: number) => at.toString(16).padStart(64, '0')

/** A list of a thousand, five in a row, of which a screen shows four rows. */
function house() {
  const port = document.createElement('div')
  for (let at = 0; at < 20; at += 1) {
    const cell = document.createElement('div')
    cell.dataset['at'] = String(at)
    cell.tabIndex = -1
    cell.innerHTML = '<span data-do="choose"></span><span data-do="details"></span>'
    port.append(cell)
  }
  document.body.replaceChildren(port)
  const revealed: number[] = []
  const asked: [number, number][] = []
  const library = {
    answered: ref(0),
    total: ref<number | null>(COUNT),
    row: (at: number) => ({ sha256: sha(at), name: `model ${at}` }) as FoundCard,
    hashes: (from: number, until: number) => {
      asked.push([from, until])
      return Promise.resolve(Array.from({ length: until - from }, (_, at) => sha(from + at)))
    },
  } as unknown as Library
  const rows = { reveal: (cell: number) => void revealed.push(cell), port, height: 400 }
  const listing = effectScope().run(() => useListing(library, () => rows, () => ({ columns: 5, rowHeight: 100 })))
  if (!listing) throw new Error('no scope')
  port.addEventListener('keydown', listing.onKeydown)
  port.addEventListener('click', listing.onClick)
  port.addEventListener('dblclick', listing.onDblclick)
  const cell = (at: number) => port.querySelector<HTMLElement>(`[data-at="${at}"]`)
  return {
    listing,
    revealed,
    asked,
    press: async (key: string, how: KeyboardEventInit = {}) => {
      port.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...how }))
      await nextTick()
      await nextTick()
    },
    click: async (at: number, how: MouseEventInit = {}, part = '', kind = 'click') => {
      const target = part ? cell(at)?.querySelector(`[data-do="${part}"]`) : cell(at)
      target?.dispatchEvent(new MouseEvent(kind, { bubbles: true, ...how }))
      await nextTick()
      await nextTick()
    },
  }
}

const chosen = () => [...selection].map((sha256) => Number.parseInt(sha256, 16)).sort((one, other) => one - other)

describe('the keys and clicks of a list', () => {
  beforeEach(() => {
    clear()
    show(emptyView(), 'replace')
  })

  it('lead from cell to cell, and bring rows that are not there into sight', async () => {
    const { press, listing, revealed } = house()

    await press('ArrowDown')
    expect(document.activeElement).toHaveProperty('dataset.at', '5')
    await press('PageDown')
    await press('End')

    expect(revealed).toEqual([5, 25, 999])
    expect(listing.current.value).toBe(999)
  })

  it('open the details of one', async () => {
    const { press, click } = house()

    await press('Enter')
    expect(view.model).toBe(sha(0))
    await click(7)

    expect(view.model).toBe(sha(7))
    expect(chosen()).toEqual([])
  })

  it('choose with Space, Ctrl and the tick box, and then with a plain click', async () => {
    const { press, click } = house()

    await press(' ')
    await click(3, { ctrlKey: true })
    await click(4, {}, 'choose')
    await click(5)
    await click(3)

    expect(chosen()).toEqual([0, 4, 5])
    expect(view.model).toBe(null)
  })

  it('choose a range with Shift, also over rows that were not fetched, and take it back', async () => {
    const { press, click, asked } = house()

    await click(2, { ctrlKey: true })
    await press('End', { shiftKey: true })
    expect(asked.at(-1)).toEqual([2, 1_000])
    expect(selection.size).toBe(998)

    await click(6, { shiftKey: true })
    expect(chosen()).toEqual([2, 3, 4, 5, 6])
  })

  it('choose all that is found', async () => {
    const { press } = house()

    await press('a', { ctrlKey: true })

    expect(selection.size).toBe(COUNT)
  })
})

describe('a list that is picked from', () => {
  const pick = vi.fn()
  const finish = vi.fn()
  const pickSeveral = (several: boolean, why: string | null = null) =>
    pickFor({ several, isPicked: () => false, obstacle: () => why, pick: (card) => pick(card.name), finish })

  beforeEach(() => {
    pick.mockClear()
    finish.mockClear()
    show(emptyView())
    clear()
  })
  afterEach(() => pickFor(null))

  it('gives what is pressed, however it is pressed, and neither opens nor selects it', async () => {
    pickSeveral(true)
    const { click, press } = house()

    await click(3)
    await click(4, {}, 'choose')
    await click(5, { shiftKey: true })
    await press('ArrowRight')
    await press('Enter')
    await press(' ')
    await press('a', { ctrlKey: true })

    expect(pick.mock.calls.flat()).toEqual(['model 3', 'model 4', 'model 5', 'model 6', 'model 6'])
    expect(view.model).toBeNull()
    expect(chosen()).toEqual([])
    expect(finish).not.toHaveBeenCalled()
  })

  it('opens the details where that is asked for', async () => {
    pickSeveral(true)
    const { click, press } = house()

    await click(3, {}, 'details')
    expect(view.model).toBe(sha(3))
    await press('ArrowRight')
    await press('i')

    expect(view.model).toBe(sha(4))
    expect(pick).not.toHaveBeenCalled()
  })

  it('ends with one that is pressed twice, or by Enter, where one is picked', async () => {
    pickSeveral(false)
    const { click, press } = house()

    await click(3, {}, '', 'dblclick')
    await press('Enter')

    expect(pick.mock.calls.flat()).toEqual(['model 3', 'model 0'])
    expect(finish).toHaveBeenCalledTimes(2)
  })

  it('does not give what cannot be picked', async () => {
    pickSeveral(false, 'Its disk is away.')
    const { click, press } = house()

    await click(3)
    await press('Enter')

    expect(pick).not.toHaveBeenCalled()
    expect(finish).not.toHaveBeenCalled()
  })
})
