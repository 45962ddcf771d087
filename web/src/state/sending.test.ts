import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { api, Away, Refused } from '../api'
import type { Uploaded } from '../shapes'
import { PIECE, sendFile } from './sending'

/** A daemon that takes pieces; what it answers next can be said beforehand. */
class Daemon {
  here = 0
  readonly pieces: [offset: number, bytes: number][] = []
  readonly refusals: Error[] = []

  readonly take = (_key: string, name: string, size: number, offset: number, bytes: Blob): Promise<Uploaded> => {
    this.pieces.push([offset, bytes.size])
    const refusal = this.refusals.shift()
    if (refusal) return Promise.reject(refusal)
    if (bytes.size && offset !== this.here) return Promise.reject(new Refused(409, 'go on from there', null, this.here))
    this.here += bytes.size
    const done = this.here === size
    return Promise.resolve({ upload: 'k', name, offset: this.here, size, done, path: done ? `/drop/${name}` : null })
  }
}

const SIZE = 2 * PIECE + 10
let daemon: Daemon
let told: [number, string | null][]
let stop: AbortController

beforeEach(() => {
  vi.useFakeTimers()
  daemon = new Daemon()
  told = []
  stop = new AbortController()
  vi.spyOn(api, 'uploadPiece').mockImplementation(daemon.take)
})

afterEach(() => vi.useRealTimers())

/** A file that nobody reads as a whole. */
function file(): File {
  const slice = (from = 0, to = SIZE) => ({ size: Math.min(to, SIZE) - from }) as Blob
  return { name: 'a.gguf', size: SIZE, slice } as unknown as File
}

function send(): Promise<string | null> {
  return sendFile({ key: 'k', file: file(), signal: stop.signal, tell: (there, why) => told.push([there, why]) })
}

describe('sending a file', () => {
  it('asks how much is there, then sends piece by piece', async () => {
    expect(await send()).toBe('/drop/a.gguf')

    expect(daemon.pieces).toEqual([[0, 0], [0, PIECE], [PIECE, PIECE], [2 * PIECE, 10]])
  })

  it('goes on where an earlier page ended', async () => {
    daemon.here = PIECE + 5

    await send()

    expect(daemon.pieces).toEqual([[0, 0], [PIECE + 5, PIECE], [2 * PIECE + 5, 5]])
  })

  it('goes on at once from where the daemon says that it stands', async () => {
    daemon.here = 2 * PIECE
    vi.mocked(api.uploadPiece).mockImplementationOnce((key, name, size) =>
      Promise.resolve({ upload: key, name, offset: PIECE, size, done: false, path: null }))

    expect(await send()).toBe('/drop/a.gguf')

    expect(told.every(([, why]) => why === null)).toBe(true)
    expect(daemon.here).toBe(SIZE)
  })

  it('waits while somebody else sends the same, and says why', async () => {
    const busy = () => new Refused(409, 'another sends this', null, 0)
    daemon.refusals.push(...[new Refused(409, 'another sends this', null, 0), busy(), busy()])

    const sending = send()
    await vi.advanceTimersByTimeAsync(500)
    expect(told.at(-1)).toEqual([0, 'another sends this'])
    await vi.advanceTimersByTimeAsync(5_000)

    expect(await sending).toBe('/drop/a.gguf')
  })

  it('gives up with the reason where a folder stays away', async () => {
    daemon.refusals.push(...Array.from({ length: 9 }, () => new Refused(409, 'there is no drop folder; add one')))

    const sending = send()
    const refused = expect(sending).rejects.toThrow('there is no drop folder')
    await vi.advanceTimersByTimeAsync(10_000)
    await refused

    expect(daemon.pieces.length).toBeLessThan(6)
  })

  it.each([
    ['a full disk', new Refused(507, 'the disk is full; free some space')],
    ['nobody who answers', new Away(null)],
  ])('leaves it to its caller what becomes of %s', async (_what, error) => {
    daemon.refusals.push(error)

    await expect(send()).rejects.toBe(error)
  })

  it('ends when it is told to, also while it waits', async () => {
    daemon.refusals.push(new Refused(409, 'paused'))
    const ended = expect(send()).rejects.toThrow()
    await vi.advanceTimersByTimeAsync(10)

    stop.abort()

    await ended
  })
})
