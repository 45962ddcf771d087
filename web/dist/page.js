// The plain page of Hikaze: what runs, what is pending, what is in the library. No framework, no build step.
//
// The daemon's answers are the only state: an action is sent, the events it causes come back in the stream, and
// the lists are read again. Names and texts come from strangers' files: they become text nodes, never markup.

import { Refused, api, door, keys } from './api.js'
import { closeDetails, detailsChanged, listenToDetails, openDetails } from './details.js'
import {
  $, attempt, counted, debounced, fileName, firstButton, guarded, h, reconcile, said, sentence, size, toast, whole,
} from './elements.js'
import {
  closeMigration, listenToMigration, migrationEnded, migrationInStatus, migrationProgressed, migrationUnderWay,
} from './migration.js'

// Lists that grow by pages -------------------------------------------------------------------------------

const MOST = 1000 // items the daemon gives at once

/** A list read by pages. Requests go one after another, and an answer to an older question is dropped. */
function paged(first, step, fetchPage, show) {
  const list = { items: [], next: null, wanted: first, question: 0 }
  let last = Promise.resolve()
  const inTurn = (work) => (last = last.then(work, work))

  list.reload = () =>
    inTurn(async () => {
      const question = list.question
      const items = []
      let next = null
      do {
        const page = await fetchPage({ limit: Math.min(MOST, list.wanted - items.length), cursor: next })
        items.push(...page.items)
        next = page.next
      } while (next && items.length < list.wanted)
      if (question === list.question) show(Object.assign(list, { items, next }))
    })
  list.more = () =>
    inTurn(async () => {
      if (!list.next) return
      const question = list.question
      const page = await fetchPage({ limit: step, cursor: list.next })
      if (question !== list.question) return
      list.items.push(...page.items)
      list.wanted = Math.max(list.items.length, first)
      show(Object.assign(list, { next: page.next }))
    })
  list.ask = () => {
    list.question += 1
    list.wanted = first
    return list.reload()
  }
  return list
}

// Pending models -----------------------------------------------------------------------------------------

const FATES = {
  place: 'The file stays, as one more copy.',
  trash: 'The file goes to the trash.',
  home: 'The file takes the place of the lost one.',
}

/** What can be done about content that is known: the strategy, its title, and what it does. */
function strategies(item, model) {
  const fate = FATES[item.in_place ? 'place' : model && model.state !== 'present' ? 'home' : 'trash']
  return [
    ['merge', 'Merge', `Add the tags, texts and picture that the model lacks. ${fate}`],
    ['override', 'Override', `Let what was given to this one replace the old: name, texts, tags, picture. ${fate}`],
    ['ignore', 'Ignore', 'Leave the file and the model as they are.'],
    ['delete', 'Delete', 'Send the file to the trash. The model stays as it is.'],
  ]
}

let types = []
let typeNames = []
const local = new Map() // by pending id: what this page alone knows: {asking, progress, refused, pictured}
const existing = new Map() // models that conflicts name, by hash

const about = (id) => local.get(id) ?? {}
function note(id, change) {
  local.set(id, { ...about(id), ...change })
  showPending(pending)
}

const pending = paged(6, 30, api.pending, (list) => {
  const here = new Set(list.items.map((item) => item.id))
  for (const id of local.keys()) if (!here.has(id)) local.delete(id)
  showPending(list)
})

function showPending(list) {
  reconcile($('pending-list'), list.items, (item) => item.id, makePending, updatePending)
  $('pending-more').hidden = !list.next
  showPendingHead()
  showNothing($('pending-list'), list.items.length ? null : [
    h('strong', {}, 'Nothing waits for you'),
    h('span', {}, 'Drop a model file into ', dropFolder(), '; it appears here by itself once it is complete.'),
  ])
}

function dropFolder() {
  const folder = status?.roots.find((root) => root.kind === 'pending' && root.state === 'online')
  return folder ? h('code', {}, said(folder.path)) : 'a watched folder'
}

/** The one state a pending model is in, from what the daemon says and what was just pressed. */
function stateOf(item) {
  const mine = about(item.id)
  if (item.state !== 'waiting') return item.state // missing, offline
  if (mine.asking) return 'asking'
  const state = item.import?.state
  if (state === 'queued' || state === 'planned') return 'importing'
  if (mine.sent) return 'importing'
  if (state === 'conflict' || state === 'failed') return state
  return 'free'
}

