/** How quickly bytes go, over the last few seconds: steady enough to be read, quick enough to be true. */

const SPAN_MS = 8_000
const LEAST_MS = 1_000

export class Rate {
  private marks: { at: number; bytes: number }[] = []

  /** So many bytes are there in all. Where they have become fewer, it is measured anew. */
  add(at: number, bytes: number): void {
    const last = this.marks.at(-1)
    if (last && bytes < last.bytes) this.marks = []
    this.marks.push({ at, bytes })
    // The one before the span stays: the span begins there.
    while (this.marks.length > 2 && (this.marks[1]?.at ?? at) < at - SPAN_MS) this.marks.shift()
  }

  /** Give the bytes a second; null while that cannot be told. */
  perSecond(now: number): number | null {
    const [first, last] = [this.marks[0], this.marks.at(-1)]
    if (!first || !last || last.at - first.at < LEAST_MS) return null
    return ((last.bytes - first.bytes) * 1000) / (now - first.at)
  }

  clear(): void {
    this.marks = []
  }
}
