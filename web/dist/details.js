// All that is known of one model or pending model, in a dialog: what was written, what files beside it say, and
// what its file is known to be. It is read anew whenever something happens to it.

import { Refused, api } from './api.js'
import { $, counted, debounced, fileName, h, said, size } from './elements.js'
import { tells } from './tells.js'

/** Whose words a sidecar holds, by its format. */
const PROGRAMS = {
  text: 'a text file',
  'lora-manager': 'LoRA Manager',
  a1111: 'A1111 or Forge',
  'stability-matrix': 'Stability Matrix',
  rgthree: 'rgthree',
  swarm: 'SwarmUI',
  'civitai-info': 'Civitai Helper',
}

const HASHES = {
  claimed: [
    'Not confirmed yet',
    'An earlier library told what this content is. Hikaze reads the file in the background to make sure.',
  ],
  absent: [
    'Not confirmed',
    'An earlier library told what this content is, and no file of it is here to make sure. All that was written is kept.',
  ],
  denied: [
    'Its file holds other content',
    'What lies there now is not what an earlier library said. All that was written is kept here, for the right file.',
  ],
}

const LONG = 300 // characters of a value that nobody made for reading

let shown = null // {key, read}: what the dialog tells of
let opener = null // gives the element that has the focus when it is closed

const reread = debounced(async () => {
  const mine = shown
  if (!mine) return
  try {
    const item = await mine.read()
    if (mine === shown) show(item)
  } catch (error) {
    if (error instanceof Refused && error.status === 404) $('details').close() // it was imported, or is no more
    else throw error
  }
})

/** Open it for a model (by its hash) or a pending model (by its id); `back` gives who has the focus afterwards. */
export function openDetails(key, back) {
  shown = { key, read: () => (typeof key === 'number' ? api.pendingWhole(key) : api.model(key)) }
  opener = back
  $('details-title').textContent = ''
  $('details-body').replaceChildren()
  $('details-body').face = null
  if (!$('details').open) $('details').showModal()
  reread()
}

/** Something happened: to a model, to a pending model, or to what may concern all of them. */
export function detailsChanged({ model, pending }) {
  if (!shown) return
  if (model === undefined && pending === undefined) reread()
  else if (shown.key === model || shown.key === pending) reread()
}

export function closeDetails() {
  if ($('details').open) $('details').close()
}

export function listenToDetails() {
  const dialog = $('details')
  dialog.addEventListener('close', () => {
    shown = null
    opener?.()?.focus({ preventScroll: true })
    opener = null
  })
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close()) // beside the sheet
  $('details-close').addEventListener('click', () => dialog.close())
}

function show(item) {
  const body = $('details-body')
  const face = JSON.stringify(item)
  if (body.face === face) return
  const opened = new Set([...body.querySelectorAll('details[open]')].map((each) => each.dataset.key))
  const focused = body.contains(document.activeElement) ? document.activeElement.parentElement.dataset.key : null
  body.face = face
  $('details-title').replaceChildren(said(item.name))
  body.replaceChildren(...whole(item))
  for (const each of body.querySelectorAll('details')) {
    each.open = opened.has(each.dataset.key)
    if (each.dataset.key === focused) each.querySelector('summary').focus()
  }
}

function whole(item) {
  return [
    facts(item),
    hash(item),
    ...written(item),
    ...tells(item, (sha256) => openDetails(sha256, opener)),
    ...(item.provided ?? []).map(provided),
    places(item),
  ].filter(Boolean)
}

function facts(item) {
  return h('p', { class: 'facts' },
    h('span', { class: 'kind' }, item.type ?? 'type unknown'),
    h('span', {}, size(item.size_bytes)),
    item.favorite ? h('span', {}, 'Favourite') : null,
    item.sha256 ? h('span', { title: item.sha256 }, 'SHA-256 ', h('code', {}, item.sha256.slice(0, 12))) : null)
}

// What its file is known to be ---------------------------------------------------------------------------