function makePending() {
  return h('li', { class: 'card' }, h('div', { class: 'shot' }), h('div', { class: 'body' }))
}

function updatePending(element, item) {
  const mine = about(item.id)
  const state = stateOf(item)
  const model = state === 'conflict' ? existing.get(item.import.model) : null
  showProgress(element, mine.progress)
  if (state === 'conflict' && model === undefined) learn(item.import.model)
  const face = JSON.stringify([item, state, mine.refused, mine.pictured, model ?? null, typeNames])
  if (element.face === face) return
  element.face = face
  element.className = `card is-${state}`
  const shot = element.querySelector('.shot')
  const picture = item.image && [api.pendingPicture(item.id, mine.pictured ?? 0)]
  // A picture that comes during an import is the model's a moment later, and no more to be had here.
  if (state !== 'importing') showPicture(shot, picture, item.name, String(item.id))
  else if (!shot.querySelector('img, .blank')) showPicture(shot, null, item.name, String(item.id))
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.does : null
  element.querySelector('.body').replaceChildren(...pendingBody(item, state, mine, model))
  showProgress(element, mine.progress)
  if (focused) (element.querySelector(`[data-does="${focused}"]:not(:disabled)`) ?? firstButton(element))?.focus()
}

/** The name on a card, which opens all about it. */
function title(item, list, key) {
  const back = () => $(list).querySelector(`[data-key="${key}"] .name`)
  return h('h3', { title: item.path ?? item.name },
    h('button', { type: 'button', class: 'name', 'data-does': 'details', 'aria-haspopup': 'dialog', onclick: () => openDetails(key, back) },
      said(item.name)))
}

function pendingBody(item, state, mine, model) {
  return [
    title(item, 'pending-list', item.id),
    h('p', { class: 'facts' },
      typeChoice(item, state),
      h('span', {}, size(item.size_bytes)),
      h('span', { title: item.in_place ? 'It lies in a model folder and stays there.' : 'It lies in a drop folder; the import moves it to its model folder.' },
        item.in_place ? 'In place' : 'Dropped')),
    fileName(item.path).startsWith(item.name) ? null : h('p', { class: 'path' }, said(fileName(item.path))),
    tagList(item),
    item.name_valid ? null : h('p', { class: 'remark' }, 'Its file name is not valid text: rename the file to use it in a node.'),
    item.replaces ? h('p', { class: 'remark' }, 'It took the place of a model’s file that lay here.') : null,
    mine.refused ? h('p', { class: 'remark bad', role: 'alert' }, mine.refused) : null,
    ...(pendingStates[state] ?? pendingStates.free)(item, model),
  ].filter(Boolean)
}

const pendingStates = {
  free: (item) => [
    item.sha256 ? h('p', { class: 'remark' }, 'This content is in the library already.') : null,
    item.import?.state === 'completed' ? h('p', { class: 'remark' }, 'Left as it is.') : null,
    item.type === null ? h('p', { class: 'remark' }, 'Neither its folder nor its header tells its type: choose it, then import.') : null,
    buttons(importButton(item, 'Import'), dismissButton(item)),
  ],
  importing: (item) => [
    h('div', { class: 'going' },
      h('progress', { max: 1, 'aria-label': `Import of ${item.name}` }),
      h('span', {}, 'Waits for its turn')),
  ],
  failed: (item) => [
    h('p', { class: 'remark bad' }, 'Not imported: ', said(item.import.reason ?? 'no reason was given')),
    buttons(importButton(item, 'Try again'), dismissButton(item)),
  ],
  conflict: (item, model) => [
    h('div', { class: 'conflict', role: 'group', 'aria-label': `${item.name} is in the library already` },
      h('p', { class: 'match' },
        model && typeof model.cover === 'number'
          ? h('img', { src: api.picture(model.sha256, model.cover, 'low'), alt: '' }) : null,
        h('span', {}, 'In the library already', model ? [' as ', h('strong', {}, said(model.name))] : null, '. What now?')),
      h('div', { class: 'choices' }, strategies(item, model).map(([name, title, does]) =>
        h('button', { type: 'button', class: `choice ${name}`, 'data-does': name, onclick: () => send(item, name) },
          h('strong', {}, title), h('span', {}, does))))),
    item.in_place ? buttons(dismissButton(item)) : null,
  ],
  asking: (item) => [
    h('div', { class: 'ask', role: 'group', 'aria-label': 'Dismiss?', onkeydown: (event) => event.key === 'Escape' && keepIt(item) },
      h('p', {}, item.in_place
        ? 'Hide it until its file changes? The file stays where it is.'
        : 'Move the file to the trash and take it off this list?'),
      buttons(
        h('button', { type: 'button', class: 'danger', 'data-does': 'dismiss', onclick: () => dismiss(item) },
          item.in_place ? 'Hide it' : 'Move to trash'),
        h('button', { type: 'button', class: 'quiet', 'data-does': 'keep', onclick: () => keepIt(item) }, 'Keep it'))),
  ],
  missing: (item) => [
    h('p', { class: 'remark' }, 'Its file is gone. What you wrote is kept, in case it comes back.'),
    buttons(dismissButton(item)),
  ],
  offline: () => [h('p', { class: 'remark' }, 'Its folder is away. It can be imported once the disk is back.')],
}

