/**
 * A node's text: what it says, in all spellings that were ever written, and how we write it. `comfy_node/payload.py` reads
 * the same on the server; tests/payloads.json holds the cases that both keep to.
 */

import { comfy } from '../words/comfy'

export type Kind = 'checkpoint' | 'loras'

/** A file that a node names, with how strongly it counts. A checkpoint has the strengths it is born with. */
export interface Chosen {
  path: string
  name: string
  sha256: string | null
  strengthModel: number
  strengthClip: number
  enabled: boolean
}

/** What a text says, or, where it cannot be read, a sentence that says why. What could be read is here all the same. */
export interface Payload {
  chosen: Chosen[]
  problem: string | null
}

type Fields = Record<string, unknown>

const LISTS = ['LoRAs', 'loras', 'LoRAList', 'loRAList'] as const
const PATHS = ['full_path', 'fullPath', 'path'] as const
const MODEL_STRENGTHS = ['strength_model', 'MStrength', 'strengthModel'] as const
const CLIP_STRENGTHS = ['strength_clip', 'CStrength', 'strengthClip'] as const
const SWITCHES = ['enabled', 'toggleOn'] as const
const VERSIONS: readonly unknown[] = [undefined, null, 1, 2, '1', '2']
const NUMBER = /^\s*[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?\s*$/i
// No file is named by NUL, or by half of a surrogate pair.
const IN_NO_PATH = /\0|\p{Surrogate}/u

const said = comfy.problems

class Wrong extends Error {}

/** Read the text of a node of a kind. */
export function read(kind: Kind, text: string): Payload {
  try {
    const value = parse(text)
    return kind === 'checkpoint' ? { chosen: readCheckpoint(value), problem: null } : readLoras(value)
  } catch (error) {
    return { chosen: [], problem: wrongOf(error) }
  }
}

function parse(text: string): unknown {
  if (!text.trim()) return null
  try {
    return JSON.parse(text)
  } catch {
    throw new Wrong(said.json)
  }
}

/** Write what is chosen as a node's text. */
export function write(kind: Kind, chosen: readonly Chosen[]): string {
  if (kind === 'checkpoint') return JSON.stringify({ ckpt_path: chosen[0]?.path ?? '' })
  const LoRAs = chosen.map((one) => ({
    name: one.name,
    full_path: one.path,
    strength_model: one.strengthModel,
    strength_clip: one.strengthClip,
    sha256: one.sha256,
    enabled: one.enabled,
  }))
  return JSON.stringify({ version: 2, LoRAs })
}

/** A file as it is chosen for the first time. */
export function chosenAt(path: string, name = nameOf(path), sha256: string | null = null): Chosen {
  return { path, name, sha256, strengthModel: 1, strengthClip: 1, enabled: true }
}

/** What a chosen file is called: by its name, or by its file's. */
export function labelOf(chosen: Chosen): string {
  return chosen.name || nameOf(chosen.path)
}

/** A file's name without folders and ending, whichever way its system writes paths. */
export function nameOf(path: string): string {
  const file = path.split(/[\\/]/).filter(Boolean).at(-1) ?? path
  const dot = file.lastIndexOf('.')
  return dot > 0 ? file.slice(0, dot) : file
}

/** Whether a path says all by itself where its file lies, on any system. */
export function isAbsolute(path: string): boolean {
  return /^([\\/]|[a-z]:[\\/])/i.test(path)
}

function readCheckpoint(value: unknown): Chosen[] {
  if (value === null) return []
  if (!isFields(value)) throw new Wrong(said.noCheckpoint)
  const path = pathOf(value, ['ckpt_path'], '')
  return path ? [chosenAt(path, '')] : []
}

function readLoras(value: unknown): Payload {
  const chosen: Chosen[] = []
  let problem: string | null = null
  entriesOf(value).forEach((entry, index) => {
    try {
      chosen.push(readEntry(entry, index + 1))
    } catch (error) {
      problem ??= wrongOf(error)
    }
  })
  return { chosen, problem }
}

function entriesOf(value: unknown): unknown[] {
  if (value === null) return []
  if (Array.isArray(value)) return value
  const names = isFields(value) ? Object.keys(value) : []
  const isKnown = names.every((name) => name === 'version') || names.some((name) => LISTS.some((list) => list === name))
  // A list under a name that nobody knows must not pass for an empty one.
  if (!isFields(value) || !isKnown) throw new Wrong(said.noList)
  if (!VERSIONS.includes(value['version'])) throw new Wrong(said.version(JSON.stringify(value['version'])))
  const lists = LISTS.map((name) => ({ name, list: listAt(value, name) })).filter(({ list }) => list.length)
  const [only, second] = lists
  if (only && second) throw new Wrong(said.twoLists(only.name, second.name))
  return only?.list ?? []
}

function listAt(value: Fields, name: string): unknown[] {
  const list = value[name] ?? []
  if (!Array.isArray(list)) throw new Wrong(said.listKind(name))
  return list
}

function readEntry(entry: unknown, at: number): Chosen {
  if (!isFields(entry)) throw new Wrong(said.entryKind(said.entry(at, '')))
  const name = typeof entry['name'] === 'string' ? entry['name'] : ''
  const path = pathOf(entry, PATHS, `${said.entry(at, name)}: `)
  const prefix = `${said.entry(at, name || lastPart(path))}: `
  const sha256 = entry['sha256']
  return {
    path,
    name,
    sha256: (typeof sha256 === 'string' && sha256.trim().toLowerCase()) || null,
    strengthModel: strengthOf(entry, MODEL_STRENGTHS, prefix),
    strengthClip: strengthOf(entry, CLIP_STRENGTHS, prefix),
    enabled: switchOf(entry, prefix),
  }
}

function pathOf(entry: Fields, spellings: readonly string[], prefix: string): string {
  const [field, path] = first(entry, spellings, [undefined, null, ''])
  if (path === undefined) return ''
  if (typeof path !== 'string') throw new Wrong(`${prefix}${said.notText(field)}`)
  if (IN_NO_PATH.test(path)) throw new Wrong(`${prefix}${said.noPathHas(field)}`)
  return path
}

function strengthOf(entry: Fields, spellings: readonly string[], prefix: string): number {
  const [field, value] = first(entry, spellings)
  if (value === undefined) return 1
  const strength = typeof value === 'number' || (typeof value === 'string' && NUMBER.test(value)) ? Number(value) : NaN
  if (!Number.isFinite(strength)) throw new Wrong(`${prefix}${said.notNumber(field)}`)
  return strength
}

function switchOf(entry: Fields, prefix: string): boolean {
  const [field, value] = first(entry, SWITCHES)
  if (value === undefined) return true
  if (typeof value !== 'boolean') throw new Wrong(`${prefix}${said.notSwitch(field)}`)
  return value
}

/** The first spelling that says something, and what it says; without any, undefined. */
function first(entry: Fields, spellings: readonly string[], nothing: readonly unknown[] = [undefined, null]) {
  const field = spellings.find((name) => !nothing.includes(entry[name]))
  return [field ?? spellings[0] ?? '', field === undefined ? undefined : entry[field]] as const
}

function lastPart(path: string): string {
  return path.split(/[\\/]/).at(-1) ?? ''
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrongOf(error: unknown): string {
  if (error instanceof Wrong) return error.message
  throw error
}
