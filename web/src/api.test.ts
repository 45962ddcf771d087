import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { api, Away, door, goThrough, keys, Refused } from './api'

const fetched = vi.fn<(address: string, init: RequestInit) => Promise<Response>>()
const headersOf = (at: number) => new Headers(fetched.mock.calls[at]?.[1].headers)

beforeEach(() => {
  fetched.mockReset()
  vi.stubGlobal('fetch', fetched)
  keys.keep('token', 'image')
})
afterEach(() => {
  goThrough('')
  localStorage.clear()
})

describe('the page’s own way', () => {
  it('shows its key', async () => {
    fetched.mockResolvedValue(Response.json({}))

    await api.status()

    expect(fetched.mock.calls[0]?.[0]).toBe('/api/status')
    expect(headersOf(0).get('Authorization')).toBe('Bearer token')
  })

  it('is shut where the key is good no longer', async () => {
    const lock = vi.spyOn(door, 'lock').mockReturnValue(undefined)
    fetched.mockResolvedValue(Response.json({ detail: 'Another key.' }, { status: 401 }))

    await expect(api.status()).rejects.toThrow('Another key.')

    expect(lock).toHaveBeenCalledOnce()
  })
})

describe('the way through ComfyUI', () => {
  beforeEach(() => {
    goThrough('/sub/hikaze')
    localStorage.clear()
  })

  it('has no key, and marks what is its own', async () => {
    fetched.mockImplementation(() => Promise.resolve(Response.json({})))

    await api.models({ type: 'loras' })
    await api.edit('a'.repeat(64), { favorite: true })

    expect(fetched.mock.calls.map(([address]) => address)).toEqual([
      '/sub/hikaze/api/models?type=loras', `/sub/hikaze/api/models/${'a'.repeat(64)}`,
    ])
    expect(headersOf(1).get('Authorization')).toBeNull()
    expect(headersOf(1).get('X-Hikaze')).toBe('1')
    expect(api.picture('b_0', 'low')).toBe('/sub/hikaze/api/images/b_0.webp?quality=low')
  })

  it('tells that the daemon is away from what ComfyUI or the daemon refuses', async () => {
    fetched.mockResolvedValueOnce(Response.json({ detail: 'Start it.', way: 'away' }, { status: 502 }))
    fetched.mockResolvedValueOnce(Response.json({ detail: 'It ended at once.' }, { status: 502 }))
    fetched.mockResolvedValueOnce(Response.json({ detail: 'Look only.', way: 'viewer' }, { status: 403 }))

    await expect(api.status()).rejects.toBeInstanceOf(Away)
    await expect(api.startDaemon()).rejects.toMatchObject({ status: 502, message: 'It ended at once.' })
    await expect(api.scan()).rejects.toBeInstanceOf(Refused)

    expect(fetched.mock.calls[1]?.[0]).toBe('/sub/hikaze-start')
  })
})
