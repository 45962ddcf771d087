import { flushPromises, mount } from '@vue/test-utils'
import axe from 'axe-core'
import { TooltipProvider } from 'reka-ui'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { defineComponent, h } from 'vue'

import type { ModelWhole } from '../shapes'
import { choose, clear } from '../state/selection'
import ChosenPane from './ChosenPane.vue'
import DetailsPane from './DetailsPane.vue'
import { modelWhole, SHA } from './fixtures'

let whole: ModelWhole
let asked: { method: string; path: string; body: unknown }[]

/** A daemon that knows one model, and takes every edit of it. */
async function daemon(address: string, init: RequestInit = {}): Promise<Response> {
  const { method = 'GET' } = init
  const body: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : null
  const { pathname } = new URL(address, 'http://hikaze.test')
  asked.push({ method, path: pathname, body })
  await Promise.resolve()
  if (pathname === `/api/models/${SHA}` && method === 'PATCH') {
    whole = { ...whole, ...(body as object), version: whole.version + 1 }
    return answer(whole)
  }
  if (pathname === `/api/models/${SHA}`) return answer(whole)
  if (pathname === '/api/models' && method === 'PATCH') return answer({ changed: 1, unchanged: 1, unknown: [], position: 9 })
  if (pathname === '/api/models') {
    return answer({ items: [whole], next: null, total: 1, facets: { tags: [{ name: 'style', count: 2 }, { name: 'sdxl', count: 1 }], types: [] } })
  }
  if (pathname === '/api/tags') return answer({ items: [], next: null })
  if (pathname === '/api/images/delete') {
    whole = { ...whole, images: whole.images.slice(1), version: whole.version + 1 }
    return answer({ position: 3 })
  }
  if (pathname.endsWith('/info')) {
    return answer({
      image: `${SHA}_0`, format: 'PNG', width: 832, height: 1216, source: 'a1111', prompts: { positive: 'a valley', negative: '' },
      seed_text: '7', sampler: 'Euler', scheduler: null, steps: 20, cfg: 7, size: [832, 1216], denoise: null, clip_skip: null,
      model: null, texts: {}, problem: null,
      references: [{ kind: 'loras', name: 'other', hash: null, weight: 0.8, sha256: 'cd'.repeat(32), model_name: 'Other', linked_by: 'name', candidates: 1 }],
    })
  }
  return answer({ detail: 'there is nothing here' }, 404)
}

function answer(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status })
}

async function pane(sha256 = SHA) {
  const closed = vi.fn()
  const made = mount(defineComponent(() => () => h(TooltipProvider, () => h(DetailsPane, { sha256, onClose: closed }))), { attachTo: document.body })
  await flushPromises()
  return { made, closed }
}

const edits = () => asked.filter(({ method }) => method === 'PATCH').map(({ body }) => body)

beforeEach(() => {
  whole = modelWhole()
  asked = []
  sessionStorage.clear()
  vi.stubGlobal('fetch', daemon)
})

afterEach(async () => {
  await flushPromises()
  clear()
  document.body.replaceChildren()
})

