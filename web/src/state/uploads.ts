/**
 * Files on their way from this page into the drop folder, in pieces: a lost connection or a restarted daemon costs no
 * more than the piece under way, and a file that is dropped again after the page was closed goes on where it was.
 */

import { useEventListener } from '@vueuse/core'
import { effectScope, shallowReactive, watch } from 'vue'

import { api, Away, Refused } from '../api'
import { state as connection } from './live'

export type UploadState = 'waiting' | 'sending' | 'paused' | 'done' | 'failed'

export interface Upload {
  readonly key: string
  readonly name: string
  readonly size: number
  sent: number
  state: UploadState
  problem: string | null
}

const PIECE = 8 * 1024 * 1024
const AT_ONCE = 2
const KEPT = 'hikaze.uploads'
const MODELS = /\.(safetensors|sft|ckpt|pt2?|pth|bin|gguf|pkl|onnx)$/i
const BESIDE = /\.(png|jpe?g|webp|gif|avif|json|txt|md|ya?ml|info)$/i

const list = shallowReactive<Upload[]>([])
const files = new Map<string, File>()
const stops = new Map<string, AbortController>()
const scope = effectScope(true)
let following = false

/** The uploads of this page, oldest first. */
export const uploads = list as readonly Upload[]

/** What of dropped files can be uploaded; the others are named. Pictures and texts go first, so that a model finds them. */
export function sorted(dropped: readonly File[]): { wanted: File[]; refused: File[] } {
  const models = dropped.filter((file) => MODELS.test(file.name))
  const stems = models.map((file) => file.name.replace(MODELS, '').toLowerCase())
  const belongs = (file: File) => BESIDE.test(file.name) && stems.some((stem) => file.name.toLowerCase().startsWith(`${stem}.`))
  const beside = dropped.filter((file) => !models.includes(file) && belongs(file))
  return {
    wanted: [...beside, ...models],
    refused: dropped.filter((file) => !models.includes(file) && !beside.includes(file)),
  }
}

/** Upload files. */
export function upload(wanted: readonly File[]): void {
  follow()
  for (const file of wanted) {
    const key = keyOf(file)
    const at = list.findIndex((each) => each.key === key)
    if (at >= 0 && list[at]?.state !== 'failed') continue
    files.set(key, file)
    const made: Upload = { key, name: file.name, size: file.size, sent: 0, state: 'waiting', problem: null }
    if (at >= 0) list.splice(at, 1, made)
    else list.push(made)
  }
  go()
}

/** Try one again that failed. */
export function retry(key: string): void {
  change(key, { state: 'waiting', problem: null })
  go()
}

/** Stop one, and have the daemon throw away what came; or take one off the list that has ended. */
export function drop(key: string): void {
  const at = list.findIndex((each) => each.key === key)
  const one = list[at]
  if (!one) return
  stops.get(key)?.abort()
  if (one.state !== 'done') void api.cancelUpload(key).catch(() => undefined) // what is left goes by itself after a week
  forget(key)
  files.delete(key)
  list.splice(at, 1)
  go()
}

function follow(): void {
  if (following) return
  following = true
  scope.run(() => {
    watch(connection, (now) => {
      if (now !== 'live') return
      for (const one of list) if (one.state === 'paused') change(one.key, { state: 'waiting' })
      go()
    })
    useEventListener(window, 'beforeunload', (event) => {
      if (list.some((one) => ['waiting', 'sending', 'paused'].includes(one.state))) event.preventDefault()
    })
  })
}

function change(key: string, what: Partial<Upload>): void {
  const at = list.findIndex((each) => each.key === key)
  const before = list[at]
  if (before) list.splice(at, 1, { ...before, ...what })
}

function go(): void {
  for (const one of list) {
    if (list.filter((each) => each.state === 'sending').length >= AT_ONCE) return
    if (one.state === 'waiting') void send(one.key)
  }
}

async function send(key: string): Promise<void> {
  const file = files.get(key)
  if (!file) return
  const stop = new AbortController()
  stops.set(key, stop)
  change(key, { state: 'sending', problem: null })
  try {
    let at = await ask(key, file, stop.signal)
    while (at < file.size) at = await piece(key, file, at, stop.signal)
    change(key, { state: 'done', sent: file.size })
    forget(key)
    files.delete(key)
  } catch (error) {
    if (stop.signal.aborted) return
    if (error instanceof Away) change(key, { state: 'paused' })
    else change(key, { state: 'failed', problem: error instanceof Error ? error.message : String(error) })
  } finally {
    stops.delete(key)
    go()
  }
}

/** Ask how much of a file is there already; an empty file is there at once. */
async function ask(key: string, file: File, signal: AbortSignal): Promise<number> {
  const there = await api.uploadPiece(key, file.name, file.size, 0, new Blob([]), signal)
  if (there.done) return file.size
  change(key, { sent: there.offset })
  return there.offset
}

async function piece(key: string, file: File, at: number, signal: AbortSignal): Promise<number> {
  try {
    const bytes = file.slice(at, at + PIECE)
    const there = await api.uploadPiece(key, file.name, file.size, at, bytes, signal)
    change(key, { sent: there.offset })
    return there.done ? file.size : there.offset
  } catch (error) {
    if (error instanceof Refused && error.offset !== null && error.offset !== at) return error.offset
    throw error
  }
}

// The key of an upload is kept until the file is there, so that it can go on after the page was closed.

function fingerprint(file: File): string {
  return `${file.name}/${file.size}/${file.lastModified}`
}

function kept(): Record<string, string> {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? '{}') as Record<string, string>
  } catch {
    return {}
  }
}

function keyOf(file: File): string {
  const known = kept()
  const key = known[fingerprint(file)] ?? newKey()
  localStorage.setItem(KEPT, JSON.stringify({ ...known, [fingerprint(file)]: key }))
  return key
}

function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

function forget(key: string): void {
  const rest = Object.entries(kept()).filter(([, each]) => each !== key)
  localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(rest)))
}
