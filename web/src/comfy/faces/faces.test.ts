import { mount } from '@vue/test-utils'
import { describe, expect, it, vi } from 'vitest'

import { daemonOf, modelAt, testHost } from '../fixtures'
import { knownFiles } from '../known'
import { chosenAt, read, write } from '../payload'
import type { Chosen, Kind } from '../payload'
import { sharedText } from '../text'
import { heightOf } from './heights'
import NodeFace from './NodeFace.vue'
import { moved } from './reorder'
import { parse, shown, stepped } from './strength'

const INK = modelAt('aa', 'Ink wash', ['/l/ink', 'present'])
const three = (): Chosen[] => ['ink', 'line', 'glow'].map((name) => chosenAt(`/l/${name}`, name))

/** Mount a face on a text; gives it with what it wrote. */
async function faceOf(kind: Kind, text: string) {
  const shared = sharedText(text)
  const heights: number[] = []
  const stage = { kind, host: testHost().host, text: shared, write: shared.set, fit: (height: number) => heights.push(height) }
  const files = knownFiles(daemonOf([INK]))
  const face = mount(NodeFace, { props: { stage, files, preferences: { pictures: true, step: 0.05 } }, attachTo: document.body })
  await vi.waitFor(() => {
    const { chosen, problem } = read(kind, text)
    if (problem === null) expect(chosen.map((one) => files.of(one).standing)).not.toContain('coming')
  })
  return { face, heights, files, chosen: () => read(kind, shared.get()).chosen }
}

describe('the face of a LoRA loader', () => {
  it('shows the list in its order, by the names that the library has', async () => {
    const { face } = await faceOf('loras', write('loras', three()))

    expect(face.findAll('.hk-name').map((name) => name.text())).toEqual(['Ink wash', 'line', 'glow'])
    expect(face.get('.hk-sum').text()).toBe('3 LoRAs')
  })

  it('writes what is switched, moved and removed', async () => {
    const { face, chosen } = await faceOf('loras', write('loras', three()))
    await face.findAll('[role=switch]')[1]?.trigger('click')
    expect(chosen().map((one) => one.enabled)).toEqual([true, false, true])
    expect(face.get('.hk-sum').text()).toBe('2 of 3 LoRAs on')
    await face.findAll('.hk-grip')[0]?.trigger('keydown', { key: 'ArrowDown' })
    expect(chosen().map((one) => one.name)).toEqual(['line', 'ink', 'glow'])
    await face.findAll('.hk-remove')[2]?.trigger('click')
    expect(chosen().map((one) => one.name)).toEqual(['line', 'ink'])
    await face.findAll('.hk-head button')[1]?.trigger('click')
    expect(chosen().map((one) => one.enabled)).toEqual([false, false])
    await face.findAll('.hk-head button')[0]?.trigger('click')
    expect(chosen().map((one) => one.enabled)).toEqual([true, true])
  })

  it('writes strengths that are typed or stepped, and nothing that is no number', async () => {
    const { face, chosen } = await faceOf('loras', write('loras', three().slice(0, 1)))
    const [model, clip] = face.findAll<HTMLInputElement>('input')
    await model?.setValue('0,8')
    await model?.trigger('keydown', { key: 'Enter' })
    await clip?.trigger('keydown', { key: 'ArrowDown' })
    expect(chosen()[0]).toMatchObject({ strengthModel: 0.8, strengthClip: 0.95 })
    if (model) model.element.value = 'much'
    await model?.trigger('input')
    await model?.trigger('blur')
    expect(chosen()[0]?.strengthModel).toBe(0.8)
    expect(model?.element.value).toBe('0.80')
  })

  it('asks for as much height as its rows take, up to eight', async () => {
    const { face, heights } = await faceOf('loras', write('loras', three()))
    await face.findAll('.hk-remove')[0]?.trigger('click')
    const [before = 0, after = 0] = heights
    expect(before - after).toBe(46)
    const many = Array.from({ length: 30 }, (_, at) => chosenAt(`/l/${at}`))
    expect(heightOf('loras', { chosen: many, problem: null })).toBe(heightOf('loras', { chosen: many.slice(0, 8), problem: null }))
  })
})

describe('the face of a checkpoint loader', () => {
  it('is one button with name and state, that opens the choice', async () => {
    const { face } = await faceOf('checkpoint', '{"ckpt_path": "/l/ink"}')
    const button = face.get('button')
    await button.trigger('click')

    expect(button.attributes('aria-label')).toBe('Ink wash: choose another checkpoint')
    expect(button.text()).toContain('In your library')
    expect(face.emitted('choose')).toHaveLength(1)
  })

  it('asks for a choice where there is none', async () => {
    const { face } = await faceOf('checkpoint', '')

    expect(face.get('button').attributes('aria-label')).toBe('Choose a checkpoint')
  })
})

it('a text that cannot be read is told of, and kept', async () => {
  const { face, chosen } = await faceOf('loras', '[{"path": "/l/ink"}, {"path": 7}]')

  expect(face.get('[role=alert]').text()).toContain('LoRA 2: "path" must be text.')
  expect(chosen()).toHaveLength(1)
})

it.each([
  [1, '1.00'], [0.125, '0.125'], [-0.5, '-0.50'], [0.30000000000000004, '0.30'],
])('the strength %s is written %s', (value, text) => {
  expect(shown(value)).toBe(text)
})

it.each([
  ['0,8', 0.8], [' -.5 ', -0.5], ['250', 100], ['', null], ['1e3', null], ['−1', -1],
])('%s is the strength %s', (text, value) => {
  expect(parse(text)).toBe(value)
})

it('strengths are stepped without dust, and an element is moved without loss', () => {
  expect(stepped(0.1, 2, 0.1)).toBe(0.3)
  expect([moved('abc'.split(''), 0, 2), moved('abc'.split(''), 2, 0)]).toEqual(['bca'.split(''), 'cab'.split('')])
})
