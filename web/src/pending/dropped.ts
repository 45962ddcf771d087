/** The files in what was dropped: of a folder all that lie in it, however deep. */

/** More than anybody drops on purpose; a whole disk that is dropped by mistake is not walked for hours. */
export const MOST_FILES = 5_000

export interface Dropped {
  files: File[]
  /** Whether there were more than are taken at once. */
  tooMany: boolean
}

/** Read what was dropped. Call it within the drop event: afterwards the browser gives nothing any more. */
export function filesOf(transfer: DataTransfer): Promise<Dropped> {
  const plain = [...transfer.files]
  const entries = [...transfer.items]
    .filter((item) => item.kind === 'file')
    .map((item) => item.webkitGetAsEntry?.() ?? null)
  if (!entries.some((entry) => entry?.isDirectory)) return Promise.resolve({ files: plain, tooMany: false })
  return walk(entries.filter((entry) => entry !== null))
}

async function walk(entries: FileSystemEntry[]): Promise<Dropped> {
  const files: File[] = []
  const open = [...entries]
  for (let entry = open.shift(); entry; entry = open.shift()) {
    if (files.length >= MOST_FILES) return { files, tooMany: true }
    // One that cannot be read is left out: the browser does not say why.
    if (entry.isDirectory) open.push(...(await inside(entry as FileSystemDirectoryEntry).catch(() => [])))
    else if (!entry.name.startsWith('.')) files.push(...(await fileOf(entry as FileSystemFileEntry).catch(() => [])))
  }
  return { files, tooMany: false }
}

async function inside(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader()
  const found: FileSystemEntry[] = []
  for (;;) {
    // It gives about a hundred at once, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (!some.length || found.length >= MOST_FILES) return found
    found.push(...some)
  }
}

async function fileOf(entry: FileSystemFileEntry): Promise<File[]> {
  return [await new Promise<File>((resolve, reject) => entry.file(resolve, reject))]
}
