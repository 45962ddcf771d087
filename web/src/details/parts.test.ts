import { describe, expect, it, vi } from 'vitest'

import { Away, Refused } from '../api'
import type { FoundPage } from '../shapes'
import { inCommon } from './common'
import { factsOf } from './headerfacts'
import { address, rendered } from './markdown'
import { seqOf } from './pictures'
import { makeUploads } from './uploads'

function html(text: string): string {
  const place = document.createElement('div')
  place.append(rendered(text))
  return place.innerHTML.trim()
}

describe('markdown', () => {
  it('is rendered, with links that open in another tab and tell it nothing', () => {
    const made = html('Soft **ink**, see [notes](https://example.org/a)')

    expect(made).toContain('<strong>ink</strong>')
    expect(made).toContain('href="https://example.org/a"')
    expect(made).toContain('target="_blank"')
    expect(made).toContain('rel="noopener noreferrer"')
  })

  it.each([
    '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '[x](javascript:alert(1))', '![x](https://evil.example/x.png)',
    '[x](data:text/html,hi)', '<a href="https://a.example" onclick="alert(1)">x</a>', '[x](file:///etc/passwd)',
  ])('lets nothing run and fetches nothing: %s', (text) => {
    const place = document.createElement('div')
    place.append(rendered(text))

    expect(place.querySelectorAll('script, img, iframe, [onclick], [onerror]')).toHaveLength(0)
    for (const link of place.querySelectorAll('a')) expect(link.getAttribute('href')).toMatch(/^https?:/)
  })

  it('shows a text of more than 30,000 characters as it is written', () => {
    const made = html(`**a**\n\n${'['.repeat(30_000)}`)

    expect(made).toMatch(/^<p[^>]*>\*\*a\*\*<\/p><p[^>]*>\[+<\/p>$/)
  })

  it.each([
    ['https://example.org', 'https://example.org'], [' http://a.b/c ', 'http://a.b/c'], ['javascript:alert(1)', null],
    ['file:///x', null], ['ask Mia', null], ['//example.org', null], ['https://', null],
  ])('takes %s for an address as %s', (text, is) => {
    expect(address(text)).toBe(is)
  })
})

describe('pictures on their way', () => {
  const picture = (name: string) => new File(['x'], name, { type: 'image/png' })

  it('go one after the other, in the order in which they were given', async () => {
    const sent: string[] = []
    let going = 0
    const uploads = makeUploads(async (_sha, file) => {
      going += 1
      expect(going).toBe(1)
      await Promise.resolve()
      going -= 1
      sent.push(file.name)
      return { seq: 0 }
    })
    uploads.add('a', [picture('1.png'), picture('2.png')])
    uploads.add('a', [picture('3.png')])

    await vi.waitFor(() => expect(sent).toEqual(['1.png', '2.png', '3.png']))
    expect(uploads.all).toEqual([])
  })

  it('stay with the reason where they failed, and go again when told to', async () => {
    let error: Error | null = new Refused(413, 'the picture is too large')
    const uploads = makeUploads(() => (error ? Promise.reject(error) : Promise.resolve({ seq: 0 })))
    uploads.add('a', [picture('1.png')])
    await vi.waitFor(() => expect(uploads.all[0]).toMatchObject({ state: 'failed', why: 'the picture is too large' }))

    error = null
    uploads.retry(uploads.all[0]?.id ?? 0)
    await vi.waitFor(() => expect(uploads.all).toEqual([]))
  })

  it('go again by themselves where nobody had answered', async () => {
    let isAway = true
    const uploads = makeUploads(() => (isAway ? Promise.reject(new Away(null)) : Promise.resolve({ seq: 0 })))
    uploads.add('a', [picture('1.png')])
    await vi.waitFor(() => expect(uploads.all[0]?.state).toBe('failed'))

    isAway = false
    uploads.again()
    await vi.waitFor(() => expect(uploads.all).toEqual([]))
  })

  it('are none where they are no pictures, and that is said', () => {
    const uploads = makeUploads(() => Promise.resolve({ seq: 0 }))
    uploads.add('a', [new File(['x'], 'a.txt', { type: 'text/plain' })])

    expect(uploads.all[0]).toMatchObject({ state: 'failed' })
    expect(uploads.all[0]?.why).toContain('no picture')
  })

  it('have a number, in the base name', () => {
    expect(seqOf(`${'a'.repeat(64)}_12`)).toBe(12)
  })
})

describe('what a header says', () => {
  it('is told in rows, and what it does not say is left out', () => {
    const rows = factsOf({
      format: 'safetensors',
      facts: { base_model: 'SDXL', adapter: { kind: 'LoRA', ranks: [8, 16], targets: ['unet', 'text_encoder'] }, parameters: 1_234_567 },
    })

    expect(rows).toEqual([
      { label: 'Base model', value: 'SDXL' }, { label: 'Adapter', value: 'LoRA' }, { label: 'Rank', value: '8, 16' },
      { label: 'Acts on', value: 'unet, text encoder' }, { label: 'Parameters', value: '1.23M' },
      { label: 'Format', value: 'safetensors' },
    ])
    expect(factsOf({})).toEqual([])
  })
})

describe('what several models have in common', () => {
  it('is counted by the daemon, fifty models a question, two hundred at most', async () => {
    const hashes = Array.from({ length: 300 }, (_, at) => at.toString(16).padStart(64, '0'))
    const asked: string[] = []
    const found = await inCommon(hashes, ({ q = '', limit = 0 }) => {
      asked.push(q)
      const tags = [{ name: 'a', count: limit }, { name: 'b', count: 1 }]
      return Promise.resolve<FoundPage>({ items: [], next: null, total: 0, facets: { tags, types: [] } })
    })

    expect(asked).toHaveLength(4)
    expect(Math.max(...asked.map((q) => q.length))).toBeLessThan(2_000)
    expect(found.tags).toEqual([{ name: 'a', count: 200 }, { name: 'b', count: 4 }])
    expect(found.lookedAt).toBe(200)
  })
})
