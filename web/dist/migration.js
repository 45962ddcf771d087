// The dialog that brings an earlier Hikaze's library along: asks for its folder, shows how far it is, tells what came
// and what did not. The daemon does it whether this page is open or not; only the report is the answer to who asked.

import { Away, Refused, api } from './api.js'
import { $, counted, h, said, sentence, whole } from './elements.js'

const MOST_LINES = 500 // of a list; a terminal shows more

/** One of: asking {refused}, going {done, total, mine, cancelling}, ended {report}, over {status, reason}. */
let state = { is: 'asking' }
let folder = ''
let told = () => {} // the page's head shows it, too

/** What this tab asked for, so that it still gets the report when it was loaded anew, or the daemon was. */
const asked = {
  get folder() { return sessionStorage.getItem('hikaze.migrating') },
  keep: (path) => sessionStorage.setItem('hikaze.migrating', path),
  drop: () => sessionStorage.removeItem('hikaze.migrating'),
}

export const migrationUnderWay = () => (state.is === 'going' ? state : null)

export function openMigration() {
  $('migration').showModal()
  render()
}

export function closeMigration() {
  if ($('migration').open) $('migration').close()
}

export function listenToMigration(changed) {
  told = changed
  const dialog = $('migration')
  $('bring').addEventListener('click', openMigration)
  $('migration-close').addEventListener('click', () => dialog.close())
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close()) // beside the sheet
  dialog.addEventListener('close', () => state.is !== 'going' && become({ is: 'asking' }))
}

// What the daemon tells ----------------------------------------------------------------------------------

/** The status names it where it is under way; who asks for the same again is answered with the same report. */
export function migrationInStatus(task) {
  if (task && state.is !== 'going') become({ is: 'going', done: task.done, total: task.total, mine: false })
  if (task && !state.mine && asked.folder) bring(asked.folder)
  if (!task && state.is === 'going' && !state.mine) become({ is: 'over', status: 'done', reason: '' })
}

export function migrationProgressed({ done, total }) {
  become({ ...(state.is === 'going' ? state : { is: 'going', mine: false }), done, total })
}

export function migrationEnded({ status, reason }) {
  if (state.is === 'going' && !state.mine) become({ is: 'over', status, reason })
}

// What a person does -------------------------------------------------------------------------------------

function start(event) {
  event.preventDefault()
  folder = $('migration-folder').value.trim()
  if (!folder) return
  asked.keep(folder)
  become({ is: 'going', done: 0, total: 0 })
  return bring(folder)
}

/** Ask for it, and wait for the report. */
async function bring(path) {
  become({ ...state, mine: true })
  try {
    become({ is: 'ended', report: await api.migrate(path) })
  } catch (error) {
    if (error instanceof Away) return become({ ...state, mine: false }) // when the daemon is back, the status tells
    if (!(error instanceof Refused)) throw error
    become({ is: 'asking', refused: error.message })
  }
  asked.drop()
}

async function cancel() {
  become({ ...state, cancelling: true })
  try {
    await api.cancelMigration()
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Away)) throw error
    become({ ...state, cancelling: false })
  }
}

// What is shown ------------------------------------------------------------------------------------------

function become(next) {
  const before = state.is
  state = next
  told()
  if ($('migration').open) render(before)
}

function render(before = null) {
  const body = $('migration-body')
  if (state.is === 'going' && before === 'going') return showHowFar(body)
  body.replaceChildren(...bodies[state.is](state))
  if (state.is === 'going') showHowFar(body)
  body.querySelector('[data-first]')?.focus({ preventScroll: true })
}

