/**
 * The live stream of the daemon, and how well we are connected to it.
 *
 * One stream a page. It goes on by itself: after an error, after a silence longer than two of the daemon's heartbeats
 * (the computer slept), when the browser says it is online again, when the page is shown again. What happened meanwhile
 * comes first, because a stream resumes behind the last position that was heard; where that is so much that nothing
 * can be followed one by one (`reset`), whoever shows a list reads it again.
 */

import { EventSourceParserStream } from 'eventsource-parser/stream'
import { onScopeDispose, readonly, ref, shallowReactive } from 'vue'

import { api, Refused } from '../api'
import type { LogEvent, Progress } from '../shapes'

/** `closed` is the time before the first key and after the last. */
export type Connection = 'closed' | 'connecting' | 'live' | 'away'

const SILENCE_MS = 35_000 // the daemon says something every 15 seconds
const RETRY_MS = [300, 1_000, 2_000, 3_000] as const
const LOOK_MS = 5_000
const HIDDEN_MS = 5 * 60_000 // so long a page that nobody sees follows what happens, for the count in its title
const LONG_MS = 60_000 // away for so long, it first asks how much there is to hear
const MANY = 5_000 // events that are not followed one by one
const BREATH_MS = 10 // so long events are told of in one go, before the browser may do something else

type Listener = (event: LogEvent) => void
type CatchUp = () => void

const connection = ref<Connection>('closed')
const listeners = new Set<Listener>()
const catchUps = new Set<CatchUp>()
const progress = shallowReactive(new Map<string, Progress>())

let position: number | null = null
let heardAt = 0
let tries = 0
let running: AbortController | null = null
let timer: number | undefined
let watch: number | undefined
let resting: number | undefined
let lostAt = 0

/** The tasks under way, by name; each with how far it is. */
export const tasks = progress as ReadonlyMap<string, Progress>

export const state = readonly(connection)

/** The position up to which this page has heard everything. */
export function heard(): number | null {
  return position
}

/** Hear of events as they happen, while the component is there. */
export function onEvent(listener: Listener): void {
  listeners.add(listener)
  onScopeDispose(() => listeners.delete(listener), true)
}

/** Be told to read everything again: at the first connection, and where too much happened to follow it. */
export function onCatchUp(listener: CatchUp): void {
  catchUps.add(listener)
  onScopeDispose(() => catchUps.delete(listener), true)
}

/** Take the work under way from a status answer: what has ended meanwhile is gone. */
export function takeWork(work: readonly Progress[]): void {
  const names = new Set(work.map((task) => task.task))
  for (const name of progress.keys()) if (!names.has(name)) progress.delete(name)
  for (const task of work) progress.set(task.task, task)
}

/** Connect, from a position on that a status answer gave. */
export function open(from: number): void {
  position = from
  tries = 0
  window.addEventListener('online', nudge)
  window.addEventListener('pageshow', nudge)
  document.addEventListener('visibilitychange', nudge)
  clearInterval(watch)
  watch = window.setInterval(lookForSilence, LOOK_MS)
  void run()
}

/** End the stream: the key is gone. */
export function close(): void {
  window.removeEventListener('online', nudge)
  window.removeEventListener('pageshow', nudge)
  document.removeEventListener('visibilitychange', nudge)
  clearInterval(watch)
  clearTimeout(timer)
  clearTimeout(resting)
  running?.abort()
  running = null
  connection.value = 'closed'
}

function nudge(): void {
  clearTimeout(resting)
  if (connection.value === 'closed') return
  if (document.visibilityState === 'hidden') {
    resting = window.setTimeout(rest, HIDDEN_MS)
    return
  }
  if (connection.value === 'away') {
    tries = 0
    clearTimeout(timer)
    void run()
  } else lookForSilence()
}

/** Nobody looks: end the stream until somebody does. */
function rest(): void {
  if (document.visibilityState !== 'hidden' || connection.value === 'closed') return
  clearTimeout(timer)
  const ended = running
  running = null
  ended?.abort()
  lose()
}

function lose(): void {
  if (connection.value !== 'away') lostAt = Date.now()
  connection.value = 'away'
}

function lookForSilence(): void {
  if (connection.value === 'live' && Date.now() - heardAt > SILENCE_MS) running?.abort()
}

async function run(): Promise<void> {
  running?.abort()
  const mine = new AbortController()
  running = mine
  connection.value = connection.value === 'away' ? 'away' : 'connecting'
  try {
    const skips = await tooMuch()
    if (running !== mine) return
    const bytes = await api.events(position, mine.signal)
    connection.value = 'live'
    if (skips) catchUp()
    tries = 0
    heardAt = Date.now()
    await read(bytes, mine)
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return
  }
  if (running !== mine) return
  lose()
  timer = window.setTimeout(() => void run(), RETRY_MS[Math.min(tries, RETRY_MS.length - 1)])
  tries += 1
}

/** After a long absence: pass over what happened, where that is so much that reading everything anew is quicker. */
async function tooMuch(): Promise<boolean> {
  if (connection.value !== 'away' || Date.now() - lostAt < LONG_MS || position === null) return false
  const now = (await api.status()).position
  if (now - position < MANY) return false
  position = now
  return true
}

async function read(bytes: ReadableStream<Uint8Array>, mine: AbortController): Promise<void> {
  const beats = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, out) {
      heardAt = Date.now()
      out.enqueue(chunk)
    },
  })
  const decoder = new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>
  const reader = bytes.pipeThrough(beats).pipeThrough(decoder).pipeThrough(new EventSourceParserStream()).getReader()
  let since = performance.now()
  for (;;) {
    const { done, value } = await reader.read()
    if (done || running !== mine) return
    take(value.event ?? 'message', value.data)
    if (performance.now() - since < BREATH_MS) continue
    await breath() // what was read already comes without a pause: 20,000 events would be one long task
    since = performance.now()
  }
}

/** Let the browser paint and take keys. Not by a timer: of a page that nobody sees those run once a second. */
function breath(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(null)
  })
}

function take(kind: string, data: string): void {
  const said: unknown = JSON.parse(data)
  if (kind === 'progress') {
    const task = said as Progress
    if (task.ended) progress.delete(task.task)
    else progress.set(task.task, task)
  } else if (kind === 'reset') {
    position = (said as { position: number }).position
    catchUp()
  } else {
    const event = said as LogEvent
    position = event.position
    for (const listener of [...listeners]) listener(event)
  }
}

/** Have everybody read their lists again. */
function catchUp(): void {
  for (const listener of [...catchUps]) listener()
}
