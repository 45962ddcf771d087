import { describe, expect, it } from 'vitest'

import { applied, composed } from './comparing'
import { FIELDS, next, nothing, shown, transition, unsaved } from './drafts'
import type { Action, Drafts, Field, Kept, Mine, There } from './drafts'

const THERE: There = {
  name: 'Ink', type: 'loras', description: 'calm', community_links: '', positive: '', negative: '',
  trigger_words: ['ink'], favorite: false, cover: null, tags: ['style'],
}

function after(...actions: Action[]): Drafts {
  return actions.reduce(transition, nothing())
}

const read = (change: Partial<There> = {}, version = 1): Action => ({ kind: 'read', there: { ...THERE, ...change }, version })
const wrote = (field: Field, change: Partial<There>, version: number): Action =>
  ({ kind: 'wrote', field, there: { ...THERE, ...change }, version })
const typed = <F extends Field>(field: F, value: Mine<F>): Action => ({ kind: 'typed', field, value }) as Action
const said = (kind: 'due' | 'sending' | 'stale' | 'retry' | 'keep' | 'drop', field: Field): Action => ({ kind, field })
const away = (field: Field): Action => ({ kind: 'failed', field, why: 'away', refused: false })
const refused = (field: Field): Action => ({ kind: 'failed', field, why: 'too long', refused: true })

const TYPED: readonly Action[] = [read(), typed('description', 'wild')]
const SENT: readonly Action[] = [...TYPED, said('due', 'description'), said('sending', 'description')]