const bodies = {
  asking: ({ refused }) => [
    h('p', {}, 'Tags, texts, prompts and pictures of an earlier Hikaze become yours here. Nothing in its folder is changed, and the old program may go on running.'),
    h('form', { onsubmit: start },
      h('label', { for: 'migration-folder' }, 'Its folder'),
      h('input', { id: 'migration-folder', value: folder, autocomplete: 'off', spellcheck: 'false', required: true, 'data-first': true, placeholder: '/home/me/ComfyUI/custom_nodes/hikaze-model-manager', 'aria-describedby': 'migration-hint' }),
      h('p', { class: 'fine', id: 'migration-hint' }, 'The plugin’s folder or its ', h('code', {}, 'data'), ' folder, in which ', h('code', {}, 'hikaze_mm.sqlite3'), ' or ', h('code', {}, 'hikaze_model_manager.db'), ' lies, on the machine where Hikaze runs.'),
      refused ? h('p', { class: 'remark bad', role: 'alert' }, sentence(refused)) : null,
      h('div', { class: 'acts' }, h('button', { type: 'submit', class: 'main' }, 'Bring it along'))),
  ],
  going: () => [
    h('progress', { 'aria-label': 'The earlier library comes along' }),
    h('p', { class: 'so-far' }),
    h('p', { class: 'fine' }, 'You may close this: it goes on. What came along stays, also when you cancel; started again it goes on where it was.'),
    h('div', { class: 'acts' }, h('button', { type: 'button', class: 'quiet', 'data-first': true, onclick: cancel }, 'Cancel')),
  ],
  ended: ({ report }) => [...came(report), again()],
  over: ({ status, reason }) => [
    h('p', { role: 'status' }, h('strong', {}, ENDS[status] ?? ENDS.done), reason ? [' ', said(sentence(reason))] : null),
    h('p', { class: 'fine' }, 'Start it again to see what came and what did not: nothing comes twice.'),
    again(),
  ],
}

const ENDS = {
  done: 'It came along.',
  cancelled: 'Cancelled. What came until then is here.',
  failed: 'It could not be finished.',
}

function showHowFar(body) {
  const bar = body.querySelector('progress')
  const { done, total, cancelling } = state
  if (total) Object.assign(bar, { max: total, value: done })
  body.querySelector('.so-far').textContent = cancelling
    ? 'Cancelling; the row under way is finished'
    : total ? `${whole.format(done)} of ${whole.format(total)}` : 'Reading the earlier library'
  body.querySelector('button').disabled = Boolean(cancelling)
}

function again() {
  return h('div', { class: 'acts' },
    h('button', { type: 'button', class: 'main', 'data-first': true, onclick: () => $('migration').close() }, 'Close'),
    h('button', { type: 'button', class: 'quiet', onclick: () => become({ is: 'asking' }) }, 'Bring another'))
}

/** The report in words: what came, and everything that did not. */
function came(report) {
  const lines = [
    [report.models, `${counted(report.models, 'model')}`],
    [report.pending, `${counted(report.pending, 'pending model')}, to be imported when you like`],
    [report.images, counted(report.images, 'picture')],
    [report.tags, counted(report.tags, 'tag')],
    [report.united, `${whole.format(report.united)} of them known here before, and united with what was there`],
    [report.missing, `${whole.format(report.missing)} of them without their file, kept as missing`],
    [report.already, `${counted(report.already, 'row')} that had come along before`],
  ].filter(([number]) => number > 0)
  return [
    h('p', { role: 'status' }, h('strong', {}, ENDS[report.status] ?? ENDS.done)),
    h('ul', { class: 'came' }, lines.length ? lines.map(([, words]) => h('li', {}, words)) : h('li', {}, 'Nothing new')),
    folded(
      report.unwatched.map((path) => h('code', {}, said(path))),
      (many) => `${many === 1 ? 'A folder' : `${whole.format(many)} folders`} of its models ${many === 1 ? 'is' : 'are'} not watched here`,
      h('p', { class: 'fine' }, 'To find these files again, start hikazed with their folder too, as ', h('code', {}, '--models loras=FOLDER'), '.'),
    ),
    folded(
      report.problems.map(({ table, id, what }) => [h('code', {}, said(`${table} ${id}`)), ' ', said(what)]),
      (many) => `${counted(many, 'thing')} did not come along`,
    ),
    report.status === 'done' && !report.problems.length ? h('p', {}, 'Everything in it came along.') : null,
  ].filter(Boolean)
}

/** A list that is open, and can be folded; null where there is nothing in it. */
function folded(lines, title, ...more) {
  const rest = lines.length - MOST_LINES
  if (!lines.length) return null
  return h('details', { class: 'not', open: true },
    h('summary', {}, title(lines.length)),
    more,
    h('ul', {},
      lines.slice(0, MOST_LINES).map((line) => h('li', {}, line)),
      rest > 0 ? h('li', {}, `and ${whole.format(rest)} more: `, h('code', {}, 'hikazed log'), ' has them') : null))
}
