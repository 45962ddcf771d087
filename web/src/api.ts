/** The API of the daemon: the only file that knows an address, and the keys that open it. */

import type {
  FoundPage, ImageInfo, LoraSet, LoraSetBody, ManyPatch, ManyWritten, Migrated, ModelPatch, ModelWhole, Page, Patch,
  PendingCard, PendingWhole, Quality, Resolved, Root, Sha, Sort, Status, Strategy, Tag, TypeCount, Uploaded, Way,
} from './shapes'

const TOKEN = 'hikaze.token'
const IMAGE_KEY = 'hikaze.image-key'

/** What this browser keeps to be let in. */
export const keys = {
  get token(): string | null {
    return localStorage.getItem(TOKEN)
  },
  get image(): string {
    return localStorage.getItem(IMAGE_KEY) ?? ''
  },
  keep(token: string, imageKey: string): void {
    localStorage.setItem(TOKEN, token)
    localStorage.setItem(IMAGE_KEY, imageKey)
  },
  drop(): void {
    localStorage.removeItem(TOKEN)
    localStorage.removeItem(IMAGE_KEY)
  },
}

/** A refusal of the daemon. The message says what to do. */
export class Refused extends Error {
  override readonly name = 'Refused'

  /** `at`: where in a query it could not go on, in characters from 0. `offset`: where a piece of an upload begins. */
  readonly status: number
  readonly at: number | null
  readonly offset: number | null

  constructor(status: number, detail: string, at: number | null = null, offset: number | null = null) {
    super(detail)
    this.status = status
    this.at = at
    this.offset = offset
  }
}

/** Nobody answers. */
export class Away extends Error {
  override readonly name = 'Away'

  constructor(cause: unknown) {
    super('hikazed does not answer', { cause })
  }
}

let base = ''

/**
 * Ask through ComfyUI's server from now on: `address` is what stands before the daemon's paths there. It lets nobody in
 * but its own pages, which therefore need no key.
 */
export function goThrough(address: string): void {
  base = address
}

/** What is done when the daemon takes the key no longer; the frame puts up the door. */
export const door = { lock: (): void => {} }

type Query = Record<string, string | number | boolean | null | undefined | string[] | number[]>

interface Options {
  query?: Query
  body?: unknown
  /** Bytes in place of JSON. */
  bytes?: Blob | FormData
  /** The version that a write rests on: 412 where somebody else has written since. */
  version?: number
  signal?: AbortSignal
}

function address(path: string, query: Query = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === '') continue
    for (const each of Array.isArray(value) ? value : [value]) search.append(name, String(each))
  }
  const said = search.toString()
  return `${base}${path}${said ? `?${said}` : ''}`
}

function headers(more: Record<string, string> = {}): Record<string, string> {
  const key: Record<string, string> = base ? {} : { Authorization: `Bearer ${keys.token ?? ''}` }
  return { ...key, 'X-Hikaze': '1', 'X-Hikaze-Actor': base ? 'overlay' : 'page', ...more }
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { cache: 'no-store', ...init })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new Away(error)
  }
}

interface ProblemBody {
  detail?: string
  /** That ComfyUI's server says it, and not the daemon; `away`: there is nobody to ask. */
  way?: 'away' | 'refused' | 'viewer'
  at?: number
  offset?: number
}

/** Where the daemon took a key no longer: that of the request, and not one that another tab has been given since. */
function lockIf(answer: Response, token: string | null): void {
  if (answer.status === 401 && token && token === keys.token) door.lock()
}

async function send(method: string, path: string, options: Options): Promise<Response> {
  const more: Record<string, string> = {}
  if (options.body !== undefined) more['Content-Type'] = 'application/json'
  if (options.bytes instanceof Blob) more['Content-Type'] = 'application/octet-stream'
  if (options.version !== undefined) more['If-Match'] = `"${options.version}"`
  return reach(address(path, options.query), {
    method,
    headers: headers(more),
    body: options.bytes ?? (options.body === undefined ? null : JSON.stringify(options.body)),
    signal: options.signal ?? null,
  })
}

async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const token = keys.token
  const answer = await send(method, path, options)
  if (answer.ok) return (await whole(answer, options.signal)) as T
  if (path !== SESSION) lockIf(answer, token)
  const problem = (await answer.json().catch(() => ({}))) as ProblemBody
  if (problem.way === 'away') throw new Away(problem.detail)
  throw new Refused(
    answer.status, problem.detail ?? `The daemon answered ${answer.status}.`, problem.at ?? null, problem.offset ?? null,
  )
}

/** Read an answer; where the connection broke before its end, nobody answered. */
async function whole(answer: Response, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    return await answer.json()
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Away(error)
  }
}

const SESSION = '/api/session'
const MODELS = '/api/models'
const PENDING = '/api/migration/pending_model'
const IMPORT = '/api/migration/import_a_model'
const UPLOAD = '/api/migration/upload'
const SETS = '/api/lora-sets'
const MIGRATE = '/api/migration/migrate_legacy_db'

export interface ListQuery {
  type?: string | null
  q?: string
  tag?: string[]
  not_tag?: string[]
  sort?: Sort | null
  offset?: number
  limit?: number
  facets?: number
}

