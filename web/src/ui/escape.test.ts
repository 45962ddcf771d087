import { afterEach, describe, expect, it, vi } from 'vitest'
import { effectScope } from 'vue'
import type { EffectScope } from 'vue'

import { useEscape } from './escape'

let scope: EffectScope | undefined

function escaping(closes: boolean) {
  const [inner, outer] = [vi.fn(() => closes), vi.fn(() => true)]
  scope = effectScope()
  scope.run(() => {
    useEscape(outer, window)
    useEscape(inner)
  })
  return { inner, outer }
}

function press(html: string): void {
  document.body.innerHTML = html
  document.querySelector('[data-here]')?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true }))
}

afterEach(() => scope?.stop())

describe('Escape', () => {
  it('closes what is innermost, and that alone', () => {
    const { inner, outer } = escaping(true)

    press('<p data-here></p>')

    expect(inner).toHaveBeenCalledOnce()
    expect(outer).not.toHaveBeenCalled()
  })

  it('closes what is around it where there is nothing to close inside', () => {
    const { outer } = escaping(false)

    press('<p data-here></p>')

    expect(outer).toHaveBeenCalledOnce()
  })

  it.each([
    ['<input data-here>', 0], ['<div role="dialog"><button data-here></button></div>', 0], ['<input data-here data-escapes>', 1],
  ])('in %s closes %d things', (html, times) => {
    const { inner } = escaping(true)

    press(html)

    expect(inner).toHaveBeenCalledTimes(times)
  })
})
