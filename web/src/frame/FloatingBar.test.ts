import { enableAutoUnmount, mount } from '@vue/test-utils'
import { TooltipProvider } from 'reka-ui'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { h } from 'vue'

import { api } from '../api'
import { preferences } from '../state/preferences'
import { words } from '../words'
import FloatingBar from './FloatingBar.vue'

enableAutoUnmount(afterEach)

beforeEach(() => {
  document.body.innerHTML = '<div id="popups"></div>'
  preferences.value.bar = null
  preferences.value.theme = 'system'
  vi.spyOn(api, 'pending').mockResolvedValue({ items: [], next: null, total: 0 })
})

const bar = () => mount(() => h(TooltipProvider, () => h(FloatingBar)), { attachTo: document.body })
const labelled = (label: string) => `[aria-label="${label}"]`

describe('the floating bar', () => {
  it('is moved by the arrow keys on its handle, keeps where it is, and goes back by Home', async () => {
    const handle = bar().find(labelled(words.frame.moveBar))

    await handle.trigger('keydown', { key: 'ArrowUp' })
    const moved = preferences.value.bar
    expect(moved).not.toBeNull()
    await handle.trigger('keydown', { key: 'ArrowUp' })
    expect(preferences.value.bar?.y).toBeLessThan(moved?.y ?? 0)
    await handle.trigger('keydown', { key: 'Home' })

    expect(preferences.value.bar).toBeNull()
  })

  it('goes from theme to theme', async () => {
    const wrapper = bar()
    const press = () => wrapper.find(`[aria-label^="${words.frame.theme}"]`).trigger('click')

    await press()
    expect(preferences.value.theme).toBe('dark')
    await press()
    expect(preferences.value.theme).toBe('light')
    await press()
    expect(preferences.value.theme).toBe('system')
  })
})
