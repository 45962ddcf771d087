import { effectScope } from 'vue'
import type { EffectScope } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { LogEvent } from '../shapes'
import { close, heard, onCatchUp, onEvent, open, state, takeWork, tasks } from './live'

/** A daemon that is talked to by the stream alone; each connection can be spoken through and broken. */
class Daemon {
  readonly asked: (string | null)[] = []
  private out: ReadableStreamDefaultController<Uint8Array> | null = null
  here = true

  readonly fetch = (_path: string, init: RequestInit): Promise<Response> => {
    this.asked.push(new Headers(init.headers).get('Last-Event-ID'))
    if (!this.here) return Promise.reject(new TypeError('refused'))
    const body = new ReadableStream<Uint8Array>({
      start: (out) => {
        this.out = out
        init.signal?.addEventListener('abort', () => this.leave())
      },
    })
    return Promise.resolve(new Response(body))
  }

  say(text: string): void {
    this.out?.enqueue(new TextEncoder().encode(text))
  }

  tell(position: number, type = 'model-edited'): void {
    this.say(`id: ${position}\nevent: ${type}\ndata: ${JSON.stringify({ position, type, data: {} })}\n\n`)
  }

  leave(): void {
    const out = this.out
    this.out = null
    try {
      out?.error(new TypeError('gone'))
    } catch {
      // it had ended before
    }
  }
}

let daemon: Daemon
let scope: EffectScope
let events: LogEvent[]
let catchUps: number

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
  daemon = new Daemon()
  vi.stubGlobal('fetch', daemon.fetch)
  events = []
  catchUps = 0
  scope = effectScope()
  scope.run(() => {
    onEvent((event) => events.push(event))
    onCatchUp(() => (catchUps += 1))
  })
})

afterEach(() => {
  scope.stop()
  close()
  takeWork([])
  vi.useRealTimers()
})

const settled = () => vi.advanceTimersByTimeAsync(1)

describe('the live stream', () => {
  it('goes on from the position that it was opened with, and tells what happens', async () => {
    open(7)
    await settled()
    expect(state.value).toBe('live')
    daemon.tell(8)
    await vi.waitFor(() => expect(events.map((event) => event.position)).toEqual([8]))

    expect(daemon.asked).toEqual(['7'])
    expect(heard()).toBe(8)
  })

  it('tries again by itself when the daemon goes away, and misses nothing', async () => {
    open(7)
    await settled()
    daemon.tell(8)
    await vi.waitFor(() => expect(heard()).toBe(8))
    daemon.here = false
    daemon.leave()
    await vi.waitFor(() => expect(state.value).toBe('away'))
    await vi.advanceTimersByTimeAsync(10_000)
    expect(state.value).toBe('away')
    daemon.here = true

    await vi.advanceTimersByTimeAsync(3_100)

    expect(state.value).toBe('live')
    expect(daemon.asked.at(-1)).toBe('8')
  })

  it('lets the browser do something else while very much is told at once, and misses nothing', async () => {
    const seen: number[] = []
    scope.run(() => onEvent(() => {
      const until = performance.now() + 1
      while (performance.now() < until); // what a page does for an event takes a while
    }))
    open(0)
    await settled()
    const many = Array.from({ length: 100 }, (_, at) => at + 1)
    daemon.say(many.map((at) => `id: ${at}\nevent: model-edited\ndata: {"position":${at},"type":"model-edited","data":{}}\n\n`).join(''))
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      seen.push(events.length)
      if (events.length < many.length) port2.postMessage(null)
      else port1.close()
    }
    port2.postMessage(null)

    await vi.waitFor(() => expect(events.map((event) => event.position)).toEqual(many))
    expect(seen.filter((heard) => heard > 0 && heard < many.length).length).toBeGreaterThan(1)
  })

  it('takes a long silence for a lost connection, since the daemon always says something', async () => {
    open(7)
    await settled()
    daemon.say(': still here\n\n')
    await settled()

    await vi.advanceTimersByTimeAsync(60_000)

    await vi.waitFor(() => expect(daemon.asked.length).toBeGreaterThan(1))
  })

  it('has everybody read again where the daemon knows less than was heard', async () => {
    open(70)
    await settled()

    daemon.say('event: reset\ndata: {"position": 3}\n\n')

    await vi.waitFor(() => expect(catchUps).toBe(1))
    expect(heard()).toBe(3)
  })

  it('keeps how far each task is, until it is over', async () => {
    open(7)
    await settled()
    daemon.say('event: progress\ndata: {"task": "imports", "done": 1, "total": 2}\n\n')
    await vi.waitFor(() => expect(tasks.get('imports')).toMatchObject({ done: 1, total: 2 }))

    takeWork([{ task: 'scan', done: 0 }])
    expect([...tasks.keys()]).toEqual(['scan'])
  })

  it('tells a component nothing after it has gone', async () => {
    open(7)
    await settled()
    scope.stop()

    daemon.tell(8)

    await vi.waitFor(() => expect(heard()).toBe(8))
    expect(events).toEqual([])
  })
})
