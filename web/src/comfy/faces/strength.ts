/** How strengths are written, read and moved. */

const MOST = 100 // as ComfyUI's own loaders have it
const DIGITS = 4

/** "1.00", "0.85", "0.125": two digits, or as many as it needs. */
export function shown(value: number): string {
  const exact = String(round(value))
  const [, fraction = ''] = exact.split('.')
  return fraction.length > 2 ? exact : value.toFixed(2)
}

/** What somebody typed, with a point or a comma; null where that is no number. */
export function parse(text: string): number | null {
  const plain = text.trim().replace(',', '.').replace('−', '-')
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)$/.test(plain)) return null
  return within(Number(plain))
}

/** A value so many steps further, without the dust of binary fractions. */
export function stepped(value: number, steps: number, step: number): number {
  return within(round(value + steps * step))
}

function round(value: number): number {
  return Number(value.toFixed(DIGITS))
}

function within(value: number): number {
  return Math.min(MOST, Math.max(-MOST, value)) || 0
}
