/** Whether this browser is let in: by the one-time code in the address, else by the key it kept. */

import { reactive, readonly } from 'vue'

import { api, Away, door, keys, Refused } from '../api'
import { begin, end } from '../state/status'
import { words } from '../words'

export type Session =
  | { state: 'opening'; why: string | null }
  | { state: 'open'; why: null }
  | { state: 'locked'; why: string | null }

const RETRY_MS = 1_500
const session = reactive<{ state: Session['state']; why: string | null }>({ state: 'opening', why: null })

/** Open the page, once; gives the session as it comes to be. */
export function useSession() {
  door.lock = () => lock(words.frame.keyNoLongerGood)
  window.addEventListener('hashchange', () => void enter())
  void enter()
  return readonly(session)
}

function lock(why: string | null): void {
  keys.drop()
  end()
  session.state = 'locked'
  session.why = why
}

/** Take the code out of the address at once: it is nobody else's, and good only once. */
function takeCode(): string | null {
  const code = new URLSearchParams(window.location.hash.slice(1)).get('code')
  if (code !== null) {
    window.history.replaceState(window.history.state, '', window.location.pathname + window.location.search)
  }
  return code
}

function told(error: unknown): string {
  if (error instanceof Away) return words.frame.opening
  return error instanceof Error ? error.message : String(error)
}

async function enter(again: string | null = null): Promise<void> {
  const code = takeCode() ?? again
  if (code === null && session.state === 'open') return
  try {
    if (code !== null) {
      const got = await api.redeem(code)
      keys.keep(got.token, got.image_key)
    }
    if (keys.token === null) return lock(null)
    if (session.state !== 'open') await begin()
    session.state = 'open'
    session.why = null
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      // A link that was used before, in a browser that has its key already.
      if (code !== null && keys.token !== null) return enter()
      return lock(code === null ? words.frame.keyNoLongerGood : error.message)
    }
    // Not let in, and not refused for good: it tries again, and says so.
    session.why = told(error)
    if (session.state === 'locked') session.state = 'opening'
    window.setTimeout(() => void enter(code), RETRY_MS)
  }
}