const buttons = (...those) => h('div', { class: 'acts' }, ...those)

function importButton(item, text) {
  const given = { type: 'button', class: 'main', 'data-does': 'import', onclick: () => send(item) }
  if (item.type === null) Object.assign(given, { disabled: true, title: 'Choose its type first' })
  return h('button', { ...given, 'aria-label': `${text} ${item.name}` }, text)
}

function dismissButton(item) {
  const ask = () => note(item.id, { asking: true, refused: null })
  const given = { type: 'button', class: 'quiet', 'data-does': 'dismiss', onclick: ask }
  return h('button', { ...given, 'aria-label': `Dismiss ${item.name}` }, 'Dismiss')
}

function typeChoice(item, state) {
  const names = [...new Set([...typeNames, ...(item.type ? [item.type] : [])])].sort()
  const chosen = async (event) => {
    const refused = await attempt(() => api.editPending(item.id, { type: event.target.value }))
    note(item.id, { refused })
    pendingChanged()
  }
  return h('select', {
    class: item.type ? 'kind' : 'kind unknown',
    'aria-label': `Type of ${item.name}`,
    'data-does': 'type',
    disabled: state === 'importing',
    onchange: chosen,
  },
  item.type ? null : h('option', { value: '', selected: true, disabled: true }, 'type?'),
  names.map((name) => h('option', { value: name, selected: name === item.type }, name)))
}

async function send(item, strategy) {
  note(item.id, { sent: true, refused: null })
  const refused = await attempt(() => api.importThese([item.id], strategy))
  if (refused !== null) note(item.id, { sent: false, refused })
}

async function dismiss(item) {
  const refused = await attempt(() => api.dismiss(item.id))
  note(item.id, { asking: false, refused })
  if (refused === null) toast('good', said(item.name), item.in_place ? ' is hidden until it changes' : ' is in the trash')
  pendingChanged()
}

function keepIt(item) {
  note(item.id, { asking: false })
}

/** Read the model that a conflict is about, for its name and picture; until then it is known as null. */
async function learn(sha256) {
  if (!existing.has(sha256)) existing.set(sha256, null)
  existing.set(sha256, await api.model(sha256).catch(() => null))
  showPending(pending)
}

const WORDS = { hashing: 'Reading', copying: 'Copying' }

function showProgress(element, progress) {
  const bar = element.querySelector('.going progress')
  if (!bar || !progress) return
  bar.max = Math.max(progress.total, 1)
  bar.value = progress.done
  const done = Math.floor((100 * progress.done) / Math.max(progress.total, 1))
  bar.nextElementSibling.textContent = `${WORDS[progress.what] ?? 'Importing'}, ${done} %`
}

// The library --------------------------------------------------------------------------------------------

// Without an order the daemon gives the best matches first where there are words to match.
function asked() {
  const q = $('query').value.trim()
  return { q, type: $('type').value, sort: $('sort').value || (q ? null : '-added') }
}

let found = null // how many models the query finds; null without one

