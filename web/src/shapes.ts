/** What the daemon answers and takes, as its OpenAPI document has it (`daemon/shapes.py`). */

export type Sha = string
export type State = 'present' | 'offline' | 'missing'
export type Strategy = 'merge' | 'override' | 'ignore' | 'delete'
export type Sort = 'best' | 'name' | '-name' | 'added' | '-added' | 'size' | '-size' | 'changed' | '-changed'
export type Quality = 'high' | 'medium' | 'low'
export type WrittenBy = 'user' | 'provider' | 'header' | 'none'
export type Origin = 'user' | 'provider' | 'header'

export interface Page<T> {
  items: T[]
  next: string | null
}

export interface ModelCard {
  sha256: Sha
  name: string
  type: string
  size_bytes: number
  created_at: number
  changed_at: number
  favorite: boolean
  tags: string[]
  images: string[]
  cover: number | null
  path: string | null
  name_valid: boolean
  state: State
}

export type FoundBy =
  | 'name' | 'tag' | 'trigger_words' | 'text' | 'file' | 'hash' | 'earlier_name' | 'earlier_file'

export interface FoundCard extends ModelCard {
  found_by: FoundBy | null
  earlier: string | null
}

export interface TagCount {
  name: string
  count: number
}

export interface Facets {
  tags: TagCount[]
  types: { type: string; count: number }[]
}

export interface FoundPage extends Page<FoundCard> {
  total: number
  facets?: Facets
}

export interface Prompts {
  positive: string
  negative: string
}

export interface OfferedPrompts extends Prompts {
  image: string
}

export interface Location {
  path: string
  root: number
  name_valid: boolean
  state: State
  claimed: boolean
}

export interface Provided {
  source: string
  path: string
  name: string
  notes: string
  description: string
  links: string[]
  prompts: Prompts
  trigger_words: string[]
  tags: string[]
  favorite: boolean
  sha256: string
  facts: Record<string, unknown>
  problem: string
}

export interface Adapter {
  kind?: string
  rank?: number | null
  ranks?: number[]
  alpha?: number | null
  targets?: string[]
}

/** What the file says of itself: `facts` as the daemon reads them, `metadata` as it stands there. */
export interface Header {
  format?: string
  tensors?: number
  metadata?: Record<string, unknown>
  facts?: {
    base_model?: string | null
    evidence?: string | null
    part?: string | null
    precision?: string | null
    parameters?: number
    adapter?: Adapter
    trained_words?: { word: string; count: number }[]
    modelspec?: Record<string, string>
    training?: Record<string, string>
    [more: string]: unknown
  }
  [more: string]: unknown
}

export interface Texts {
  description: string
  community_links: string
  prompts: Prompts
  trigger_words: string[]
  provided: Provided[]
  origins: { description: WrittenBy; community_links: WrittenBy; prompts: WrittenBy; trigger_words: WrittenBy }
  tag_origins: Record<string, Origin>
  offered_prompts: OfferedPrompts | null
  header: Header
  version: number
}

export interface ModelWhole extends ModelCard, Texts {
  earlier_names: { kind: 'name' | 'file'; name: string }[]
  hash_state: 'confirmed' | 'claimed' | 'denied'
  denied: { path: string; sha256: Sha }[]
  locations: Location[]
}

/** The fields of a model or pending model to change; what is left out stays. */
export interface Patch {
  name?: string
  type?: string
  description?: string
  community_links?: string
  prompts?: Partial<Prompts>
  trigger_words?: string[]
  tags?: string[]
  add_tags?: string[]
  remove_tags?: string[]
}

export interface ModelPatch extends Patch {
  favorite?: boolean
  cover?: number
}

/** What to change of several models at once, as one action. */
export interface ManyPatch {
  models: Sha[]
  add_tags?: string[]
  remove_tags?: string[]
  type?: string
  favorite?: boolean
}

export interface ManyWritten {
  changed: number
  unchanged: number
  unknown: Sha[]
  position: number
}

export interface ImportState {
  state: 'queued' | 'planned' | 'completed' | 'conflict' | 'failed' | 'cancelled'
  reason: string | null
  model: Sha | null
}

