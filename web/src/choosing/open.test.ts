import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { chosen } from './fixtures'
import { openChooser, openManager } from './open'
import type { Answered, Told } from './order'

const host = { base: '/sub/hikaze' }
const OPTIONS = { kind: 'loras', type: 'loras', chosen: [chosen('Ink')], host } as const

interface Settings {
  happyDOM: { settings: { enableIframePageLoading: boolean } }
}

/** The overlay's side: what it was told, and its end of the way. */
function frame() {
  const element = document.querySelector('iframe')
  const post = vi.fn()
  vi.spyOn(element as HTMLIFrameElement, 'contentWindow', 'get').mockReturnValue({ postMessage: post, focus() {} } as unknown as Window & typeof globalThis)
  element?.dispatchEvent(new Event('load'))
  const [told, origin, [port]] = post.mock.calls[0] as [Told, string, [MessagePort]]
  const heard: Told[] = []
  port.onmessage = ({ data }: MessageEvent<Told>) => heard.push(data)
  return { told, origin, heard, answer: (said: Answered) => port.postMessage(said) }
}

const dialog = () => document.querySelector<HTMLDialogElement>('dialog.hk-overlay')

// Nothing is loaded into the frame: what it would be told, the test is told.
beforeEach(() => {
  (window as unknown as Settings).happyDOM.settings.enableIframePageLoading = true
  vi.spyOn(HTMLIFrameElement.prototype, 'src', 'set').mockImplementation(() => {})
})
afterEach(() => dialog()?.close())

describe('opening the overlay', () => {
  it('is told what is chosen and which way leads to the daemon, and by nobody else than this page', () => {
    void openChooser({ ...OPTIONS, chosen: [...OPTIONS.chosen] })
    const { told, origin } = frame()

    expect(dialog()?.open).toBe(true)
    expect(origin).toBe(window.location.origin)
    expect(told).toMatchObject({ hikaze: 'order', order: { what: 'loras', base: '/sub/hikaze', chosen: [chosen('Ink')] } })
  })

  it('gives what was chosen, and leaves nothing behind', async () => {
    const opened = openChooser({ ...OPTIONS, chosen: [] })
    const { answer } = frame()

    answer({ hikaze: 'here' })
    answer({ hikaze: 'done', result: { chosen: [chosen('Moss')] } })

    expect(await opened).toEqual({ chosen: [chosen('Moss')] })
    expect(dialog()).toBeNull()
  })

  it('asks what is in it before it goes, once that is there', async () => {
    void openChooser({ ...OPTIONS, chosen: [] })
    const { answer, heard } = frame()
    answer({ hikaze: 'here' })
    await vi.waitFor(() => expect(document.querySelector('iframe')?.style.opacity).toBe('1'))

    dialog()?.dispatchEvent(new Event('cancel', { cancelable: true }))

    await vi.waitFor(() => expect(heard).toEqual([{ hikaze: 'leave' }]))
    expect(dialog()).not.toBeNull()
  })

  it('goes at once by Escape or a press beside it where nothing has come yet', async () => {
    const opened = openChooser({ ...OPTIONS, chosen: [] })

    dialog()?.click()

    expect(await opened).toBeNull()
  })

  it('is there once', async () => {
    void openManager(host)

    expect(await openChooser({ ...OPTIONS, chosen: [] })).toBeNull()
    expect(document.querySelectorAll('dialog')).toHaveLength(1)
  })

  it('keeps keys from the page, also those that are still down when it closes', () => {
    const heard = vi.fn()
    const kinds = ['keydown', 'keyup', 'paste', 'wheel']
    for (const kind of kinds) document.addEventListener(kind, heard)
    void openManager(host)

    for (const kind of kinds) dialog()?.dispatchEvent(new Event(kind, { bubbles: true }))
    dialog()?.close()
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', repeat: true, bubbles: true }))
    document.body.dispatchEvent(new KeyboardEvent('keyup', { key: 'Escape', bubbles: true }))
    expect(heard).not.toHaveBeenCalled()
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'a', bubbles: true }))

    expect(heard).toHaveBeenCalledOnce()
    for (const kind of kinds) document.removeEventListener(kind, heard)
  })
})
