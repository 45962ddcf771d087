/**
 * The keys of unfinished uploads, kept by the browser: the same file that is dropped again, after the page or the
 * browser was closed, goes on under the same key.
 */

const KEPT = 'hikaze.uploads'

export interface KeptUpload {
  key: string
  name: string
  size: number
  /** When the file was last changed: another file of the same name and size is another upload. */
  changed: number
  /** What it begins and ends with, in short: two files may have the same name, size and time. */
  ends: string
}

const finished: KeptUpload[] = [] // of this page: it takes a file once, however often it is dropped
const END = 64 * 1024 // bytes of each end: a model's header differs where anything of it does

/** Give all that is kept; what cannot be read counts as nothing. */
export function kept(): KeptUpload[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '[]')
    return Array.isArray(found) ? found.filter(isKept) : []
  } catch {
    return []
  }
}

function isKept(value: unknown): value is KeptUpload {
  const one = value as Partial<KeptUpload> | null
  return typeof one?.key === 'string' && typeof one.name === 'string' && typeof one.size === 'number'
}

/** Give the key of a file: the one it had, else a new one, which is kept from now on. */
export async function keyOf(file: File): Promise<string> {
  const ends = await endsOf(file)
  const { name, size, lastModified: changed } = file
  const all = kept()
  const same = [...all, ...finished].find((one) => one.name === name && one.size === size && one.changed === changed && one.ends === ends)
  if (same) return same.key
  const made = { key: newKey(), name, size, changed, ends }
  write([...all, made])
  return made.key
}

async function endsOf(file: File): Promise<string> {
  const tail = file.slice(Math.max(END, file.size - END))
  const ends = new Uint8Array(await new Blob([file.slice(0, END), tail]).arrayBuffer())
  return `${fnv(ends, 0x811c9dc5)}-${fnv(ends, 0x9747b28c)}`
}

/** FNV-1a with 32 bits (RFC 9923): it tells files apart that nobody made alike on purpose. */
function fnv(bytes: Uint8Array, seed: number): string {
  let hash = seed
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16)
}

/** Keep the key of a finished upload for this page only. */
export function finish(key: string): void {
  const one = kept().find((each) => each.key === key)
  forget(key)
  if (one) finished.push(one)
}

/** Keep a key no longer. */
export function forget(key: string): void {
  const at = finished.findIndex((one) => one.key === key)
  if (at >= 0) finished.splice(at, 1)
  write(kept().filter((one) => one.key !== key))
}

function write(all: readonly KeptUpload[]): void {
  try {
    localStorage.setItem(KEPT, JSON.stringify(all))
  } catch {
    // A browser that keeps nothing: the upload works, and begins anew after a reload.
  }
}

function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
