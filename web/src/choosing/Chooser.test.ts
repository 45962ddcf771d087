import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { TooltipProvider } from 'reka-ui'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { h } from 'vue'

import { modelWhole } from '../details/fixtures'
import type { Resolved, Status } from '../shapes'
import { show } from '../state/address'
import * as live from '../state/live'
import { picking } from '../state/picking'
import { begin } from '../state/status'
import { toasts } from '../state/toasts'
import { words } from '../words'
import Chooser from './Chooser.vue'
import { card, chosen, SHAS, waiting } from './fixtures'
import type { Chosen, Kind } from './order'

enableAutoUnmount(afterEach)

const said = words.choosing
const HERE: Resolved = { here: true, found_by: 'path', path: null, candidates: [] }
const STATUS: Status = {
  version: '1', position: 1, counts: { models: 2, pending: 1 }, work: [], imports: {}, waiting: [], warnings: [],
  roots: [{ id: 1, path: '/models/loras', kind: 'model', type: 'loras', state: 'online', why: null, watched: 'events', polled_every_s: null }],
}

/** What the daemon answers, by its paths; and what it was asked. */
let answers: Record<string, (query: URLSearchParams) => unknown>
let asked: { path: string; query: URLSearchParams }[]
const lastOf = (path: string) => Object.fromEntries(asked.findLast((each) => each.path === path)?.query ?? [])
const found = (resolved: Resolved) => (answers['/api/resolve'] = () => resolved)

beforeEach(async () => {
  document.body.innerHTML = ''
  asked = []
  answers = {
    '/api/status': () => STATUS,
    '/api/models/get_types': () => ({ items: [{ type: 'loras', models: 2, pending: 1 }], next: null }),
    '/api/models': (query) => query.has('path')
      ? { model: modelWhole({ sha256: /moss/i.test(query.get('path') ?? '') ? SHAS.moss : SHAS.ink, images: [] }), pending: null }
      : { items: [], next: null, total: 0, facets: { tags: [], types: [] } },
    '/api/migration/pending_models': () => ({ items: [], next: null, total: 0 }),
    '/api/resolve': () => HERE,
  }
  vi.stubGlobal('fetch', (address: string) => {
    const { pathname: path, searchParams: query } = new URL(address, 'http://daemon')
    asked.push({ path, query })
    return Promise.resolve(Response.json(answers[path]?.(query) ?? {}))
  })
  vi.spyOn(live, 'open').mockReturnValue(undefined)
  show({ mode: 'library', type: 'loras', q: '', model: null })
  await begin()
})

async function chooser(kind: Kind, first: Chosen[]) {
  const order = { what: kind, type: 'loras', chosen: first, base: '/hikaze', look: {} } as const
  const finished: unknown[] = []
  const part = { ref: 'chooser', order, kind, mayWrite: true, onFinish: (result: unknown) => finished.push(result) }
  const wrapper = mount(() => h(TooltipProvider, () => h(Chooser, part)), {
    attachTo: document.body,
    global: { stubs: { ModelGrid: true, ModelList: true, VirtualRows: true } },
  })
  await flushPromises()
  const leave = async () => {
    (wrapper.getComponent(Chooser).vm as unknown as { leave: () => void }).leave()
    await flushPromises()
  }
  const button = (text: string) => wrapper.findAll('button').find((each) => each.text() === text || each.attributes('aria-label') === text)
  return { wrapper, finished, leave, button, tiles: () => wrapper.findAll('.tile .name').map((each) => each.text()) }
}

