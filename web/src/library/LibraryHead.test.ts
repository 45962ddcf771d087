import { mount } from '@vue/test-utils'
import { TooltipProvider } from 'reka-ui'
import { afterEach, describe, expect, it } from 'vitest'
import { h, ref } from 'vue'

import type { Library } from '../state/library'
import { choose, clear } from '../state/selection'
import LibraryHead from './LibraryHead.vue'

const library = { total: ref(40) } as unknown as Library

function head(narrow: boolean) {
  const render = () => h(TooltipProvider, () => h(LibraryHead, { library, gathering: null, narrow }))
  return mount({ render }, { global: { stubs: { SortMenu: true } } })
}

describe('the head of the list', () => {
  afterEach(clear)

  it('leads to the change of those chosen where there is no room beside the list', async () => {
    choose(['ab'.repeat(32), 'cd'.repeat(32)])
    const page = head(true)
    await page.get('.button.main').trigger('click')

    expect(page.text()).toContain('2 chosen')
    expect(page.getComponent(LibraryHead).emitted('change')).toHaveLength(1)
  })

  it('leaves that to the pane where there is room', () => {
    choose(['ab'.repeat(32)])

    expect(head(false).find('.button.main').exists()).toBe(false)
  })
})