/** Ask for models. What cannot be read as a query is said beneath the field, and the list stays as it is. */
async function search(page) {
  const query = asked()
  try {
    const answer = await api.models({ ...query, ...(query.q ? { facets: 0 } : {}), ...page })
    found = answer.total ?? null
    showSlip(null)
    return answer
  } catch (error) {
    error.isTold = error instanceof Refused && error.at !== undefined
    if (error.isTold) showSlip(error.message)
    throw error
  }
}

function showSlip(why) {
  const slip = $('slip')
  slip.hidden = why === null
  if (why !== null && slip.textContent !== sentence(why)) slip.textContent = sentence(why)
  $('query').setAttribute('aria-invalid', String(why !== null))
}

function showCount() {
  const all = whole.format(status?.counts.models ?? 0)
  $('library-count').textContent = found === null ? all : `${whole.format(found)} of ${all}`
}

const library = paged(60, 120, search, (list) => {
  showCount()
  reconcile($('library-list'), list.items, (item) => item.sha256, makeModel, updateModel)
  $('library-more').hidden = !list.next
  showNothing($('library-list'), list.items.length ? null : nothingFound())
})

function nothingFound() {
  const { q, type } = asked()
  if (!q && !type) {
    return [
      h('strong', {}, 'Your library begins here'),
      h('span', {}, 'What you import appears with its picture, its tags and its name, and stays.'),
    ]
  }
  return [
    h('strong', {}, 'Nothing found'),
    h('span', {}, 'No model', q ? [' is like ', h('q', {}, said(q))] : null, type ? [' in ', said(type)] : null, '.'),
    h('button', { type: 'button', class: 'quiet', onclick: clearSearch }, 'Show all'),
  ]
}

function clearSearch() {
  $('query').value = ''
  $('type').value = ''
  $('query').focus()
  return guarded(library.ask)
}

function makeModel() {
  return h('li', { class: 'model' }, h('div', { class: 'shot' }), h('div', { class: 'body' }))
}

const AWAY = {
  offline: ['Offline', 'The folder it lies in is away. It comes back by itself.'],
  missing: ['Missing', 'Its file is gone. All you wrote is kept, and the same content finds its way back here.'],
}

function updateModel(element, item) {
  const face = JSON.stringify(item)
  if (element.face === face) return
  element.face = face
  element.className = `model is-${item.state}`
  const shot = element.querySelector('.shot')
  const pictures = item.cover === null ? null : [
    api.picture(item.sha256, item.cover, 'low'),
    api.picture(item.sha256, item.cover, 'medium'),
  ]
  showPicture(shot, pictures, item.name, item.sha256)
  shot.querySelector('.away')?.remove()
  const away = AWAY[item.state]
  const focused = element.contains(document.activeElement)
  if (away) shot.append(h('span', { class: 'away', title: away[1] }, away[0]))
  element.querySelector('.body').replaceChildren(
    title(item, 'library-list', item.sha256),
    h('p', { class: 'facts' }, h('span', { class: 'kind' }, item.type), h('span', {}, size(item.size_bytes))),
    tagList(item) ?? '',
    item.name_valid || item.state !== 'present' ? '' : h('p', { class: 'remark' }, 'Rename its file to use it in a node.'),
  )
  if (focused) firstButton(element)?.focus({ preventScroll: true })
}

function tagList(item) {
  if (!item.tags.length) return null
  const shown = item.tags.slice(0, 4)
  const rest = item.tags.slice(4)
  return h('ul', { class: 'tags', 'aria-label': `Tags of ${item.name}` },
    shown.map((tag) => h('li', { title: tag }, said(tag))),
    rest.length ? h('li', { class: 'rest', title: rest.join(', ') }, `+${rest.length}`) : null)
}

/** Show a picture, or where there is none a quiet field in a colour that is the model's own. */
function showPicture(shot, urls, name, seed) {
  const known = shot.querySelector('img')
  if (urls && known?.getAttribute('src') === urls[0]) return
  known?.remove()
  shot.querySelector('.blank')?.remove()
  if (!urls) {
    shot.prepend(blank(name, seed))
    return
  }
  const image = h('img', {
    alt: `Picture of ${name}`,
    loading: 'lazy',
    decoding: 'async',
    srcset: urls[1] ? `${urls[0]} 1x, ${urls[1]} 2x` : null,
    src: urls[0],
    onerror: () => image.replaceWith(blank(name, seed)),
  })
  shot.prepend(image)
}

