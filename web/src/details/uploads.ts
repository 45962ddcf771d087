/**
 * Pictures on their way to a model, one after the other, so that they stand in the order in which they were given.
 * They go on when the pane is closed, and one that failed stays until it went well or was given up.
 */

import { computed, reactive, watch } from 'vue'

import { api } from '../api'
import type { Sha } from '../shapes'
import { state as connection } from '../state/live'
import { words } from '../words'
import { isPassing } from './useEditing'

export interface Upload {
  readonly id: number
  readonly sha256: Sha
  readonly file: File
  state: 'waiting' | 'going' | 'failed'
  why: string | null
  /** Whether it goes again by itself as soon as somebody answers. */
  waitsForDaemon: boolean
}

type Send = (sha256: Sha, file: File) => Promise<{ seq: number }>

/** Make the list of pictures on their way; `send` sends one. */
export function makeUploads(send: Send) {
  const all = reactive<Upload[]>([])
  let last = 0
  let isGoing = false

  function add(sha256: Sha, files: Iterable<File>): void {
    for (const file of files) {
      const isPicture = file.type === '' || file.type.startsWith('image/')
      all.push({
        id: ++last, sha256, file, waitsForDaemon: false,
        state: isPicture ? 'waiting' : 'failed',
        why: isPicture ? null : words.details.pictures.noPicture,
      })
    }
    void go()
  }

  async function go(): Promise<void> {
    if (isGoing) return
    isGoing = true
    for (let next = waiting(); next; next = waiting()) await one(next)
    isGoing = false
    heed()
  }

  function waiting(): Upload | undefined {
    return all.find((each) => each.state === 'waiting')
  }

  async function one(upload: Upload): Promise<void> {
    upload.state = 'going'
    heed()
    try {
      await send(upload.sha256, upload.file)
      drop(upload.id)
    } catch (error) {
      upload.state = 'failed'
      upload.waitsForDaemon = isPassing(error)
      upload.why = upload.waitsForDaemon ? words.details.pictures.away : error instanceof Error ? error.message : String(error)
    }
  }

  function retry(id: number): void {
    const upload = all.find((each) => each.id === id)
    if (upload?.state !== 'failed') return
    upload.state = 'waiting'
    upload.why = null
    void go()
  }

  function drop(id: number): void {
    const at = all.findIndex((each) => each.id === id)
    if (at >= 0) all.splice(at, 1)
    heed()
  }

  /** Somebody answers again. */
  function again(): void {
    for (const upload of all) if (upload.waitsForDaemon) retry(upload.id)
  }

  function heed(): void {
    if (all.some((each) => each.state !== 'failed' || each.waitsForDaemon)) window.addEventListener('beforeunload', warn)
    else window.removeEventListener('beforeunload', warn)
  }

  return { all: all as readonly Upload[], add, retry, drop, again }
}

const warn = (event: BeforeUnloadEvent): void => event.preventDefault()

const uploads = makeUploads((sha256, file) => api.addPicture(sha256, file))
watch(connection, (now, before) => {
  if (now === 'live' && before !== 'live') uploads.again()
})

/** The pictures on their way to one model. */
export function useUploads(sha256: Sha) {
  return {
    items: computed(() => uploads.all.filter((each) => each.sha256 === sha256)),
    add: (files: Iterable<File>) => uploads.add(sha256, files),
    retry: uploads.retry,
    drop: uploads.drop,
  }
}
