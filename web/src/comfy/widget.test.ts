import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { TestNode, testHost } from './fixtures'
import { widgetMaker } from './widget'
import type { Stage } from './widget'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  vi.useRealTimers()
  document.body.replaceChildren()
})

/** Make a widget on a node; its face is a word that says whether it is there. */
function made(more = {}) {
  const { host, ...noted } = testHost(more)
  const mounted: Stage[] = []
  const maker = widgetMaker(host, () => Promise.resolve((element: HTMLElement, stage: Stage) => {
    mounted.push(stage)
    element.textContent = 'face'
    return () => (element.textContent = '')
  }))
  const make = (node: TestNode) => maker(node, 'hikaze_payload', 'loras', '[]')
  return { make, mounted, ...noted }
}

describe('the widget of a node', () => {
  it('has the node’s text as its value, and one change is one step of undo', () => {
    const node = new TestNode()
    const { make, steps } = made()
    const { stage, widget } = make(node)
    const heard: string[] = []
    stage.text.on((text) => heard.push(text))

    expect(widget.value).toBe('[]')
    widget.value = '[1]'
    stage.write('[2]')
    expect([heard, widget.value, steps]).toEqual([['[1]', '[2]'], '[2]', [0]])
  })

  it('takes no width that ComfyUI’s panel writes to it', () => {
    const node = new TestNode()
    made().make(node)
    node.widget.width = 217

    expect(node.widget.width).toBeUndefined()
  })

  it('makes its node as high as its face has to be, and smaller again where nobody had made it larger', () => {
    const node = new TestNode()
    const { stage } = made().make(node)
    stage.fit(400)
    expect(node.size).toEqual([300, 520])
    stage.fit(200)
    expect(node.size).toEqual([300, 320])
    node.size = [300, 700]
    stage.fit(300)
    stage.fit(100)
    expect(node.size).toEqual([300, 700])
  })

  it('mounts its face once, takes it out when the node leaves, and puts it back when it returns', async () => {
    const node = new TestNode()
    const { make, mounted } = made()
    make(node)
    node.onAdded?.(null)
    await vi.runAllTimersAsync()
    expect([mounted.length, node.widget.element.textContent]).toEqual([1, 'face'])
    node.onRemoved?.()
    await vi.runAllTimersAsync()
    expect(node.widget.element.textContent).toBe('')
    node.onAdded?.(null)
    await vi.runAllTimersAsync()
    expect([mounted.length, node.widget.element.textContent]).toEqual([2, 'face'])
  })

  it('takes the place that a front end keeps for the node of its id that undo took away, also twice in a moment', async () => {
    const { make } = made()
    const [before, passing, after] = [new TestNode(), new TestNode(), new TestNode()]
    make(before)
    document.body.append(before.widget.element)
    before.onRemoved?.()
    make(passing)
    passing.onRemoved?.()
    make(after)
    after.onAdded?.(null)
    await vi.advanceTimersByTimeAsync(100)

    expect(document.body.children).toHaveLength(1)
    expect(document.body.firstChild).toBe(after.widget.element)
  })
})

describe('what is done to a face', () => {
  it.each([
    ['a letter', { key: 'r' }, false],
    ['Delete', { key: 'Delete' }, false],
    ['Ctrl+Z', { key: 'z', ctrlKey: true }, true],
    ['Ctrl+Enter', { key: 'Enter', ctrlKey: true }, true],
  ])('by %s on a button goes on to ComfyUI only where it is a shortcut', (_, key, goesOn) => {
    expect(reaches('button', new KeyboardEvent('keydown', { ...key, bubbles: true }))).toBe(goesOn)
  })

  it.each([
    ['Ctrl+Z', { key: 'z', ctrlKey: true }, false],
    ['Ctrl+C', { key: 'c', ctrlKey: true }, false],
    ['Ctrl+Enter', { key: 'Enter', ctrlKey: true }, true],
  ])('by %s in a field stays there, but for queueing', (_, key, goesOn) => {
    expect(reaches('input', new KeyboardEvent('keydown', { ...key, bubbles: true }))).toBe(goesOn)
  })

  it.each(['pointerdown', 'wheel', 'paste'])('a %s in a field does not reach the canvas', (kind) => {
    const event = { pointerdown: new PointerEvent(kind, { bubbles: true }), wheel: new WheelEvent(kind, { bubbles: true }) }[kind]

    expect(reaches('input', event ?? new Event(kind, { bubbles: true }))).toBe(false)
  })

  it('by the wheel or the middle button, with nothing of ours to scroll, is handed on to the canvas', () => {
    const node = new TestNode()
    const { make, passed } = made()
    make(node)
    node.widget.element.dispatchEvent(new WheelEvent('wheel', { deltaY: 100 }))
    node.widget.element.dispatchEvent(new PointerEvent('pointerdown', { button: 1 }))
    node.widget.element.dispatchEvent(new PointerEvent('pointerdown', { button: 0 }))

    expect(passed.map((event) => event.type)).toEqual(['wheel', 'pointerdown'])
  })
})

/** Whether an event on an element within a face reaches the page around it. */
function reaches(tag: string, event: Event): boolean {
  const node = new TestNode()
  made().make(node)
  const inner = document.createElement(tag)
  node.widget.element.append(inner)
  document.body.append(node.widget.element)
  const heard = vi.fn()
  document.body.addEventListener(event.type, heard, { once: true })
  inner.dispatchEvent(event)
  document.body.removeEventListener(event.type, heard)
  return heard.mock.calls.length > 0
}