describe('choosing LoRAs for a node', () => {
  it('hides the types, and asks for those of the node’s type alone', async () => {
    const { wrapper } = await chooser('loras', [])

    expect(wrapper.find('[role="tablist"]').exists()).toBe(false)
    expect(lastOf('/api/models')).toMatchObject({ type: 'loras' })
    expect(lastOf('/api/migration/pending_models')).toMatchObject({ type: 'loras', in_place: '1' })
  })

  it('shows what is chosen in its order with its strengths, and gives it back as it was with what is added', async () => {
    const ink = chosen('Ink', { sha256: SHAS.ink, strengthModel: 0.6, strengthClip: 0.4 })
    const { wrapper, finished, tiles, button } = await chooser('loras', [ink])

    picking.value?.pick(card('Moss', SHAS.moss))
    await flushPromises()
    expect(tiles()).toEqual(['Ink', 'Moss'])
    expect(wrapper.get('.strength').text()).toBe(said.strength('0.6', '0.4'))
    await button(said.use.loras(2))?.trigger('click')

    expect(finished).toEqual([{ chosen: [ink, chosen('Moss', { sha256: SHAS.moss })] }])
  })

  it('changes the order by the keys, says so, and removes', async () => {
    const { wrapper, tiles } = await chooser('loras', ['a', 'b', 'c'].map((name) => chosen(name)))
    const tile = (at: number) => wrapper.findAll('.tile')[at]

    await tile(0)?.trigger('keydown', { key: 'ArrowRight', altKey: true })
    expect(tiles()).toEqual(['b', 'a', 'c'])
    expect(wrapper.text()).toContain(said.moved('a', 2, 3))
    await tile(2)?.trigger('keydown', { key: 'Delete' })

    expect(tiles()).toEqual(['b', 'a'])
  })

  it('clears, and takes that back', async () => {
    const { tiles, button } = await chooser('loras', [chosen('a'), chosen('b')])

    await button(said.clear)?.trigger('click')
    expect(tiles()).toEqual([])
    toasts.at(-1)?.action?.run()
    await flushPromises()

    expect(tiles()).toEqual(['a', 'b'])
  })

  it('asks before it throws away what was put together, and goes at once where nothing was', async () => {
    const { finished, leave, button } = await chooser('loras', [])
    picking.value?.pick(card('Moss', SHAS.moss))

    await leave()
    expect(finished).toEqual([])
    expect(button(said.goOn)).toBeDefined()
    await leave()
    expect(finished).toEqual([null])

    const untouched = await chooser('loras', [chosen('a')])
    await untouched.leave()
    expect(untouched.finished).toEqual([null])
  })

  it.each([
    [{ state: 'offline' as const }, said.obstacles.offline],
    [{ state: 'missing' as const, path: null }, said.obstacles.missing],
    [{ name_valid: false }, said.obstacles.name],
    [{}, null],
  ])('tells why a model that is %j cannot be chosen: %s', async (change, why) => {
    await chooser('loras', [])

    expect(picking.value?.obstacle(card('Moss', SHAS.moss, change))).toBe(why)
  })

  it('leads to what is not imported where the library has nothing of the type', async () => {
    answers['/api/models/get_types'] = () => ({ items: [{ type: 'loras', models: 0, pending: 4 }], next: null })
    answers['/api/migration/pending_models'] = () => ({ items: [waiting(7, 'fresh')], next: null, total: 1 })
    await begin()

    const { wrapper } = await chooser('loras', [])

    expect(wrapper.get('[aria-current="page"]').text()).toContain(said.pending)
  })
})

describe('a file that is not where the node says', () => {
  const GONE: Resolved = {
    here: false, found_by: 'sha256', path: '/models/loras/new/ink.safetensors',
    candidates: [{ path: '/models/loras/new/ink.safetensors', name: 'ink', type: 'loras', sha256: SHAS.ink, pending: null, size_bytes: 1, by: 'sha256' }],
  }

  it('is offered where it lies now, and taken when one says so', async () => {
    found(GONE)
    const ink = chosen('Ink', { sha256: SHAS.ink, strengthModel: 0.6 })
    const { wrapper, finished, button } = await chooser('loras', [ink])
    expect(wrapper.text()).toContain(said.gone('Ink'))

    found(HERE)
    await button(said.takePathOf('Ink', '/models/loras/new/ink.safetensors'))?.trigger('click')
    await flushPromises()
    expect(wrapper.find('.offers').exists()).toBe(false)
    await button(said.use.loras(1))?.trigger('click')

    expect(finished).toEqual([{ chosen: [{ ...ink, path: '/models/loras/new/ink.safetensors' }] }])
  })

  it('is not called gone where nobody looks, and nothing is changed by itself', async () => {
    found({ ...GONE, candidates: [] })
    const far = chosen('Ink', { path: '/elsewhere/ink.safetensors' })
    const { wrapper, finished, button } = await chooser('loras', [far])

    expect(wrapper.text()).toContain(said.unseen('Ink'))
    await button(said.use.loras(1))?.trigger('click')

    expect(finished).toEqual([{ chosen: [far] }])
  })

  it('is none where a relative path means a file of the type', async () => {
    found({
      ...GONE, candidates: [{ path: '/models/loras/style/ink.safetensors', name: 'ink', type: 'loras', sha256: SHAS.ink, pending: null, size_bytes: 1, by: 'name' }],
    })

    const { wrapper } = await chooser('loras', [chosen('Ink', { path: 'style/ink.safetensors' })])

    expect(lastOf('/api/resolve')).toEqual({ name: 'ink' })
    expect(wrapper.find('.offers').exists()).toBe(false)
    expect(picking.value?.isPicked(SHAS.ink)).toBe(true)
  })
})

describe('choosing a checkpoint for a node', () => {
  it('has no bar, takes one in place of another, and ends with it', async () => {
    const { wrapper, finished } = await chooser('checkpoint', [chosen('Ink')])
    expect(wrapper.find('.tile').exists()).toBe(false)

    picking.value?.pick(card('Moss', SHAS.moss))
    picking.value?.finish()

    expect(finished).toEqual([{ chosen: [chosen('Moss', { sha256: SHAS.moss })] }])
  })

  it('takes nothing over where nothing is chosen', async () => {
    const { finished, button } = await chooser('checkpoint', [])

    expect(button(said.use.checkpoint)?.attributes('disabled')).toBeDefined()
    document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true }))

    expect(finished).toEqual([])
  })
})
