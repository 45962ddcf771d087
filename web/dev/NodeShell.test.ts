import { mount } from '@vue/test-utils'
import { expect, it, vi } from 'vitest'

import { fakeDaemon } from './fakeDaemon'
import { pathOf } from './fakeLibrary'
import NodeShell from './NodeShell.vue'
import { SAMPLES } from './samples'

it('shows a face for every sample, with what the made-up daemon knows', { timeout: 30_000 }, async () => {
  const daemon = fakeDaemon()
  vi.stubGlobal('fetch', (address: string, { method = 'GET' }: RequestInit = {}) => {
    const url = new URL(address, 'http://localhost')
    const path = url.pathname.replace('/made-up', '')
    const { status, body } = daemon.answer({ method, path, query: url.searchParams, body: null })
    return Promise.resolve(new Response(JSON.stringify(body), { status }))
  })
  const shell = mount(NodeShell, { props: { load: () => import('../src/comfy/parts') }, attachTo: document.body })
  // Each face is an app of its own, so that the shell's own wrapper does not look into them.
  const faces = (): Element[] => [...document.querySelectorAll('.hk-node .hk-face')]
  await vi.waitFor(() => expect(faces()).toHaveLength(SAMPLES.length), { timeout: 20_000 })

  await vi.waitFor(() => expect(faces()[0]?.textContent).toContain('Dreamscape XL'))
  await vi.waitFor(() => expect(faces()[3]?.textContent).toContain('Its file is gone'))
  expect(document.querySelectorAll('[role=alert]')).toHaveLength(1)
  shell.unmount()
})

it('the made-up daemon is away when it is told to be', () => {
  const daemon = fakeDaemon()
  const ask = (path: string, query = '') =>
    daemon.answer({ method: 'GET', path, query: new URLSearchParams(query), body: null }).status

  expect(ask('/hikaze/api/models', `path=${pathOf('loras', 'Ink Wash')}`)).toBe(200)
  ask('/hikaze-fake', 'away=1')
  expect([ask('/hikaze/api/status'), ask('/hikaze-way')]).toEqual([502, 200])
  ask('/hikaze-start')
  expect(ask('/hikaze/api/status')).toBe(200)
})
