import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, ref } from 'vue'

import { Away } from '../api'
import { daemonOf, modelAt } from './fixtures'
import { knownFiles } from './known'
import type { Asking } from './known'

const INK = modelAt('aa', 'Ink', ['/l/ink', 'present'], ['/old/ink', 'missing'])
const GONE = modelAt('bb', 'Gone', ['/l/gone', 'missing'])
const FAR = modelAt('cc', 'Far', ['/nas/far', 'offline'])

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Follow some files with a daemon, and give what is known when it has answered. */
async function followed(daemon: Asking, ...wanted: { path: string; sha256: string | null }[]) {
  const files = knownFiles(daemon)
  const scope = effectScope()
  scope.run(() => files.follow(() => wanted))
  await vi.advanceTimersByTimeAsync(1)
  return { files, scope, standings: () => wanted.map((one) => files.of(one).standing) }
}

describe('a file that a node names', () => {
  it.each([
    ['present', '/l/ink', null],
    ['moved', '/old/ink', null],
    ['missing', '/l/gone', null],
    ['offline', '/nas/far', null],
    ['unknown', '/l/else', null],
    ['moved', '/l/else', 'aa'],
    ['offline', '/l/else', 'cc'],
    ['relative', 'ink', null],
    ['relative', 'ink', 'aa'],
  ])('is %s at %s, with the content %s', async (standing, path, sha256) => {
    const { standings } = await followed(daemonOf([INK, GONE, FAR]), { path, sha256 })

    expect(standings()).toEqual([standing])
  })

  it('is shown with its name and its cover', async () => {
    const { files } = await followed(daemonOf([INK]), { path: '/l/ink', sha256: null })

    expect(files.of({ path: '/l/ink', sha256: null })).toMatchObject({ name: 'Ink', cover: 'aa_1', sha256: 'aa' })
  })
})

describe('what is known', () => {
  it('is asked for once by all faces, and again only when the daemon’s log has grown', async () => {
    const daemon = daemonOf([INK])
    const wanted = { path: '/l/ink', sha256: null }
    const { files, scope } = await followed(daemon, wanted)
    scope.run(() => files.follow(() => [wanted]))
    await vi.advanceTimersByTimeAsync(20_000)
    expect(daemon.asked).toEqual(['/l/ink'])

    daemon.position = 2
    await vi.advanceTimersByTimeAsync(10_000)
    expect(daemon.asked).toEqual(['/l/ink', '/l/ink'])
  })

  it('is followed no more when the last face has gone', async () => {
    const daemon = daemonOf([INK])
    const { scope } = await followed(daemon, { path: '/l/ink', sha256: null })
    scope.stop()
    daemon.position = 2
    await vi.advanceTimersByTimeAsync(20_000)

    expect(daemon.asked).toEqual(['/l/ink'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('keeps its name while the daemon is away, and comes back with it', async () => {
    const daemon = daemonOf([INK])
    const here = { ...daemon }
    const { files, standings } = await followed(daemon, { path: '/l/ink', sha256: null })
    Object.assign(daemon, { status: () => Promise.reject(new Away('')), atPath: () => Promise.reject(new Away('')) })
    await vi.advanceTimersByTimeAsync(6_000)
    expect(standings()).toEqual(['away'])
    expect(files.of({ path: '/l/ink', sha256: null }).name).toBe('Ink')

    Object.assign(daemon, here)
    await vi.advanceTimersByTimeAsync(6_000)
    expect(standings()).toEqual(['present'])
  })

  it('follows a list as it changes', async () => {
    const daemon = daemonOf([INK, GONE])
    const list = ref([{ path: '/l/ink', sha256: null }])
    const files = knownFiles(daemon)
    effectScope().run(() => files.follow(list))
    await vi.advanceTimersByTimeAsync(1)
    list.value = [...list.value, { path: '/l/gone', sha256: null }]
    await vi.advanceTimersByTimeAsync(1)

    expect(daemon.asked).toEqual(['/l/ink', '/l/gone'])
  })
})