describe('one field', () => {
  it.each<[string, Action[], string, unknown]>([
    ['is clean when it was read', [read()], 'clean', 'calm'],
    ['is dirty when something was typed', [...TYPED], 'dirty', 'wild'],
    ['is clean again when that was taken back', [...TYPED, typed('description', 'calm')], 'clean', 'calm'],
    ['is saving while it is on its way', [...SENT], 'saving', 'wild'],
    ['is clean when it was written', [...SENT, wrote('description', { description: 'wild' }, 2)], 'clean', 'wild'],
    ['keeps what was typed meanwhile', [
      ...SENT, typed('description', 'wilder'), wrote('description', { description: 'wild' }, 2),
    ], 'dirty', 'wilder'],
    ['keeps what was refused', [...SENT, refused('description')], 'failed', 'wild'],
    ['goes on with what was typed since a refusal', [
      ...SENT, typed('description', 'w'), refused('description'),
    ], 'dirty', 'w'],
    ['keeps what nobody answered', [...SENT, away('description')], 'failed', 'wild'],
    ['goes again by itself when somebody answers', [...SENT, away('description'), { kind: 'again' }], 'dirty', 'wild'],
    ['is no conflict with what was sent from here, where only the answer was lost', [
      ...SENT, away('description'), typed('description', 'wilder'), { kind: 'again' }, read({ description: 'wild' }, 2),
    ], 'dirty', 'wilder'],
    ['is none where that was typed while it was on its way, and another try was lost', [
      ...SENT, typed('description', 'wilder'), away('description'), { kind: 'again' }, said('sending', 'description'),
      away('description'), typed('description', 'w'), { kind: 'again' }, read({ description: 'wild' }, 2),
    ], 'dirty', 'w'],
    ['is a conflict where others wrote after an answer that was lost', [
      ...SENT, away('description'), typed('description', 'wilder'), read({ description: 'wild' }, 2),
      read({ description: 'theirs' }, 3),
    ], 'conflict', 'wilder'],
    ['is a conflict with what was written before, where that was read as theirs', [
      ...SENT, wrote('description', { description: 'wild' }, 2), typed('description', 'w'),
      read({ description: 'theirs' }, 3),
    ], 'conflict', 'w'],
    ['does not go again by itself when it was refused', [...SENT, refused('description'), { kind: 'again' }], 'failed', 'wild'],
    ['is what others wrote where nobody types', [read(), read({ description: 'theirs' }, 2)], 'clean', 'theirs'],
    ['is a conflict where others wrote while somebody typed', [...TYPED, read({ description: 'theirs' }, 2)], 'conflict', 'wild'],
    ['is no conflict where others wrote the same', [...TYPED, read({ description: 'wild' }, 2)], 'clean', 'wild'],
    ['is no conflict where others wrote another field', [...TYPED, read({ name: 'Oil' }, 2)], 'dirty', 'wild'],
    ['is no conflict any more where others took it back', [
      ...TYPED, read({ description: 'theirs' }, 2), read({}, 3),
    ], 'dirty', 'wild'],
    ['takes what is typed into a conflict', [
      ...TYPED, read({ description: 'theirs' }, 2), typed('description', 'both'),
    ], 'conflict', 'both'],
    ['replaces theirs when told to', [...TYPED, read({ description: 'theirs' }, 2), said('keep', 'description')], 'dirty', 'wild'],
    ['takes theirs when told to', [...TYPED, read({ description: 'theirs' }, 2), said('drop', 'description')], 'clean', 'theirs'],
    ['is a conflict again where others wrote once more after that', [
      ...TYPED, read({ description: 'theirs' }, 2), said('keep', 'description'), read({ description: 'again' }, 3),
    ], 'conflict', 'wild'],
    ['came too late, and meets what is there', [
      ...SENT, said('stale', 'description'), read({ description: 'theirs' }, 2),
    ], 'conflict', 'wild'],
    ['came too late for another field, and goes again', [
      ...SENT, said('stale', 'description'), read({ name: 'Oil' }, 2),
    ], 'dirty', 'wild'],
    ['was written though the answer was lost', [
      ...SENT, away('description'), read({ description: 'wild' }, 2),
    ], 'clean', 'wild'],
    ['meets what others wrote while it was refused', [
      ...SENT, read({ description: 'theirs' }, 2), refused('description'),
    ], 'conflict', 'wild'],
    ['meets what others wrote while it was typed on and refused', [
      ...SENT, read({ description: 'theirs' }, 2), typed('description', 'w'), refused('description'),
    ], 'conflict', 'w'],
    ['meets what others wrote behind it', [
      ...SENT, typed('description', 'wilder'), read({ description: 'theirs' }, 3),
      wrote('description', { description: 'wild' }, 2),
    ], 'conflict', 'wilder'],
    ['meets what others wrote behind it, where the answer has that already', [
      ...SENT, typed('description', 'wilder'), wrote('description', { description: 'theirs' }, 3),
    ], 'conflict', 'wilder'],
    ['is theirs where others wrote behind it and nothing was typed since', [
      ...SENT, read({ description: 'theirs' }, 3), wrote('description', { description: 'wild' }, 2),
    ], 'clean', 'theirs'],
    ['is not moved by an answer that was overtaken', [
      read({}, 5), read({ description: 'old' }, 4),
    ], 'clean', 'calm'],
    ['takes no answer for typing before anything was read', [typed('description', 'wild')], 'clean', null],
  ])('%s', (_what, actions, state, value) => {
    const now = after(...actions)

    expect(now.fields.description.state).toBe(state)
    expect(shown(now, 'description')).toBe(value)
  })

  it('says that it was saved, and only then', () => {
    expect(after(...SENT, wrote('description', { description: 'wild' }, 2)).fields.description).toEqual({ state: 'clean', saved: true })
    expect(after(...TYPED, read({ description: 'wild' }, 2)).fields.description).toEqual({ state: 'clean', saved: false })
  })

  it('knows a name that the daemon trimmed, and a text whose lines end otherwise, as the same', () => {
    expect(after(read(), typed('name', ' Oil '), read({ name: 'Oil' }, 2)).fields.name.state).toBe('clean')
    expect(after(read({ description: 'a\r\nb' }), typed('description', 'a\nb')).fields.description.state).toBe('clean')
  })
})

describe('what is sent', () => {
  it('is nothing before it is due, before anything was read, and while something is on its way', () => {
    expect(next(after(...TYPED))).toBeNull()
    expect(next(after(said('due', 'description')))).toBeNull()
    expect(next(after(...SENT, typed('name', 'Oil'), said('due', 'name')))).toBeNull()
  })

  it('is one field at a time, in the order in which they became due', () => {
    const both = [read(), typed('name', 'Oil'), typed('positive', 'sun'), said('due', 'positive'), said('due', 'name')]

    expect(next(after(...both))).toEqual({ field: 'positive', value: 'sun', version: 1 })
    const then = after(...both, said('sending', 'positive'), wrote('positive', { positive: 'sun' }, 2))
    expect(next(then)).toEqual({ field: 'name', value: 'Oil', version: 2 })
  })

  it('goes again first, with the new version, where it came too late', () => {
    const late = after(
      read(), typed('name', 'Oil'), typed('positive', 'sun'), said('due', 'name'), said('due', 'positive'),
      said('sending', 'name'), said('stale', 'name'),
    )

    expect(next(late)).toBeNull()
    expect(next(transition(late, read({ tags: [] }, 7)))).toEqual({ field: 'name', value: 'Oil', version: 7 })
  })

  it('keeps its order over a daemon that was away', () => {
    const gone = after(
      read(), typed('name', 'Oil'), typed('positive', 'sun'), said('due', 'name'), said('due', 'positive'),
      said('sending', 'name'), away('name'),
    )

    expect(next(gone)).toBeNull()
    expect(next(transition(gone, { kind: 'again' }))?.field).toBe('name')
    expect(next(after(...SENT, away('description'), said('retry', 'description')))?.value).toBe('wild')
  })

  it('is no conflict, and other fields go past it', () => {
    const now = after(...TYPED, said('due', 'description'), read({ description: 'theirs' }, 2), typed('name', 'Oil'), said('due', 'name'))

    expect(next(now)?.field).toBe('name')
  })
})