function blank(name, seed) {
  const field = h('div', { class: 'blank', 'aria-hidden': 'true' }, h('span', {}, initials(name)))
  let hue = 0
  for (const letter of seed) hue = (hue * 31 + letter.codePointAt(0)) % 360
  field.style.setProperty('--hue', hue)
  return field
}

function initials(name) {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? []
  return words.slice(0, 2).map((word) => [...word][0].toUpperCase()).join('') || '·'
}

function showNothing(list, words) {
  list.parentElement.querySelector(':scope > .nothing')?.remove()
  list.hidden = words !== null
  if (words) list.after(h('div', { class: 'nothing' }, ...words))
}

// Status -------------------------------------------------------------------------------------------------

let status = null
let heard = 'connecting' // the stream: connecting, live, lost
let work = {} // progress of "imports" and "scan"

async function readStatus() {
  status = await api.status()
  work = Object.fromEntries(status.work.map((task) => [task.task, task]))
  migrationInStatus(work.migration)
  showStatus()
}

function showStatus() {
  if (!status) return
  $('version').textContent = status.version
  showRunning()
  showWarnings(status.warnings)
  showArriving(status.waiting)
  $('pending-count').textContent = whole.format(status.counts.pending)
  showCount()
  $('library-tools').hidden = status.counts.models === 0
  document.title = status.counts.pending ? `(${whole.format(status.counts.pending)}) Hikaze` : 'Hikaze'
  showPendingHead()
}

function showRunning() {
  const [kind, text] = whatRuns()
  $('running').className = `running is-${kind}`
  $('running').ariaLive = kind === 'busy' ? 'off' : 'polite' // no screen reader counts to 20,000
  if ($('doing').textContent !== text) $('doing').textContent = text
}

function whatRuns() {
  if (heard === 'lost') return ['lost', 'hikazed does not answer; trying again']
  if (!status || heard === 'connecting') return ['connecting', 'Connecting']
  const { queued, running, done, total } = status.imports
  if (queued + running > 0) return ['busy', `Importing ${whole.format(Math.min(done + 1, total))} of ${whole.format(total)}`]
  const migration = migrationUnderWay()
  if (migration?.total) return ['busy', `Bringing along ${whole.format(migration.done)} of ${whole.format(migration.total)}`]
  if (work.scan) return ['busy', `Looking at folder ${whole.format(work.scan.done + 1)} of ${whole.format(work.scan.total)}`]
  const away = status.roots.filter((root) => root.state === 'offline').length
  const watched = `Watching ${counted(status.roots.length - away, 'folder')}`
  return away ? ['away', `${watched}, ${whole.format(away)} away`] : ['calm', watched]
}

function showWarnings(warnings) {
  const strip = $('warnings')
  const face = JSON.stringify(warnings)
  if (strip.face === face) return
  strip.face = face
  strip.hidden = warnings.length === 0
  const line = ({ what, cure }) => h('li', {}, h('strong', {}, said(sentence(what))), h('span', {}, said(sentence(cure))))
  const rest = warnings.slice(3)
  strip.replaceChildren(
    h('ul', {}, warnings.slice(0, 3).map(line)),
    rest.length ? h('details', {}, h('summary', {}, counted(rest.length, 'more warning')), h('ul', {}, rest.map(line))) : '',
  )
}

function showArriving(files) {
  const list = $('arriving')
  const face = JSON.stringify(files)
  if (list.face === face) return
  list.face = face
  list.hidden = files.length === 0
  const rest = files.length - 5
  list.replaceChildren(
    ...files.slice(0, 5).map(({ path, reason }) =>
      h('li', { title: path }, h('i', { 'aria-hidden': 'true' }), h('span', {}, h('strong', {}, said(fileName(path))), ' ', reason))),
    ...(rest > 0 ? [h('li', {}, h('span', {}, `and ${counted(rest, 'file')} more`))] : []),
  )
}

