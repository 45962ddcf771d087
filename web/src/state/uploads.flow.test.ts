import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { api, Away, Refused } from '../api'
import type { Uploaded } from '../shapes'
import { keyOf } from './kept'
import { drop, recall, retry, upload, uploading, uploads } from './uploads'

const sent: string[] = []
let answer: (name: string, bytes: Blob) => Error | null

beforeEach(() => {
  localStorage.clear()
  sent.length = 0
  answer = () => null
  vi.spyOn(api, 'cancelUpload').mockResolvedValue({})
  vi.spyOn(api, 'uploadPiece').mockImplementation((key, name, size, offset, bytes) => {
    const error = answer(name, bytes)
    if (error) return Promise.reject(error)
    if (bytes.size) sent.push(name)
    const here = offset + bytes.size
    const told: Uploaded = { upload: key, name, offset: here, size, done: here === size, path: here === size ? `/drop/${name}` : null }
    return Promise.resolve(told)
  })
})

afterEach(() => {
  for (const one of [...uploads]) drop(one.key)
})

function file(name: string): File {
  return new File(['content'], name, { lastModified: 5 })
}

const states = () => uploads.map((one) => [one.name, one.state])

describe('uploads', () => {
  it('sends the files in the order in which they came, and says that they are there', async () => {
    await upload([file('a.png'), file('a.gguf'), file('b.gguf')])

    await vi.waitFor(() => expect(states()).toEqual([['a.png', 'done'], ['a.gguf', 'done'], ['b.gguf', 'done']]))
    expect(sent).toEqual(['a.png', 'a.gguf', 'b.gguf'])
    expect(uploading.value).toBeNull()
  })

  it('takes a file once, however often it is dropped', async () => {
    await upload([file('a.gguf')])
    await upload([file('a.gguf')])

    await vi.waitFor(() => expect(states()).toEqual([['a.gguf', 'done']]))
    expect(sent).toEqual(['a.gguf'])
  })

  it('waits where nobody answers, and keeps the key for another page', async () => {
    answer = () => new Away(null)
    const key = await keyOf(file('a.gguf'))

    await upload([file('a.gguf')])

    await vi.waitFor(() => expect(states()).toEqual([['a.gguf', 'paused']]))
    expect(await keyOf(file('a.gguf'))).toBe(key)
  })

  it('says why one failed, and tries it again when it is told to', async () => {
    answer = (_name, bytes) => (bytes.size ? new Refused(507, 'the disk is full') : null)
    await upload([file('a.gguf')])
    await vi.waitFor(() => expect(uploads[0]).toMatchObject({ state: 'failed', problem: 'the disk is full' }))

    answer = () => null
    retry(uploads[0]?.key ?? '')

    await vi.waitFor(() => expect(states()).toEqual([['a.gguf', 'done']]))
  })

  it('has the daemon throw away what came of one that is cancelled, and begins anew after that', async () => {
    answer = () => new Away(null)
    await upload([file('a.gguf')])
    const key = await keyOf(file('a.gguf'))
    await vi.waitFor(() => expect(states()).toEqual([['a.gguf', 'paused']]))

    drop(key)

    expect(api.cancelUpload).toHaveBeenCalledWith(key)
    expect(uploads).toEqual([])
    expect(await keyOf(file('a.gguf'))).not.toBe(key)
  })

  it('shows what an earlier page left unfinished, and goes on with it when the file is dropped again', async () => {
    const key = await keyOf(file('a.gguf'))
    vi.mocked(api.uploadPiece).mockResolvedValueOnce({ upload: key, name: 'a.gguf', offset: 3, size: 7, done: false, path: null })
    await recall()
    expect(uploads[0]).toMatchObject({ key, state: 'interrupted', sent: 3 })

    await upload([file('a.gguf')])

    await vi.waitFor(() => expect(states()).toEqual([['a.gguf', 'done']]))
  })
})
