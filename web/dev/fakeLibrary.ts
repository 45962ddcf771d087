/** A library that was made up, for work on the front end: enough models to scroll, in every state that a face can show. */

import type {
  LoraSet, ModelCard, ModelWhole, PendingCard, State, Status, Tag, Texts, TypeCount,
} from '../src/shapes'

const NAMES = {
  checkpoints: ['Dreamscape XL', 'Northern Light', 'Paper Lantern', 'Deep Water', 'Old Masters', 'Clay and Glass'],
  loras: [
    'Ink Wash', 'Fine Line', 'Soft Glow', 'Add Detail', 'Film Grain', 'Watercolour', 'Isometric', 'Neon Rain', 'Woodcut',
    'Pastel', 'Low Key', 'Golden Hour', 'Embroidery', 'Stained Glass', 'Chalk', 'A LoRA with a name that is longer than its row',
  ],
} as const
const TAGS = ['sdxl', 'sd15', 'flux', 'style', 'light', 'detail', 'paper'] as const
const MORE = 60
const STATES: Readonly<Record<string, State>> = { 'Old Masters': 'missing', 'Woodcut': 'offline' }

/** Where a model of the made-up library lies. */
export function pathOf(type: string, name: string): string {
  return `/models/${type}/${name.toLowerCase().replaceAll(' ', '_')}.safetensors`
}

const shaOf = (seed: number): string => seed.toString(16).padStart(4, '0').repeat(16)

function model(type: string, name: string, seed: number): ModelWhole {
  const sha256 = shaOf(seed)
  const path = pathOf(type, name)
  const state = STATES[name] ?? 'present'
  const hasPicture = seed % 7 !== 3
  return {
    sha256, name, type, path, state, size_bytes: type === 'loras' ? 2.2e8 : 6.9e9, created_at: 1.76e12 + seed * 8.64e7,
    changed_at: 1.76e12, favorite: seed % 9 === 0, tags: [TAGS[seed % 3], TAGS[3 + (seed % 4)]].flatMap((tag) => tag ?? []),
    images: hasPicture ? [`${sha256}_0`] : [], cover: hasPicture ? 0 : null, name_valid: true,
    earlier_names: [], hash_state: 'confirmed', denied: [],
    locations: [{ path, root: 1, name_valid: true, state, claimed: false }],
    ...texts(),
  }
}

function texts(): Texts {
  return {
    description: 'Made up, for work on the front end.', community_links: '', prompts: { positive: '', negative: '' },
    trigger_words: [], provided: [], tag_origins: {}, offered_prompts: null, header: {}, version: 1,
    origins: { description: 'user', community_links: 'none', prompts: 'none', trigger_words: 'none' },
  }
}

function pending(id: number, name: string): PendingCard {
  return {
    id, name, path: pathOf('loras', name), name_valid: true, type: 'loras', size_bytes: 1.4e8, created_at: 1.763e12, tags: [],
    image: null, in_place: true, state: 'waiting', sha256: null, replaces: null, import: null,
  }
}

/** All that the fake daemon knows. */
export interface Library {
  models: ModelWhole[]
  pending: PendingCard[]
  sets: LoraSet[]
  position: number
}

export function library(): Library {
  const extra = Array.from({ length: MORE }, (_, at) => `Study ${at + 1}`)
  const models = [
    ...NAMES.checkpoints.map((name, at) => model('checkpoints', name, at + 1)),
    ...[...NAMES.loras, ...extra].map((name, at) => model('loras', name, at + 100)),
  ]
  const moved = models.find((one) => one.name === 'Chalk')
  if (moved) moved.locations.push({ path: '/models/loras/old/chalk.safetensors', root: 1, name_valid: true, state: 'missing', claimed: false })
  return { models, pending: [pending(1, 'Just Dropped'), pending(2, 'Not Looked At')], sets: [], position: 1 }
}

export function statusOf({ models, pending: waiting, position }: Library): Status {
  return {
    version: 'made up', position, work: [], imports: {}, waiting: [], warnings: [],
    counts: { models: models.length, pending: waiting.length },
    roots: [{
      id: 1, path: '/models', kind: 'model', type: 'loras', state: 'online', why: null, watched: 'events', polled_every_s: null,
    }],
  }
}

export function typesOf({ models, pending: waiting }: Library): TypeCount[] {
  return Object.keys(NAMES).map((type) => ({
    type,
    models: models.filter((one) => one.type === type).length,
    pending: waiting.filter((one) => one.type === type).length,
  }))
}

export function tagsOf({ models }: Library): Tag[] {
  return TAGS.map((name, at) => ({ id: at + 1, name, models: countOf(models, name), pending: 0 }))
}

/** How many models have a tag. */
export function countOf(models: readonly ModelCard[], tag: string): number {
  return models.filter((one) => one.tags.includes(tag)).length
}

/** A picture for a model: hills before a sky, of a tint of its own. */
export function painting(seed: string): string {
  const hue = Number.parseInt(seed.slice(0, 4), 16) * 47 % 360
  const hill = (y: number, light: number): string =>
    `<path fill="hsl(${hue} 45% ${light}%)" d="M0 ${y}Q100 ${y - 90} 220 ${y - 20}T400 ${y - 50}V500H0Z"/>`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 500" width="400" height="500">
    <rect width="400" height="500" fill="hsl(${(hue + 40) % 360} 60% 72%)"/>
    <circle cx="${120 + (hue % 160)}" cy="150" r="62" fill="hsl(${(hue + 20) % 360} 90% 88%)"/>
    ${hill(330, 48)}${hill(390, 34)}${hill(450, 22)}</svg>`
}