describe('the details of a model', () => {
  it('show all of it, and axe finds nothing', async () => {
    const { made } = await pane()

    const text = made.text()
    for (const each of ['Present', 'ink wash', 'SDXL', 'LoRA', '/models/ink.safetensors', 'Ink', 'from the file', '144 MB']) {
      expect(text).toContain(each)
    }
    expect(made.get<HTMLTextAreaElement>('textarea[aria-label="Name"]').element.value).toBe('Ink Wash')
    expect(made.get('.markdown strong').text()).toBe('ink')
    expect(made.findAll('.links a').map((link) => link.attributes('href'))).toEqual(['https://example.org/1'])
    const found = await axe.run(made.element, { rules: { 'color-contrast': { enabled: false }, region: { enabled: false } } })
    expect(found.violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([])
    made.unmount()
  })

  it('make no link of a path', async () => {
    const { made } = await pane()

    expect(made.get('.files').findAll('a')).toEqual([])
    expect(made.find('[aria-label="Copy the path"]').exists()).toBe(true)
    made.unmount()
  })

  it('save the favourite at a click, and the name when it is left', async () => {
    const { made } = await pane()
    await made.get('[aria-label="Favourite"]').trigger('click')
    await flushPromises()
    const name = made.get('textarea[aria-label="Name"]')
    await name.trigger('focus')
    await name.setValue('Oil')
    await name.trigger('blur')
    await flushPromises()

    expect(edits()).toEqual([{ favorite: true }, { name: 'Oil' }])
    expect(made.text()).toContain('Saved')
    made.unmount()
  })

  it('ask before a picture is deleted, and keep it with Escape', async () => {
    const { made } = await pane()
    await made.get('[aria-label="Delete"]').trigger('click')
    await made.get('.sure').trigger('keydown', { key: 'Escape' })
    expect(asked.some(({ method }) => method === 'DELETE')).toBe(false)

    await made.get('[aria-label="Delete"]').trigger('click')
    await made.get('.sure .danger').trigger('click')
    await flushPromises()

    expect(asked.filter(({ method }) => method === 'DELETE')).toHaveLength(1)
    made.unmount()
  })

  it('walk the pictures with the arrows, and set one as the cover', async () => {
    const { made } = await pane()
    await made.get('.thumbs').trigger('keydown', { key: 'ArrowRight' })
    expect(made.get('[role=option][aria-selected=true]').attributes('aria-label')).toBe('Picture 2 of 2')
    await made.findAll('button').find((button) => button.text() === 'Set as cover')?.trigger('click')
    await flushPromises()

    expect(edits()).toEqual([{ cover: 2 }])
    made.unmount()
  })

  it('offer what a picture says, and take it only when told to', async () => {
    const { made } = await pane()
    await made.get('.gallery .large').trigger('click')
    await flushPromises()
    const box = document.querySelector('[role=dialog]')
    expect(box?.textContent).toContain('Euler')
    expect(box?.textContent).toContain('Other')
    expect(edits()).toEqual([])

    ;[...(box?.querySelectorAll('button') ?? [])].find((button) => button.textContent?.includes('Use as prompts'))?.click()
    await flushPromises()

    expect(edits()).toEqual([{ prompts: { positive: 'a valley' } }])
    made.unmount()
  })

  it('say that there is no such model', async () => {
    const { made } = await pane('ef'.repeat(32))

    expect(made.text()).toContain('This model is not in the library any more.')
    made.unmount()
  })
})

describe('several chosen models', () => {
  it('can be gone back from with the choice as it is, or left', async () => {
    choose([SHA])
    const made = mount(ChosenPane, { props: { back: true }, attachTo: document.body })
    await made.get('header button').trigger('click')
    expect(made.get('header button').attributes('aria-label')).toBe('Close')
    expect(made.emitted('clear')).toBeUndefined()
    await made.get('.actions [type=button]').trigger('click')

    expect([made.emitted('close')?.length, made.emitted('clear')?.length]).toEqual([1, 1])
    made.unmount()
  })

  it('are changed as one action, told with what changed', async () => {
    choose([SHA, 'cd'.repeat(32)])
    const made = mount(ChosenPane, { attachTo: document.body })
    await vi.waitFor(() => expect(made.find('[aria-label^="Remove sdxl"]').exists()).toBe(true))
    expect(made.text()).toContain('2 models chosen')
    const input = made.get('[role=combobox]')
    await input.setValue('anime')
    await input.trigger('keydown', { key: 'Enter' })
    await made.get('[aria-label^="Remove sdxl"]').trigger('click')
    await made.findAll('[type=radio]')[1]?.setValue(true)
    const found = await axe.run(made.element, { rules: { 'color-contrast': { enabled: false }, region: { enabled: false } } })
    expect(found.violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual([])
    await made.get('form').trigger('submit')
    await flushPromises()

    expect(edits()).toEqual([
      { models: [SHA, 'cd'.repeat(32)], add_tags: ['anime'], remove_tags: ['sdxl'], favorite: true },
    ])
    made.unmount()
  })
})
