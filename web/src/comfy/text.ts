/** A node's text, which widget and face have in common: whoever writes it, the others hear of it. */

export interface SharedText {
  get: () => string
  set: (text: string) => void
  /** Hear of every change. Gives what ends it. */
  on: (listener: (text: string) => void) => () => void
}

export function sharedText(text: string): SharedText {
  const listeners = new Set<(text: string) => void>()
  return {
    get: () => text,
    set: (now) => {
      if (now === text) return
      text = now
      for (const listener of [...listeners]) listener(now)
    },
    on: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
