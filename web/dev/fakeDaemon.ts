/**
 * The daemon, played by vite's server, at `/made-up` followed by the addresses that it has in ComfyUI: /hikaze/api/…,
 * /hikaze-way and /hikaze-start. It forgets everything when it is started anew. `POST /made-up/hikaze-fake?away=1` has it be
 * gone, `?away=0` back. (`way.ts` is the way to a real one.)
 */

import type { Plugin } from 'vite'

import type { LoraSetBody, ModelWhole } from '../src/shapes'
import { countOf, library, painting, statusOf, tagsOf, typesOf } from './fakeLibrary.ts'
import type { Library } from './fakeLibrary.ts'

interface Asked {
  method: string
  path: string
  query: URLSearchParams
  body: unknown
}

interface Answer {
  status: number
  body: unknown
  /** What it is, where that is no JSON. */
  kind?: string
}

const PLACE = '/made-up'
const HEARTBEAT_MS = 10_000
const ok = (body: unknown): Answer => ({ status: 200, body })
const problem = (status: number, detail: string): Answer => ({ status, body: { detail } })
const UNKNOWN = problem(404, 'The made-up daemon does not know this.')

/** A daemon with a library of its own; what it is asked is answered at once. */
export function fakeDaemon() {
  const own = library()
  let isAway = false
  return {
    get isAway() {
      return isAway
    },
    answer(asked: Asked): Answer {
      if (asked.path === '/hikaze-fake') {
        isAway = asked.query.get('away') === '1'
        return ok({ away: isAway })
      }
      if (asked.path === '/hikaze-way') return ok({ daemon: !isAway, access: 'full', can_start: true, how: 'Start it with: hikazed run' })
      if (asked.path === '/hikaze-start') isAway = false
      if (asked.path === '/hikaze-start') return ok({ daemon: true })
      return isAway ? problem(502, 'hikazed does not answer.') : ofApi(own, { ...asked, path: asked.path.replace('/hikaze', '') })
    },
  }
}

function ofApi(own: Library, asked: Asked): Answer {
  const [, , subject = '', id = ''] = asked.path.split('/')
  switch (subject) {
    case 'status':
      return ok(statusOf(own))
    case 'tags':
      return ok({ items: tagsOf(own), next: null })
    case 'models':
      return ofModels(own, asked, id)
    case 'images':
      return id === 'pending' ? UNKNOWN : { status: 200, body: painting(id), kind: 'image/svg+xml' }
    case 'migration':
      return ofPending(own, asked, id)
    case 'lora-sets':
      return ofSets(own, asked, Number(id))
    case 'resolve':
      return resolve(own, asked.query)
    case 'roots':
      return ok({ items: [], next: null })
    default:
      return UNKNOWN
  }
}

function ofModels(own: Library, { method, query, body }: Asked, id: string): Answer {
  if (id === 'get_types') return ok({ items: typesOf(own), next: null })
  if (id) {
    const found = own.models.find((one) => one.sha256 === id)
    if (!found) return UNKNOWN
    if (method === 'PATCH') Object.assign(found, body, { version: found.version + 1 })
    if (method === 'PATCH') own.position += 1
    return ok({ ...found, position: own.position })
  }
  const path = query.get('path')
  return path === null ? ok(page(own, query)) : atPath(own, path)
}

function atPath(own: Library, path: string): Answer {
  const model = own.models.find((one) => one.locations.some((location) => location.path === path)) ?? null
  const pending = own.pending.find((one) => one.path === path) ?? null
  return model ?? pending ? ok({ model, pending }) : UNKNOWN
}

function page(own: Library, query: URLSearchParams) {
  const found = own.models.filter((one) => isMeant(one, query))
  const sort = query.get('sort') ?? 'name'
  found.sort((a, b) => (sort.endsWith('added') ? a.created_at - b.created_at : a.name.localeCompare(b.name)))
  if (sort.startsWith('-')) found.reverse()
  const offset = Number(query.get('offset') ?? 0)
  const limit = Number(query.get('limit') ?? 100)
  const tags = tagsOf(own).map(({ name }) => ({ name, count: countOf(found, name) })).filter(({ count }) => count)
  return {
    items: found.slice(offset, offset + limit).map((one) => ({ ...one, found_by: null, earlier: null })),
    next: null, total: found.length, facets: { tags, types: [] },
  }
}