function hash(item) {
  const words = HASHES[hashState(item)]
  if (!words) return null
  return h('div', { class: `hash is-${item.hash_state}` },
    h('p', {}, h('strong', {}, words[0])),
    h('p', {}, words[1]),
    (item.denied ?? []).map(({ path, sha256 }) =>
      h('p', { class: 'path' }, said(path), ' holds ', h('code', { title: sha256 }, sha256.slice(0, 12)))))
}

function hashState(item) {
  const here = (item.locations ?? []).some((location) => location.state !== 'missing')
  return item.hash_state === 'claimed' && !here ? 'absent' : item.hash_state
}

const STATES = { offline: 'its folder is away', missing: 'the file is gone' }

function places(item) {
  const locations = item.locations ?? [{ path: item.path, state: item.state }]
  const line = ({ path, state, claimed }) => {
    const more = [STATES[state], claimed && state === 'present' ? 'not confirmed yet' : null].filter(Boolean)
    return h('li', {}, said(path), more.length ? h('span', {}, ` (${more.join(', ')})`) : null)
  }
  if (!locations.length) return null
  return part('Where it lies', null, h('ul', { class: 'places' }, locations.map(line)))
}

// What is written ----------------------------------------------------------------------------------------

const ORIGINS = { provider: 'from a file beside it', header: 'from the file itself' }

/** The texts and tags that hold for it. Those that nobody wrote here come from a file, and say so. */
function written(item) {
  const origin = (field) => ORIGINS[item.origins?.[field]] ?? null
  const tagOrigin = (tag) => ORIGINS[item.tag_origins?.[tag]] ?? null
  const prompts = [
    ['Prompt', item.prompts?.positive],
    ['Negative prompt', item.prompts?.negative],
  ]
  return [
    item.tags.length ? part('Tags', null, wordList(item.tags, tagOrigin)) : null,
    text('Description', origin('description'), item.description),
    item.trigger_words.length ? part('Trigger words', origin('trigger_words'), wordList(item.trigger_words)) : null,
    ...prompts.map(([title, words]) => text(title, origin('prompts'), words)),
    text('Links', origin('community_links'), item.community_links),
  ]
}

function part(title, remark, ...children) {
  return h('section', { class: 'part' }, h('h3', {}, title, remark ? h('small', {}, remark) : null), children)
}

const text = (title, remark, words) => (words ? part(title, remark, h('p', { class: 'text', dir: 'auto' }, words)) : null)
const wordList = (words, origin = () => null) => h('ul', { class: 'tags' },
  words.map((word) => h('li', { title: [word, origin(word)].filter(Boolean).join(', ') }, said(word))))

// What sidecars say --------------------------------------------------------------------------------------

function provided(told, index) {
  const rows = [
    ['Name', told.name],
    ['Notes', told.notes],
    ['Description', told.description],
    ['Trigger words', told.trigger_words.join(', ')],
    ['Prompt', told.prompts.positive],
    ['Negative prompt', told.prompts.negative],
    ['Tags', told.tags.join(', ')],
    ['Links', told.links.join('\n')],
    ['Favourite', told.favorite ? 'yes' : ''],
    ['Its SHA-256', told.sha256],
    ...Object.entries(told.facts).map(([name, value]) => [name, readable(value)]),
  ].filter(([, words]) => words)
  return h('section', { class: 'part from' },
    h('h3', {}, told.source === 'preview' ? 'A preview' : `From ${PROGRAMS[told.source] ?? told.source}`, h('small', { title: told.path }, said(fileName(told.path)))),
    told.problem ? h('p', { class: told.source === 'preview' ? 'remark' : 'remark bad' }, said(fileName(told.path)), ': ', told.problem) : null,
    rows.length
      ? h('details', { 'data-key': `${told.source} ${told.path} ${index}` },
        h('summary', {}, `What it says, ${counted(rows.length, 'entry', 'entries')}`),
        h('dl', {}, rows.map(([name, words]) => [h('dt', {}, said(name)), h('dd', { class: 'text', dir: 'auto' }, words)])))
      : null)
}

function readable(value) {
  const words = typeof value === 'string' ? value : JSON.stringify(value)
  return words.length > LONG ? `${words.slice(0, LONG)}…` : words
}