function showPendingHead() {
  const imports = status?.imports ?? { queued: 0, running: 0, done: 0, total: 0 }
  const going = imports.queued + imports.running > 0
  const many = status?.counts.pending ?? 0
  const bar = $('imports')
  bar.hidden = !(going && imports.total > 1)
  bar.max = Math.max(imports.total, 1)
  bar.value = imports.done
  $('cancel').hidden = !going
  $('import-all').hidden = many < 2 || (going && imports.total > 1)
  $('import-all').textContent = many > 2 ? `Import all ${whole.format(many)}` : 'Import all'
  $('pending-about').textContent = many ? 'Seen, and not yet yours: look, then import.' : ''
}

async function readTypes() {
  const before = JSON.stringify(types)
  types = (await api.types()).items
  typeNames = types.map(({ type }) => type)
  if (before === JSON.stringify(types)) return
  const select = $('type')
  const chosen = select.value
  const named = types.filter((type) => type.models > 0 || type.type === chosen)
  select.replaceChildren(
    h('option', { value: '' }, 'All types'),
    ...named.map((type) => h('option', { value: type.type }, `${type.type} (${whole.format(type.models)})`)),
  )
  select.value = chosen
  showPending(pending)
}

// What happens, live -------------------------------------------------------------------------------------

const pendingChanged = debounced(() => pending.reload())
const libraryChanged = debounced(() => library.reload())
const statusChanged = debounced(async () => {
  await readStatus()
  await readTypes()
})

const SILENCE_MS = 40_000 // the daemon sends a sign of life every 15 s
const LOOK_MS = 2_000 // files that are not complete make no events: the status tells of them
const HIDDEN_MS = 60_000 // a page nobody sees lets its connection go after this; a browser has six for all

let position = null
let stream = null

/** Follow the stream until the page is locked or hidden; every break is bridged by the last event's number. */
async function follow() {
  const mine = (stream = new AbortController())
  let pause = 250
  while (!mine.signal.aborted) {
    try {
      await readAll()
      await readStream(mine.signal, () => { pause = 250 })
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return
    }
    if (mine.signal.aborted) return
    heard = 'lost'
    showRunning()
    await new Promise((resolve) => setTimeout(resolve, pause))
    pause = Math.min(2 * pause, 5_000)
  }
}

function unfollow() {
  stream?.abort()
  stream = null
}

async function readAll() {
  await readStatus()
  position ??= status.position
  await Promise.all([readTypes(), pending.reload(), library.reload()])
}

async function readStream(signal, alive) {
  const quiet = new AbortController()
  const body = await api.events(position, AbortSignal.any([signal, quiet.signal]))
  let timer = setTimeout(() => quiet.abort(), SILENCE_MS)
  heard = 'live'
  showRunning()
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      alive()
      clearTimeout(timer)
      timer = setTimeout(() => quiet.abort(), SILENCE_MS)
      const blocks = (rest + value).split('\n\n')
      rest = blocks.pop()
      for (const block of blocks) take(parse(block))
    }
  } finally {
    clearTimeout(timer)
  }
}

