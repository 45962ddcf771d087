import { flushPromises } from '@vue/test-utils'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import { api, door, keys, Refused } from '../api'
import * as status from '../state/status'
import { words } from '../words'
import { useSession } from './session'

beforeEach(() => {
  localStorage.clear()
  window.location.hash = ''
  vi.spyOn(status, 'begin').mockResolvedValue(undefined)
  vi.spyOn(status, 'end').mockReturnValue(undefined)
  vi.spyOn(api, 'redeem').mockResolvedValue({ token: 'new', image_key: 'image' })
})

describe('the door', () => {
  it('is shut without a key', async () => {
    const session = useSession()
    await flushPromises()

    expect(session).toMatchObject({ state: 'locked', why: null })
  })

  it('opens by the code in the address, which is good once and does not stay there', async () => {
    window.location.hash = '#code=abc'

    const session = useSession()
    await flushPromises()

    expect(api.redeem).toHaveBeenCalledExactlyOnceWith('abc')
    expect(window.location.hash).toBe('')
    expect(keys.token).toBe('new')
    expect(session.state).toBe('open')
  })

  it('shuts, and drops the key, when the daemon takes it no longer', async () => {
    keys.keep('old', 'image')
    const session = useSession()
    await flushPromises()

    door.lock()

    expect(session).toMatchObject({ state: 'locked', why: words.frame.keyNoLongerGood })
    expect(keys.token).toBeNull()
  })

  it('opens by the key that the browser kept where the code was used before', async () => {
    keys.keep('old', 'image')
    window.location.hash = '#code=used'
    vi.mocked(api.redeem).mockRejectedValue(new Refused(401, 'This link was used.'))

    const session = useSession()
    await flushPromises()

    expect(session.state).toBe('open')
    expect(keys.token).toBe('old')
  })
})
