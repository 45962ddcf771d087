import { describe, expect, it, vi } from 'vitest'

import { placeAt, useOrdering } from './ordering'

describe('the place that a pointer means', () => {
  it.each([
    [{ x: 10, y: 10 }, 0], [{ x: 599, y: 10 }, 5], [{ x: 250, y: 70 }, 8], [{ x: 599, y: 400 }, 9], [{ x: -20, y: -5 }, 0],
  ])('%j is %d of ten', (spot, place) => {
    expect(placeAt(spot, 600, 64, 10)).toBe(place)
  })
})

describe('dragging a tile', () => {
  function dragging() {
    const undo = vi.fn()
    const move = vi.fn()
    const tiles = document.createElement('ol')
    vi.spyOn(tiles, 'getBoundingClientRect').mockReturnValue(new DOMRect(0, 0, 600, 64))
    const ordering = useOrdering({ tiles: () => tiles, count: () => 6, rowHeight: 64, move, mark: () => undo })
    return { ordering, move, undo }
  }
  const at = (kind: string, clientX: number) => Object.assign(new Event(kind, { cancelable: true }), { clientX, clientY: 5 }) as DragEvent

  it('makes way for it, and leaves it where it is dropped', () => {
    const { ordering, move, undo } = dragging()

    ordering.begin(at('dragstart', 10), 3)
    ordering.over(at('dragover', 450))
    ordering.drop(at('drop', 450))
    ordering.end()

    expect(move).toHaveBeenCalledExactlyOnceWith(3, 4)
    expect(undo).not.toHaveBeenCalled()
  })

  it('puts it back where it is let go elsewhere', () => {
    const { ordering, undo } = dragging()

    ordering.begin(at('dragstart', 10), 3)
    ordering.over(at('dragover', 450))
    ordering.end()

    expect(undo).toHaveBeenCalledOnce()
    expect(ordering.dragged.value).toBeNull()
  })

  it('is for tiles alone: what else is dragged over them moves nothing', () => {
    const { ordering, move } = dragging()
    const over = at('dragover', 450)

    ordering.over(over)

    expect(move).not.toHaveBeenCalled()
    expect(over.defaultPrevented).toBe(false)
  })
})