/** Take a message of the stream apart (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
function parse(block) {
  const message = { kind: 'message', id: null, data: '' }
  for (const line of block.split('\n')) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)
    if (field === 'event') message.kind = value
    else if (field === 'id') message.id = Number(value)
    else if (field === 'data') message.data += value
  }
  return message
}

function take({ kind, id, data }) {
  if (!data) return // a sign of life
  const value = JSON.parse(data)
  if (id !== null) position = id
  if (kind === 'progress') takeProgress(value)
  else if (kind === 'reset') startOver(value)
  else takeEvent(kind, value)
}

function startOver({ position: head }) {
  position = head // the daemon serves another library now, or an older copy of it
  local.clear()
  existing.clear()
  closeDetails()
  pendingChanged()
  libraryChanged()
  statusChanged()
}

function takeProgress(task) {
  work[task.task] = task
  if (task.task.startsWith('import/')) {
    const element = document.querySelector(`#pending-list > [data-key="${Number(task.pending)}"]`)
    if (!element) return
    local.set(task.pending, { ...about(task.pending), progress: task })
    showProgress(element, task)
  }
  if (task.task === 'migration') migrationProgressed(task)
  if (task.task === 'imports' && status) {
    Object.assign(status.imports, { done: task.done, total: task.total, running: Math.max(1, status.imports.running) })
    showPendingHead()
  }
  showRunning()
}

const CONCERNS_PENDING = /^(pending|import|tags?|root|file)-/
const CONCERNS_LIBRARY = /^(model|location|claim|image|cover|tags?|root)-/
const IMPORT_ENDED = /^import-(completed|conflicted|failed|cancelled)$/

function takeEvent(kind, { data }) {
  const item = pending.items.find((each) => each.id === data.pending)
  if (item && kind === 'pending-pictured') note(item.id, { pictured: position })
  if (item && kind === 'import-requested') note(item.id, { sent: true, progress: null, refused: null })
  if (item && IMPORT_ENDED.test(kind)) tellOutcome(kind, data, item)
  if (existing.has(data.model)) learn(data.model)
  if (kind === 'migration-ended') migrationEnded(data)
  detailsChanged(data)
  if (CONCERNS_PENDING.test(kind)) pendingChanged()
  if (CONCERNS_LIBRARY.test(kind)) libraryChanged()
  statusChanged()
}

const OUTCOMES = {
  imported: 'is in the library',
  merged: 'was merged into its model',
  overridden: 'took the place of what was known',
  deleted: 'is in the trash; its model stays',
  ignored: 'was left as it is',
}

function tellOutcome(kind, { status: outcome }, item) {
  local.set(item.id, { ...about(item.id), sent: false, progress: null })
  if (status.imports.total > 3) return // of a great many, the bar tells
  const name = said(item.name)
  if (kind === 'import-completed') toast('good', name, ` ${OUTCOMES[outcome] ?? outcome}`)
  if (kind === 'import-conflicted') toast('choose', name, ' is in the library already: choose what to do')
  if (kind === 'import-failed') toast('bad', name, ' was not imported')
}

// Locked and open ----------------------------------------------------------------------------------------

function lock(why = '') {
  unfollow()
  closeDetails()
  closeMigration()
  keys.drop()
  document.body.className = 'is-locked'
  $('main').hidden = true
  $('locked').hidden = false
  $('search').hidden = $('running').hidden = true
  $('locked-why').textContent = sentence(why)
  $('locked-why').hidden = !why
  $('locked-title').focus()
}

function open() {
  document.body.className = ''
  $('locked').hidden = true
  $('main').hidden = false
  $('search').hidden = $('running').hidden = false
  heard = 'connecting'
  unfollow()
  return follow()
}

/** Take the one-time code out of the address, whatever becomes of it: it must not stay in the history. */
function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get('code')
  if (code !== null) history.replaceState(null, '', location.pathname)
  return code
}

async function enter() {
  const code = takeCode()
  const why = code && (await attempt(async () => keys.keep(await api.redeem(code))))
  return keys.token ? open() : lock(why ?? '')
}

// What a person does -------------------------------------------------------------------------------------

function listen() {
  door.lock = lock
  listenToDetails()
  listenToMigration(showRunning)
  let typing = null
  $('query').addEventListener('input', () => {
    clearTimeout(typing)
    typing = setTimeout(() => guarded(library.ask), 120)
  })
  for (const id of ['type', 'sort']) $(id).addEventListener('change', () => guarded(library.ask))
  $('pending-more').addEventListener('click', () => guarded(pending.more))
  $('library-more').addEventListener('click', () => guarded(library.more))
  $('import-all').addEventListener('click', () => guarded(api.importAll))
  $('cancel').addEventListener('click', () => guarded(api.cancelImports))
  $('copy').addEventListener('click', async () => {
    await navigator.clipboard?.writeText('hikazed open')
    $('copy').textContent = 'Copied'
  })
  window.addEventListener('hashchange', () => location.hash.includes('code=') && enter())
  window.addEventListener('keydown', (event) => {
    const typed = event.target.closest?.('input, select, textarea')
    if (event.key !== '/' || typed || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    $('query').focus()
  })
  new IntersectionObserver(([end]) => end.isIntersecting && guarded(library.more), { rootMargin: '800px' })
    .observe($('library-more'))
  setInterval(() => stream && heard === 'live' && !document.hidden && guarded(readStatus), LOOK_MS)

  let leaving = null
  document.addEventListener('visibilitychange', () => {
    clearTimeout(leaving)
    if (document.hidden) leaving = setTimeout(unfollow, HIDDEN_MS)
    else if (!stream && keys.token) follow()
  })
}

listen()
enter()
