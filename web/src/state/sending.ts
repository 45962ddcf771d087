/** One file on its way: asks how much is there, and sends the rest piece by piece. */

import { api, Refused } from '../api'

export const PIECE = 8 * 1024 * 1024 // at most this much is sent again after a lost connection

const WAIT_MS = 1_000
/** So often one waits, in a row, for another request that sends the same upload: the daemon ends a silent one after 60 s. */
const PATIENCE = 65
/** So often one tries again where something else stands in the way, before it is called failed. */
const TRIES = 3

interface Sending {
  key: string
  file: File
  signal: AbortSignal
  /** So many bytes are there; and why it does not go on just now, if it does not. */
  tell: (there: number, why: string | null) => void
}

/** Send a file, from where it stands; gives where it lies, as far as is known. Throws `Away` and `Refused`. */
export async function sendFile({ key, file, signal, tell }: Sending): Promise<string | null> {
  let at: number | null = null // null: it must be asked
  let stopped = 0 // how often in a row it did not go on
  for (;;) {
    let there: number | null
    let why: string | null = null
    try {
      const bytes = at === null ? new Blob([]) : file.slice(at, at + PIECE)
      const answer = await api.uploadPiece(key, file.name, file.size, at ?? 0, bytes, signal)
      if (answer.done) return answer.path
      there = answer.offset
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 409) throw error
      if (stopped >= (error.offset === null ? TRIES : PATIENCE)) throw error
      there = error.offset
      why = error.message
    }
    const moved = there !== null && there !== at
    // A 409 that says where to go on is no obstacle the first time; again and again, another sends it at the same time.
    const goesOn = moved && (why === null || stopped === 0)
    stopped = !moved ? stopped + 1 : why === null ? 0 : 1
    if (there !== null) tell(there, goesOn ? null : why)
    at = there
    if (!goesOn) await pause(signal)
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, WAIT_MS)
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
  })
}
