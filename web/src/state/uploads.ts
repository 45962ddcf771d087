/**
 * Files on their way from this page into the drop folder, in pieces: a lost connection or a restarted daemon costs no
 * more than the piece under way, and a file that is dropped again after the page was closed goes on where it was.
 */

import { useEventListener } from '@vueuse/core'
import { computed, effectScope, shallowReactive, shallowRef, watch } from 'vue'

import { api, Away, Refused } from '../api'
import { finish, forget, kept, keyOf } from './kept'
import { onEvent, state as connection } from './live'
import { Rate } from './rate'
import { words } from '../words'
import { sendFile } from './sending'

/** `paused`: nobody answers; `interrupted`: begun by an earlier page, and its file must be dropped again. */
export type UploadState = 'waiting' | 'sending' | 'paused' | 'done' | 'failed' | 'interrupted'

export interface Upload {
  readonly key: string
  readonly name: string
  readonly size: number
  sent: number
  state: UploadState
  /** What stands in its way. */
  problem: string | null
  /** Where it lies, once it is there. */
  path: string | null
}

const AT_ONCE = 2
const LEAVES_MS = 8_000 // on the list after it is done and pending: long enough to be seen
const STAYS_MS = 60_000 // though nobody told that it is pending: it was known before, or hidden
const RETRY_MS = 3_000
const REMEMBERED = 500
const MODELS = /\.(safetensors|sft|ckpt|pt2?|pth|bin|gguf|pkl|onnx)$/i
const BESIDE = /\.(png|jpe?g|webp|gif|avif|json|txt|md|ya?ml|info)$/i

const list = shallowReactive<Upload[]>([])
const files = new Map<string, File>()
const stops = new Map<string, AbortController>()
const leaving = new Map<string, number>()
const found = new Set<string>()
const rate = new Rate()
const perSecond = shallowRef<number | null>(null)
const scope = effectScope(true)
let following = false

/** The uploads of this page, oldest first. */
export const uploads = list as readonly Upload[]

/** How far all uploads together are; null while none is under way. `left` is in seconds, null while that is not known. */
export const uploading = computed(() => {
  const open = list.filter(isOpen)
  if (!open.length) return null
  const of = list.filter((one) => isOpen(one) || one.state === 'done')
  const sum = (what: (one: Upload) => number) => of.reduce((all, one) => all + what(one), 0)
  const [sent, size] = [sum((one) => one.sent), sum((one) => one.size)]
  const left = perSecond.value ? (size - sent) / perSecond.value : null
  return { files: open.length, sent, size, perSecond: perSecond.value, left }
})

function isOpen(one: Upload): boolean {
  return one.state === 'waiting' || one.state === 'sending' || one.state === 'paused'
}

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
export async function upload(wanted: readonly File[]): Promise<void> {
  follow()
  for (const file of wanted) {
    const key = await keyOf(file)
    const at = list.findIndex((each) => each.key === key)
    const before = list[at]
    if (before && (isOpen(before) || before.state === 'done')) continue
    files.set(key, file)
    const made: Upload = {
      key, name: file.name, size: file.size, sent: before?.sent ?? 0, state: 'waiting', problem: null, path: null,
    }
    if (at >= 0) list.splice(at, 1, made)
    else list.push(made)
  }
  go()
}

/** Show what an earlier page began and did not end: those files can be dropped again, or given up. */
export async function recall(): Promise<void> {
  follow()
  const elsewhere = await lockedKeys()
  for (const one of kept()) {
    if (elsewhere.has(one.key) || list.some((each) => each.key === one.key)) continue
    try {
      const there = await api.uploadPiece(one.key, one.name, one.size, 0, new Blob([]))
      if (there.done || !there.offset) forget(one.key)
      else if (!list.some((each) => each.key === one.key)) {
        const { key, name, size } = one
        list.push({ key, name, size, sent: there.offset, state: 'interrupted', problem: null, path: null })
      }
    } catch (error) {
      if (!(error instanceof Away || error instanceof Refused)) throw error
    }
  }
}

/** Try one again that failed. */
export function retry(key: string): void {
  change(key, { state: 'waiting', problem: null })
  go()
}

/** Stop one, and have the daemon throw away what came; or take one off the list that has ended. */
export function drop(key: string): void {
  const one = list.find((each) => each.key === key)
  if (!one) return
  stops.get(key)?.abort()
  if (one.state !== 'done') void api.cancelUpload(key).catch(() => undefined) // what is left goes by itself after a week
  forget(key)
  leave(key)
  go()
}

/** Keep what has ended on the list while somebody looks at it. */
export function hold(isHeld: boolean): void {
  for (const timer of leaving.values()) clearTimeout(timer)
  leaving.clear()
  if (!isHeld) for (const one of list) if (one.state === 'done') leaveSoon(one)
}