describe('tags', () => {
  const add = (name: string) => typed('tags', { add: [name], remove: [] })
  const remove = (name: string) => typed('tags', { add: [], remove: [name] })

  it('go with whatever others put on or took off', () => {
    const now = after(read(), add('anime'), read({ tags: ['other'] }, 2))

    expect(now.fields.tags.state).toBe('dirty')
    expect(shown(now, 'tags')).toEqual(['other', 'anime'])
  })

  it('are nothing to do where they are so already, in any spelling', () => {
    expect(after(read(), add('STYLE')).fields.tags.state).toBe('clean')
    expect(after(read(), remove('other')).fields.tags.state).toBe('clean')
    expect(after(read(), add('anime'), read({ tags: ['style', 'Anime'] }, 2)).fields.tags.state).toBe('clean')
    expect(after(read(), add('anime'), remove('Anime')).fields.tags.state).toBe('clean')
  })

  it('that are taken off while they are on their way are taken off after that', () => {
    const now = after(
      read(), add('anime'), said('due', 'tags'), said('sending', 'tags'), remove('anime'), said('due', 'tags'),
      wrote('tags', { tags: ['style', 'anime'] }, 2),
    )

    expect(next(now)).toEqual({ field: 'tags', value: { add: [], remove: ['anime'] }, version: 2 })
  })

  it('are told by what was said last', () => {
    expect(composed({ add: ['a'], remove: ['b'] }, { add: ['B'], remove: [] })).toEqual({ add: ['a', 'B'], remove: [] })
    expect(applied(['a', 'b'], { add: ['c', 'A'], remove: ['B'] })).toEqual(['a', 'c'])
  })
})

describe('what is kept over a reload', () => {
  const kept: Kept = { description: { mine: 'wild', base: 'calm' }, tags: { mine: { add: ['x'], remove: [] }, base: ['style'] } }

  it('tells what is on its way from what others write, though the page ends meanwhile', () => {
    const left = unsaved(after(...SENT, typed('description', 'wilder')))
    const now = after({ kind: 'restore', kept: left }, read({ description: 'wild' }, 2))
    expect(now.fields.description).toMatchObject({ state: 'dirty', mine: 'wilder', base: 'wild' })
  })

  it('is all that is unsaved, in any state', () => {
    expect(unsaved(after(...SENT))).toEqual({ description: { mine: 'wild', base: 'calm' } })
    expect(unsaved(after(...SENT, refused('description')))).toEqual({ description: { mine: 'wild', base: 'calm' } })
    expect(unsaved(after(...TYPED, read({ description: 'x' }, 2)))).toEqual({ description: { mine: 'wild', base: 'calm' } })
    expect(unsaved(after(...SENT, wrote('description', { description: 'wild' }, 2)))).toEqual({})
  })

  it('goes on where nobody wrote meanwhile', () => {
    expect(next(after({ kind: 'restore', kept }, read()))).toMatchObject({ field: 'description', value: 'wild' })
  })

  it('is a conflict where somebody did, and over where it had arrived', () => {
    expect(after({ kind: 'restore', kept }, read({ description: 'theirs' })).fields.description.state).toBe('conflict')
    const there = after({ kind: 'restore', kept }, read({ description: 'wild', tags: ['style', 'x'] }))
    expect(unsaved(there)).toEqual({})
  })
})

/** A daemon that others write to as well, and a page; whatever happens between them, in any order. */
class World {
  now = nothing()
  there: There = THERE
  version = 1
  way: { field: Field; value: unknown; version: number } | null = null
  /** A read that was answered, and has not arrived. */
  reads: Action[] = []
  typed = new Map<Field, unknown>()
  count = 0

  private readonly random: () => number

  constructor(random: () => number) {
    this.random = random
    this.act(this.reading())
  }

  act(action: Action): void {
    this.now = transition(this.now, action)
    const saving = FIELDS.filter((field) => this.now.fields[field].state === 'saving')
    insist(saving.join() === (this.way?.field ?? ''), 'one write is on its way, and no other')
    for (const [field, value] of this.typed) {
      // What was typed last is shown or was written by us: never anything else, whatever others do.
      const draft = this.now.fields[field]
      insist(draft.state === 'clean' || draft.mine === value, 'what was typed last stands there')
    }
  }

