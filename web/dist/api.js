// The API: the only file that knows an address of the daemon, and the keys that open it.

export const keys = {
  get token() { return localStorage.getItem('hikaze.token') },
  get image() { return localStorage.getItem('hikaze.image-key') },
  keep({ token, image_key }) {
    localStorage.setItem('hikaze.token', token)
    localStorage.setItem('hikaze.image-key', image_key)
  },
  drop() {
    localStorage.removeItem('hikaze.token')
    localStorage.removeItem('hikaze.image-key')
  },
}

/** A refusal of the daemon; the message says what to do, `at` where in a query it could not go on. */
export class Refused extends Error {
  constructor(status, detail, at) {
    super(detail)
    this.status = status
    this.at = at
  }
}

/** Nobody answers. The stream sees to it that this is said and that the page tries again. */
export class Away extends Error {}

async function reach(path, options) {
  try {
    return await fetch(path, { cache: 'no-store', ...options })
  } catch (error) {
    throw new Away('hikazed does not answer; try again in a moment.', { cause: error })
  }
}

function headers(more = {}) {
  return { Authorization: `Bearer ${keys.token ?? ''}`, 'X-Hikaze': '1', 'X-Hikaze-Actor': 'page', ...more }
}

async function call(method, path, { query = {}, body, version } = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '')
  const search = given.length ? `?${new URLSearchParams(given)}` : ''
  const typed = body === undefined ? {} : { 'Content-Type': 'application/json' }
  const guarded = version === undefined ? {} : { 'If-Match': `"${version}"` }
  const answer = await reach(path + search, { method, headers: headers({ ...typed, ...guarded }), body: body && JSON.stringify(body) })
  const value = await answer.json().catch(() => ({}))
  if (answer.ok) return value
  if (path !== '/api/session') lockIf(answer)
  throw new Refused(answer.status, value.detail ?? `The daemon answered ${answer.status}.`, value.at)
}

/** What happens when the key is no longer good; the page says so. */
export const door = { lock: () => {} }

export function lockIf(answer) {
  if (answer.status === 401 && keys.token) door.lock('The key that this browser kept is no longer good.')
}

export const api = {
  redeem: (code) => call('POST', '/api/session', { body: { code } }),
  status: () => call('GET', '/api/status'),
  types: () => call('GET', '/api/models/get_types'),
  models: (query) => call('GET', '/api/models', { query }),
  model: (sha256) => call('GET', `/api/models/${sha256}`),
  /** Change a model as it was at a version; refused (412) where somebody else has changed it meanwhile. */
  edit: (sha256, body, version) => call('PATCH', `/api/models/${sha256}`, { body, version }),
  pictureInfo: (name) => call('GET', `/api/images/${name}/info`),
  pending: (query) => call('GET', '/api/migration/pending_models', { query }),
  pendingWhole: (id) => call('GET', '/api/migration/pending_model', { query: { id } }),
  editPending: (id, body, version) => call('PATCH', '/api/migration/pending_model', { query: { id }, body, version }),
  dismiss: (id) => call('DELETE', '/api/migration/pending_model', { query: { id } }),
  // A list is queued and answered at once. One id alone would hold one of the browser's six connections until the
  // file is hashed: six large imports, and the page would stand still.
  importThese: (ids, strategy = null) =>
    call('POST', '/api/migration/import_a_model', { body: { id: ids, conflict_strategy: strategy } }),
  importAll: () => call('POST', '/api/migration/import_a_model', { body: { id: 'all' } }),
  cancelImports: () => call('DELETE', '/api/migration/import_a_model'),
  migrate: (folder) => call('POST', '/api/migration/migrate_legacy_db', { body: { legacy_db_path: folder } }),
  cancelMigration: () => call('DELETE', '/api/migration/migrate_legacy_db'),
  pendingPicture: (id, at) => `/api/images/pending/${id}?${new URLSearchParams({ k: keys.image ?? '', at })}`,
  picture: (sha256, seq, quality) =>
    `/api/images/${sha256}_${seq}.webp?${new URLSearchParams({ quality, k: keys.image ?? '' })}`,
  async events(after, signal) {
    const since = after === null ? {} : { 'Last-Event-ID': String(after) }
    const wanted = headers({ Accept: 'text/event-stream', ...since })
    const answer = await reach('/api/events', { headers: wanted, signal })
    lockIf(answer)
    if (!answer.ok) throw new Refused(answer.status, `The daemon answered ${answer.status}.`)
    return answer.body
  },
}