function follow(): void {
  if (following) return
  following = true
  scope.run(() => {
    watch(connection, (now) => {
      if (now === 'live') resume()
    })
    onEvent(({ type, data }) => {
      if (/^root-(added|resumed|came-online)$/.test(type)) goOn()
      else if (/^(pending-|location-)/.test(type)) saw(data)
    })
    useEventListener(window, 'beforeunload', (event) => {
      if (list.some(isOpen)) event.preventDefault()
    })
  })
}

/** A folder is there again that may have been missing. */
function goOn(): void {
  for (const one of list) if (one.state === 'failed' && files.has(one.key)) change(one.key, { state: 'waiting', problem: null })
  go()
}

function saw(data: Record<string, unknown>): void {
  const file = data['file'] as { path?: unknown } | undefined
  if (typeof file?.path !== 'string') return
  found.add(file.path)
  if (found.size > REMEMBERED) found.delete([...found][0] ?? '')
  for (const one of list) if (one.state === 'done' && one.path === file.path) leaveSoon(one)
}

function leaveSoon(one: Upload): void {
  const known = one.path === null || found.has(one.path) || !MODELS.test(one.name)
  clearTimeout(leaving.get(one.key))
  leaving.set(one.key, window.setTimeout(() => leave(one.key), known ? LEAVES_MS : STAYS_MS))
}

function leave(key: string): void {
  clearTimeout(leaving.get(key))
  leaving.delete(key)
  files.delete(key)
  const at = list.findIndex((each) => each.key === key)
  if (list[at]?.state === 'done') forget(key)
  if (at >= 0) list.splice(at, 1)
}

function change(key: string, what: Partial<Upload>): void {
  const at = list.findIndex((each) => each.key === key)
  const before = list[at]
  if (before) list.splice(at, 1, { ...before, ...what })
}

function go(): void {
  measure()
  for (const one of [...list]) {
    if (list.filter((each) => each.state === 'sending').length >= AT_ONCE) return
    if (one.state === 'waiting') void locked(one.key, () => send(one.key))
  }
}

/** Take the bytes that have come. */
function measure(): void {
  const all = uploading.value
  const now = Date.now()
  if (all) rate.add(now, all.sent)
  else rate.clear()
  perSecond.value = rate.perSecond(now)
}

async function send(key: string): Promise<void> {
  const file = files.get(key)
  if (!file) return
  const stop = new AbortController()
  stops.set(key, stop)
  try {
    const tell = (sent: number, why: string | null) => {
      change(key, { sent, problem: why })
      measure()
    }
    const path = await sendFile({ key, file, signal: stop.signal, tell })
    change(key, { state: 'done', sent: file.size, problem: null, path })
    finish(key)
    files.delete(key)
    const one = list.find((each) => each.key === key)
    if (one) leaveSoon(one)
  } catch (error) {
    if (stop.signal.aborted) return
    if (!(await canBeRead(file))) change(key, { state: 'failed', problem: words.pending.upload.unreadable })
    else if (error instanceof Away) pause(key)
    else change(key, { state: 'failed', problem: error instanceof Error ? error.message : String(error) })
    // Never to be taken like this: the next try begins anew.
    if (error instanceof Refused && error.status === 422) forget(key)
  } finally {
    stops.delete(key)
    go()
  }
}

/** Nobody answers: it goes on when the stream is back, or soon, where that never broke. */
function pause(key: string): void {
  change(key, { state: 'paused', problem: null })
  window.setTimeout(() => {
    if (connection.value === 'live') resume()
  }, RETRY_MS)
}

function resume(): void {
  for (const one of list) if (one.state === 'paused') change(one.key, { state: 'waiting' })
  go()
}

/** A file that was changed, moved or removed after it was dropped cannot be read any more. */
async function canBeRead(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer()
    return true
  } catch {
    return false
  }
}

// Another tab sees by the lock that this one is at work on an upload.

async function locked(key: string, work: () => Promise<void>): Promise<void> {
  change(key, { state: 'sending', problem: null })
  // Browsers have no locks on a page that came over a network without encryption.
  const locks = navigator.locks as LockManager | undefined
  await (locks ? locks.request(lockOf(key), work) : work())
}

function lockOf(key: string): string {
  return `hikaze.upload.${key}`
}

async function lockedKeys(): Promise<Set<string>> {
  const locks = navigator.locks as LockManager | undefined
  const held = (await locks?.query())?.held ?? []
  return new Set(kept().map((one) => one.key).filter((key) => held.some((lock) => lock.name === lockOf(key))))
}
