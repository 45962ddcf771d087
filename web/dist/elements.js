// Elements, words and numbers, and how work with the daemon is told. Strangers' texts become text nodes, never markup.

import { Away, Refused } from './api.js'

export const $ = (id) => document.getElementById(id)

/** Make an element. `on…` are listeners, a boolean is an attribute with or without, children are nodes or text. */
export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (typeof value === 'boolean') element.toggleAttribute(name, value)
    else if (value !== null && value !== undefined) element.setAttribute(name, value)
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false))
  return element
}

/** A stranger's text, whose writing direction does not reach its neighbours. */
export const said = (text) => h('bdi', {}, text)

export const whole = new Intl.NumberFormat('en')
const few = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })

export function size(bytes) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  const step = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1)
  return `${few.format(bytes / 1000 ** step)} ${units[step]}`
}

export const counted = (number, one, many = `${one}s`) => `${whole.format(number)} ${number === 1 ? one : many}`
export const sentence = (text) => text.replace(/^[a-z](?=[a-z]* )/, (first) => first.toUpperCase())
export const fileName = (path) => path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1) || path

const CALM_MS = 300
const SOON_MS = [60, 500]

/** Run `work` soon, several wishes as one. In a long burst the pauses grow, so that an import of thousands is not
 * slowed down by a page that looks at it. */
export function debounced(work) {
  let timer = null
  let running = false
  let again = false
  let ended = -CALM_MS
  let pause = SOON_MS[0]
  async function run() {
    timer = null
    running = true
    await guarded(work)
    running = false
    ended = performance.now()
    if (again) wish()
  }
  function wish() {
    again = running
    if (running || timer !== null) return
    pause = performance.now() - ended > CALM_MS ? SOON_MS[0] : Math.min(1.5 * pause, SOON_MS[1])
    timer = setTimeout(run, pause)
  }
  return wish
}

/** Do something with the daemon, and show what it refuses. */
export async function guarded(work) {
  try {
    await work()
  } catch (error) {
    if (error instanceof Away) return
    if (!(error instanceof Refused)) throw error
    if (error.status !== 401 && !error.isTold) toast('bad', error.message)
  }
}

/** Give why the daemon refuses or that it is away, null where all went well. */
export async function attempt(work) {
  try {
    await work()
    return null
  } catch (error) {
    if (error instanceof Refused || error instanceof Away) return error.message
    throw error
  }
}

export function toast(kind, ...words) {
  const made = h('p', { class: `toast ${kind}` }, words)
  $('toasts').append(made)
  while ($('toasts').children.length > 3) $('toasts').firstChild.remove()
  setTimeout(() => made.remove(), kind === 'good' ? 5000 : 9000)
}

/** Bring a list of elements in line with items: each keeps its element, and so its focus and its picture. */
export function reconcile(list, items, keyOf, make, update) {
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]))
  const wanted = items.map((item) => {
    const key = String(keyOf(item))
    const element = known.get(key) ?? make(item)
    known.delete(key)
    element.dataset.key = key
    update(element, item)
    return element
  })
  keepFocus(list, [...known.values()])
  for (const gone of known.values()) gone.remove()
  wanted.forEach((element, index) => {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null)
  })
}

/** Give what can be done with a card, or else the name that opens all about it. */
export function firstButton(element) {
  return element.querySelector(':is(.acts, .choices) button:not(:disabled)') ?? element.querySelector('button')
}

/** Where the element with the focus is about to go, hand the focus to its neighbour. */
function keepFocus(list, leaving) {
  const holder = leaving.find((element) => element.contains(document.activeElement))
  if (!holder) return
  let next = holder.nextElementSibling ?? holder.previousElementSibling
  if (leaving.includes(next)) next = null
  const target = (next && firstButton(next)) ?? $('pending-title')
  target.focus({ preventScroll: true })
}
