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
}

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
export function keyOf(file: File): string {
  const all = kept()
  const same = all.find((one) => one.name === file.name && one.size === file.size && one.changed === file.lastModified)
  if (same) return same.key
  const made = { key: newKey(), name: file.name, size: file.size, changed: file.lastModified }
  write([...all, made])
  return made.key
}

/** Keep a key no longer: its upload is done, or was cancelled. */
export function forget(key: string): void {
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