export const api = {
  redeem: (code: string) => call<{ token: string; image_key: string }>('POST', SESSION, { body: { code } }),
  status: () => call<Status>('GET', '/api/status'),
  types: () => call<Page<TypeCount>>('GET', '/api/models/get_types'),
  tags: (cursor: string | null = null) => call<Page<Tag>>('GET', '/api/tags', { query: { limit: 1000, cursor } }),

  /** A page of models from `offset` on, with how many there are. */
  models: (query: ListQuery, signal?: AbortSignal) =>
    call<FoundPage>('GET', MODELS, { query: { ...query }, ...(signal && { signal }) }),
  model: (sha256: Sha) => call<ModelWhole>('GET', `${MODELS}/${sha256}`),
  edit: (sha256: Sha, body: ModelPatch, version?: number) =>
    call<ModelWhole & { position: number }>('PATCH', `${MODELS}/${sha256}`, { body, ...(version !== undefined && { version }) }),
  editMany: (body: ManyPatch) => call<ManyWritten>('PATCH', MODELS, { body }),

  addPicture(sha256: Sha, picture: File) {
    const form = new FormData()
    form.append('sha256', sha256)
    form.append('image', picture)
    return call<{ base_name: string; seq: number; position: number }>('POST', '/api/images/upload', { bytes: form })
  },
  removePicture: (sha256: Sha, seq: number) =>
    call<{ position: number }>('DELETE', '/api/images/delete', { query: { sha256, seq } }),
  pictureInfo: (base: string) => call<ImageInfo>('GET', `/api/images/${base}/info`),
  pendingPictureInfo: (id: number) => call<ImageInfo>('GET', `/api/images/pending/${id}/info`),
  /** Where a picture is to be had; its bytes never change. `base` is `<sha256>_<seq>`. */
  picture: (base: string, quality: Quality) => address(`/api/images/${base}.webp`, { quality, k: keys.image }),
  /** Where the picture of a pending model is to be had; `at` changes when it does. */
  pendingPicture: (id: number, at: string | number) => address(`/api/images/pending/${id}`, { k: keys.image, at }),

  pending: (query: Query) =>
    call<Page<PendingCard> & { total?: number }>('GET', '/api/migration/pending_models', { query }),
  pendingWhole: (id: number) => call<PendingWhole>('GET', PENDING, { query: { id } }),
  editPending: (id: number, body: Patch, version?: number) =>
    call<PendingWhole & { position: number }>('PATCH', PENDING, { query: { id }, body, ...(version !== undefined && { version }) }),
  dismiss: (id: number) => call<{ position: number }>('DELETE', PENDING, { query: { id } }),
  givePendingPicture(id: number, picture: File) {
    const form = new FormData()
    form.append('image', picture)
    return call<{ position: number }>('POST', `/api/images/pending/${id}`, { bytes: form })
  },

  // A list is queued and answered at once. One id alone would hold one of the browser's six connections until the
  // file is hashed: six large imports, and the page would stand still.
  importThese: (ids: number[] | 'all' | 'conflict' | 'failed', strategy: Strategy | null = null, type: string | null = null) =>
    call<{ queued: number; action: string; position: number }>('POST', IMPORT, {
      body: { id: ids, conflict_strategy: strategy, type },
    }),
  /** Cancel imports: those of these pending models, or all that wait. */
  cancelImports: (ids: number[] = []) =>
    call<{ cancelled: number; position: number }>('DELETE', IMPORT, { query: { id: ids } }),

  /** Send a piece of a file, from `offset` on; without bytes: ask how much is there. */
  uploadPiece: (key: string, name: string, size: number, offset: number, bytes: Blob, signal?: AbortSignal) =>
    call<Uploaded>('POST', UPLOAD, { query: { upload: key, name, size, offset }, bytes, ...(signal && { signal }) }),
  cancelUpload: (key: string) => call<unknown>('DELETE', UPLOAD, { query: { upload: key } }),

  roots: () => call<Page<Root>>('GET', '/api/roots'),
  addRoot: (path: string, kind: Root['kind'], type: string | null) =>
    call<Root & { position: number }>('POST', '/api/roots', { body: { path, kind, ...(type && { type }) } }),
  pauseRoot: (id: number, paused: boolean) => call<Root>('PATCH', `/api/roots/${id}`, { body: { paused } }),
  removeRoot: (id: number) => call<{ position: number }>('DELETE', `/api/roots/${id}`),
  scan: () => call<Record<string, unknown>>('POST', '/api/scan', { body: {} }),

  loraSets: () => call<Page<LoraSet>>('GET', SETS),
  addLoraSet: (body: LoraSetBody) => call<LoraSet>('POST', SETS, { body }),
  changeLoraSet: (id: number, body: LoraSetBody, version: number) => call<LoraSet>('PUT', `${SETS}/${id}`, { body, version }),
  removeLoraSet: (id: number, version: number) => call<{ position: number }>('DELETE', `${SETS}/${id}`, { version }),

  /** What lies at a path: a model of the library, or a pending one. */
  atPath: (path: string) =>
    call<{ model: ModelWhole | null; pending: PendingCard | null }>('GET', MODELS, { query: { path } }),
  /** Where a file that a node names lies now: by its path, else its content, else its name. */
  resolve: (named: { path?: string; sha256?: Sha | null; name?: string }) =>
    call<Resolved>('GET', '/api/resolve', { query: { ...named } }),

  /** What ComfyUI's server says of the way to the daemon. */
  way: () => call<Way>('GET', '-way'),
  /** Have ComfyUI start the daemon; answers when it is there. */
  startDaemon: () => call<{ daemon: boolean }>('POST', '-start'),

  migrate: (folder: string) => call<Migrated>('POST', MIGRATE, { body: { legacy_db_path: folder } }),
  cancelMigration: () => call<unknown>('DELETE', MIGRATE),

  /** The live stream, as bytes, from behind a position on (null: from now on). */
  async events(after: number | null, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const since: Record<string, string> = after === null ? {} : { 'Last-Event-ID': String(after) }
    const token = keys.token
    const answer = await reach(address('/api/events'), { headers: headers({ Accept: 'text/event-stream', ...since }), signal })
    lockIf(answer, token)
    if (!answer.ok || !answer.body) throw new Refused(answer.status, `The daemon answered ${answer.status}.`)
    return answer.body
  },
}
