/** Short words about what was just done or could not be done. */

import { shallowReactive } from 'vue'

import { Away } from '../api'
import { words } from '../words'

export interface Toast {
  id: number
  kind: 'done' | 'failed'
  text: string
  /** What can be done about it. */
  action?: { label: string; run: () => void }
}

let last = 0
const shown = shallowReactive<Toast[]>([])

/** The toasts that are up, oldest first. */
export const toasts = shown as readonly Toast[]

const LIFE_MS = { done: 5_000, failed: 12_000 } as const
const MOST = 4

/** Say something. */
export function say(text: string, kind: Toast['kind'] = 'done', action?: Toast['action']): void {
  const id = ++last
  shown.push({ id, kind, text, ...(action && { action }) })
  if (shown.length > MOST) shown.splice(0, shown.length - MOST)
  window.setTimeout(() => dismiss(id), LIFE_MS[kind])
}

/** Take a toast down. */
export function dismiss(id: number): void {
  const at = shown.findIndex((toast) => toast.id === id)
  if (at >= 0) shown.splice(at, 1)
}

/** What to say of an error: the daemon's are sentences that tell what to do; of its silence, what happens next. */
export function told(error: unknown): string {
  if (error instanceof Away) return words.frame.awayMeanwhile
  return error instanceof Error ? error.message : String(error)
}

/** Do something, and say so where it fails. Gives whether it went well. */
export async function attempt(work: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await work()
  } catch (error) {
    say(told(error), 'failed')
    return false
  }
  if (done) say(done)
  return true
}