export interface PendingCard {
  id: number
  name: string
  path: string
  name_valid: boolean
  type: string | null
  size_bytes: number
  created_at: number
  tags: string[]
  image: string | null
  in_place: boolean
  state: 'waiting' | 'missing' | 'offline'
  sha256: Sha | null
  replaces: Sha | null
  import: ImportState | null
}

export interface PendingWhole extends PendingCard, Texts {
  tensors: { name: string; dtype: string; shape: number[] }[]
}

export interface TypeCount {
  type: string
  models: number
  pending: number
}

export interface Tag {
  id: number
  name: string
  models: number
  pending: number
}

export interface ImageReference {
  kind: string
  name: string
  hash: string | null
  weight: number | null
  sha256: Sha | null
  model_name: string | null
  linked_by: string | null
  candidates: number
}

/** What a picture tells of how it was made; null where it does not. */
export interface ImageInfo {
  image: string
  format: string | null
  width: number
  height: number
  source: string | null
  prompts: Prompts
  seed_text: string | null
  sampler: string | null
  scheduler: string | null
  steps: number | null
  cfg: number | null
  size: [number, number] | null
  denoise: number | null
  clip_skip: number | null
  model: string | null
  references: ImageReference[]
  texts: Record<string, string>
  problem: string | null
}

export type RootStateName = 'online' | 'offline' | 'paused'

export interface Root {
  id: number
  path: string
  kind: 'model' | 'pending'
  type: string | null
  state: RootStateName
  why: string | null
  cure: string | null
  watched: 'events' | 'looks' | 'both' | null
  polled_every_s: number | null
  models: number
  pending: number
  origin: 'configuration' | 'user' | 'comfyui'
}

/** How far a task is, or that it has ended; `task` names it, `pending` is the pending model it works on. */
export interface Progress {
  task: string
  ended?: true
  what?: string
  done?: number
  total?: number
  pending?: number
  op?: string
  [more: string]: unknown
}

export interface Trouble {
  what: string
  cure: string
}

export interface Status {
  version: string
  position: number
  roots: Pick<Root, 'id' | 'path' | 'kind' | 'type' | 'state' | 'why' | 'watched' | 'polled_every_s'>[]
  counts: Record<string, number>
  work: Progress[]
  imports: Record<string, number>
  waiting: { path: string; reason: string }[]
  warnings: Trouble[]
}

export interface LogEvent {
  position: number
  id: string
  time: number
  type: string
  stream: string
  actor: string
  action: string
  data: Record<string, unknown>
}

export interface Uploaded {
  upload: string
  name: string
  offset: number
  size: number
  done: boolean
  path: string | null
}

export interface Migrated {
  status: 'done' | 'cancelled'
  form: string
  models: number
  pending: number
  united: number
  missing: number
  tags: number
  images: number
  already: number
  problems: { table: string; id: string; what: string }[]
  unwatched: string[]
}

/** A LoRA as a node's payload names it. */
export interface LoraEntry {
  name: string
  full_path: string
  strength_model: number
  strength_clip: number
  sha256: Sha | null
  enabled: boolean
}

/** A set of LoRAs, kept under a name. */
export interface LoraSetBody {
  name: string
  note: string
  loras: LoraEntry[]
}

export interface LoraSet extends LoraSetBody {
  id: number
  created: number
  changed: number
  version: number
}

export type ResolvedBy = 'path' | 'sha256' | 'earlier' | 'name'

export interface Candidate {
  path: string
  name: string
  type: string | null
  sha256: Sha | null
  pending: number | null
  size_bytes: number
  by: ResolvedBy
}

/** Where a file lies now that a node names; `here`: where the node says. The best of the candidates is the first. */
export interface Resolved {
  here: boolean
  found_by: ResolvedBy | null
  path: string | null
  candidates: Candidate[]
}

/** How ComfyUI's server reaches the daemon: whether it does, what this page may do, and how to start it. */
export interface Way {
  daemon: boolean
  access: 'full' | 'view'
  can_start: boolean
  how: string
}