  reading(): Action {
    return { kind: 'read', there: this.there, version: this.version }
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)] as T
  }

  step(): void {
    const field = this.pick(['name', 'description', 'positive'] as const)
    this.pick([
      () => this.type(field),
      () => this.type(field),
      () => this.act({ kind: 'due', field }),
      () => this.act({ kind: 'due', field }),
      () => this.send(),
      () => this.send(),
      () => this.answer(),
      () => this.answer(),
      () => this.others(field),
      () => this.reads.push(this.reading()),
      () => this.arrive(),
      () => this.act({ kind: 'again' }),
      () => this.decide(field),
    ])()
  }

  type(field: Field): void {
    const value = this.random() < 0.1 ? (this.now.there as There)[field] : `mine ${++this.count}`
    this.typed.set(field, value)
    this.act({ kind: 'typed', field, value } as Action)
  }

  send(): void {
    const write = next(this.now)
    if (write === null) return
    insist(this.way === null, 'nothing else is on its way')
    this.way = write
    this.act({ kind: 'sending', field: write.field })
  }

  /** The daemon takes the write or not, and its answer arrives or is lost. */
  answer(): void {
    if (this.way === null) return
    const { field, value, version } = this.way
    const draft = this.now.fields[field]
    const base = draft.state === 'clean' ? null : draft.base
    const luck = this.random()
    if (luck >= 0.35 && luck < 0.5) this.act(this.reading()) // it is heard of before it is answered
    this.way = null
    if (luck < 0.15) return this.act({ kind: 'failed', field, why: 'away', refused: false })
    if (version !== this.version) return this.act({ kind: 'stale', field })
    if (luck < 0.25) return this.act({ kind: 'failed', field, why: 'refused', refused: true })
    insist(base === this.there[field], 'what is replaced is what the draft was begun on')
    this.there = { ...this.there, [field]: value }
    this.version += 1
    if (luck < 0.35) return this.act({ kind: 'failed', field, why: 'away', refused: false })
    const there = this.there
    const at = this.version
    if (luck < 0.6) this.others(field)
    if (luck < 0.55) {
      this.way = { field, value, version }
      this.act(this.reading())
      this.way = null
    }
    this.act({ kind: 'wrote', field, there, version: at })
  }

  others(field: Field): void {
    this.there = { ...this.there, [field]: `theirs ${++this.count}` }
    this.version += 1
  }

  arrive(): void {
    const at = Math.floor(this.random() * this.reads.length)
    const [action] = this.reads.splice(at, 1)
    if (action && !this.now.stale) this.act(action)
    else if (this.now.stale) this.act(this.reading())
  }

  decide(field: Field): void {
    const { state } = this.now.fields[field]
    if (state === 'failed') this.act({ kind: 'retry', field })
    if (state === 'conflict') {
      if (this.random() < 0.5) return this.act({ kind: 'keep', field })
      this.typed.delete(field)
      this.act({ kind: 'drop', field })
    }
  }

  /** Nobody interferes any more; the person keeps what was typed. */
  rest(): void {
    for (let turn = 0; turn < 60; turn += 1) {
      if (this.way) {
        const { field, value, version } = this.way
        this.way = null
        if (version !== this.version) this.act({ kind: 'stale', field })
        else {
          this.there = { ...this.there, [field]: value }
          this.version += 1
          this.act({ kind: 'wrote', field, there: this.there, version: this.version })
        }
      }
      this.act(this.reading())
      this.act({ kind: 'again' })
      for (const field of FIELDS) {
        this.act({ kind: 'due', field })
        this.act({ kind: 'keep', field })
        this.act({ kind: 'retry', field })
      }
      this.send()
    }
  }
}

/** As `expect`, and quick: it is asked hundreds of thousands of times. */
function insist(so: boolean, what: string): void {
  if (!so) throw new Error(`it does not hold that ${what}`)
}

function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describe('whatever happens in whatever order', () => {
  it('one write is on its way, nothing typed is lost, nothing is replaced unseen, and all ends clean', { timeout: 60_000 }, () => {
    for (let seed = 1; seed <= 250; seed += 1) {
      const world = new World(dice(seed))
      for (let step = 0; step < 60; step += 1) world.step()
      world.rest()
      expect(unsaved(world.now), `seed ${seed}`).toEqual({})
      expect(world.now.there, `seed ${seed}`).toEqual(world.there)
    }
  })
})
