import { mount } from '@vue/test-utils'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'

import type { Tag } from '../shapes'
import TagField from './TagField.vue'
import { folded, suggested } from './tagNames'

const TAGS: Tag[] = [
  { id: 1, name: 'anime', models: 90, pending: 0 }, { id: 2, name: 'animal', models: 3, pending: 0 },
  { id: 3, name: 'dark anime', models: 7, pending: 1 }, { id: 4, name: 'style', models: 4, pending: 0 },
]

function answering(): void {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify({ items: TAGS, next: null }))))
}

async function field(names: string[] = ['style', 'sdxl']) {
  answering()
  const made = mount(TagField, {
    props: { modelValue: names, label: 'Tags', origins: { sdxl: 'header' as const } }, attachTo: document.body,
  })
  const input = made.get<HTMLInputElement>('[role=combobox]')
  await input.trigger('focus')
  await vi.waitFor(async () => {
    await input.setValue('an')
    expect(made.findAll('[role=option]').length).toBeGreaterThan(1)
  })
  await input.setValue('')
  return { made, input }
}

afterEach(() => document.body.replaceChildren())

it('takes a tag with the name of something that every object has for a tag', async () => {
  const { made } = await field(['constructor', '__proto__', 'sdxl'])
  const told = made.findAll('.chip').map((chip) => chip.attributes('title'))
  expect(told.slice(0, 2)).toEqual(['constructor', '__proto__'])
  expect(told[2]).not.toBe('sdxl')
})

describe('completion', () => {
  it('has those first that begin so, the most used of them first, and none that is there', () => {
    expect(suggested(TAGS, 'ani', []).map(({ name }) => name)).toEqual(['anime', 'animal', 'dark anime'])
    expect(suggested(TAGS, 'st', ['STYLE'])).toEqual([])
    expect(folded(' E\u0301')).toBe(folded('\u00e9'))
  })

  it('is walked with the arrows and taken with Enter', async () => {
    const { made, input } = await field()
    await input.setValue('ani')
    await input.trigger('keydown', { key: 'ArrowDown' })
    await input.trigger('keydown', { key: 'ArrowDown' })

    const marked = made.get('[role=option][aria-selected=true]')
    expect(marked.text()).toContain('animal')
    expect(input.attributes('aria-activedescendant')).toBe(marked.attributes('id'))
    await input.trigger('keydown', { key: 'Enter' })

    expect(made.emitted('add')).toEqual([['animal']])
    expect(input.element.value).toBe('')
  })

  it('adds what is typed, in the spelling that exists, and says so where it is new', async () => {
    const { made, input } = await field()
    await input.setValue('ANIME')
    await input.trigger('keydown', { key: 'Enter' })
    await input.setValue('fresh')
    expect(made.text()).toContain('New tag “fresh”')
    await input.trigger('keydown', { key: ',' })

    expect(made.emitted('add')).toEqual([['anime'], ['fresh']])
  })

  it('adds what is typed when the field is left, and nothing that is there already', async () => {
    const { made, input } = await field()
    await input.setValue('Style')
    await input.trigger('blur')
    await input.setValue('oil')
    await input.trigger('blur')

    expect(made.emitted('add')).toEqual([['oil']])
  })

  it('closes with Escape, and takes back what was typed with another', async () => {
    const { made, input } = await field()
    await input.setValue('ani')
    await input.trigger('keydown', { key: 'Escape' })
    expect(input.attributes('aria-expanded')).toBe('false')
    expect(input.element.value).toBe('ani')
    await input.trigger('keydown', { key: 'Escape' })

    expect(input.element.value).toBe('')
    expect(made.emitted('add')).toBeUndefined()
  })
})

describe('the tags that are there', () => {
  it('are reached with Backspace from the empty field, and taken off with it', async () => {
    const { made, input } = await field()
    input.element.focus()
    await input.trigger('keydown', { key: 'Backspace' })
    const last = made.findAll('.chip button')[1]
    expect(document.activeElement).toBe(last?.element)
    await last?.trigger('keydown', { key: 'Delete' })

    expect(made.emitted('remove')).toEqual([['sdxl']])
  })

  it('tell where they come from', async () => {
    const { made } = await field()
    await nextTick()

    expect(made.find('[aria-label="Remove tag sdxl, from the file"]').exists()).toBe(true)
    expect(made.find('[aria-label="Remove tag style"]').exists()).toBe(true)
  })
})