function isMeant(one: ModelWhole, query: URLSearchParams): boolean {
  const words = (query.get('q') ?? '').toLowerCase().split(/\s+/).filter((word) => word && !/[:]|^or$/.test(word))
  const type = query.get('type')
  return (!type || one.type === type) && words.every((word) => one.name.toLowerCase().includes(word)) &&
    query.getAll('tag').every((tag) => one.tags.includes(tag)) && !query.getAll('not_tag').some((tag) => one.tags.includes(tag))
}

function ofPending(own: Library, { method, query }: Asked, what: string): Answer {
  if (what === 'pending_models') return ok({ items: own.pending, next: null, total: own.pending.length })
  const found = own.pending.find((one) => String(one.id) === query.get('id'))
  return what === 'pending_model' && found && method === 'GET' ? ok(found) : UNKNOWN
}

function ofSets(own: Library, { method, body }: Asked, id: number): Answer {
  if (method === 'GET') return ok({ items: own.sets, next: null })
  if (method === 'POST') {
    const made = { ...(body as LoraSetBody), id: own.sets.length + 1, created: Date.now(), changed: Date.now(), version: 1 }
    own.sets.push(made)
    return ok(made)
  }
  const at = own.sets.findIndex((one) => one.id === id)
  const [found] = own.sets.splice(at, at < 0 ? 0 : 1)
  if (!found) return UNKNOWN
  if (method === 'DELETE') return ok({ position: own.position })
  own.sets.push({ ...found, ...(body as LoraSetBody), changed: Date.now(), version: found.version + 1 })
  return ok(own.sets.at(-1))
}

function resolve(own: Library, query: URLSearchParams): Answer {
  const named = own.models.find((one) => one.locations.some(({ path }) => path === query.get('path')) ||
    one.sha256 === query.get('sha256') || one.name === query.get('name'))
  const path = query.get('path')
  const here = named?.path === path || own.pending.some((one) => one.path === path)
  const candidates = named?.path
    ? [{ path: named.path, name: named.name, type: named.type, sha256: named.sha256, pending: null, size_bytes: named.size_bytes, by: 'sha256' }]
    : []
  return ok({ here, found_by: named ? 'sha256' : null, path: named?.path ?? null, candidates })
}

/** Have vite's server play the daemon. */
export function playDaemon(): Plugin {
  return {
    name: 'hikaze-fake-daemon',
    apply: 'serve',
    configureServer({ middlewares }) {
      const daemon = fakeDaemon()
      middlewares.use((request, response, next) => {
        const url = new URL(request.url ?? '/', 'http://localhost')
        if (!url.pathname.startsWith(`${PLACE}/hikaze`)) return next()
        const path = url.pathname.slice(PLACE.length)
        if (path === '/hikaze/api/events' && !daemon.isAway) {
          response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(':\n\n')
          const beat = setInterval(() => {
            if (daemon.isAway) response.end()
            else response.write(':\n\n')
          }, HEARTBEAT_MS)
          request.on('close', () => clearInterval(beat))
          return
        }
        const parts: Buffer[] = []
        request.on('data', (part: Buffer) => parts.push(part))
        request.on('end', () => {
          const text = Buffer.concat(parts).toString()
          const body: unknown = text ? JSON.parse(text) : null
          const asked = { method: request.method ?? 'GET', path, query: url.searchParams, body }
          const { status, body: said, kind = 'application/json' } = daemon.answer(asked)
          response.writeHead(status, { 'Content-Type': kind, 'Cache-Control': 'no-store' })
          response.end(typeof said === 'string' ? said : JSON.stringify(said))
        })
      })
    },
  }
}
