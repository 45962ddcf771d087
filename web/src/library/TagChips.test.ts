import { mount } from '@vue/test-utils'
import { beforeEach, describe, expect, it } from 'vitest'
import { ref, shallowRef } from 'vue'

import type { Facets } from '../shapes'
import { emptyView, show, view } from '../state/address'
import type { Library } from '../state/library'
import TagChips from './TagChips.vue'

const FACETS: Facets = {
  tags: Array.from({ length: 40 }, (_, at) => ({ name: `tag ${at}`, count: 40 - at })),
  types: [],
}

const chips = () =>
  mount(TagChips, { props: { library: { facets: shallowRef(FACETS), allTags: ref(false) } as unknown as Library } })

describe('tag chips', () => {
  beforeEach(() => show(emptyView(), 'replace'))

  it('include, exclude and let be, and say so', async () => {
    const page = chips()
    const chip = () => page.get('.group button')

    expect(chip().text()).toMatch(/^tag 0\s+40$/)
    await chip().trigger('click')
    expect(view.include).toEqual(['tag 0'])
    expect(chip().attributes('aria-pressed')).toBe('true')
    expect(chip().text()).toContain('included')
    await chip().trigger('click')
    expect(view.exclude).toEqual(['tag 0'])
    expect(chip().attributes('aria-pressed')).toBe('mixed')
    expect(chip().text()).toContain('excluded')
    await chip().trigger('click')

    expect([view.include, view.exclude]).toEqual([[], []])
  })

  it('are a line that opens, with a field to find one', async () => {
    const page = chips()
    expect(page.findAll('.group button').length).toBe(24)

    await page.get('[aria-expanded]').trigger('click')
    expect(page.findAll('.group button').length).toBe(40)
    await page.get('input').setValue('TAG 3')

    expect(page.findAll('.group .what').map((what) => what.text())).toContain('tag 39')
    expect(page.findAll('.group button').length).toBe(11)
  })

  it('are one stop for Tab', () => {
    const stops = chips().findAll('.group button').map((chip) => chip.attributes('tabindex'))

    expect(stops.filter((stop) => stop === '0').length).toBe(1)
  })

  it('show what is tagged nsfw when asked to', async () => {
    const page = chips()
    const toggle = () => page.get('.nsfw')

    expect(toggle().text()).toBe('nsfw hidden')
    await toggle().trigger('click')
    expect(view.nsfw).toBe(true)
    expect(toggle().text()).toBe('nsfw shown')
    await toggle().trigger('click')

    expect(view.nsfw).toBe(false)
  })
})
