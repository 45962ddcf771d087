import { mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { defineComponent, h } from 'vue'

import { Away, Refused } from '../api'
import type { ModelPatch, ModelWhole } from '../shapes'
import { modelWhole } from './fixtures'
import { useEditing } from './useEditing'
import type { Editing, Target } from './useEditing'

/** A daemon of one model, whose answers come when a test says so. */
class Daemon {
  whole: ModelWhole = { ...modelWhole(), version: 1 }
  patches: { change: ModelPatch; version: number }[] = []
  loads = 0
  isAway = false
  refuses: string | null = null
  status = 422
  isGone = false
  held: (() => void)[] = []
  isHolding = false

  readonly key: string

  constructor(key: string) {
    this.key = key
  }

  target(): Target<ModelWhole> {
    return {
      key: this.key,
      streams: [this.key],
      load: () => {
        this.loads += 1
        if (this.isAway) return Promise.reject(new Away(null))
        if (this.isGone) return Promise.reject(new Refused(404, 'there is no such model'))
        return Promise.resolve(this.whole)
      },
      patch: async (change, version) => {
        this.patches.push({ change, version })
        if (this.isHolding) await new Promise<void>((done) => this.held.push(done))
        if (this.isAway) throw new Away(null)
        if (this.refuses !== null) throw new Refused(this.status, this.refuses)
        if (version !== this.whole.version) throw new Refused(412, 'somebody changed it meanwhile')
        this.write(change)
        return this.whole
      },
    }
  }

  write({ prompts, add_tags = [], remove_tags = [], ...fields }: ModelPatch): void {
    const tags = [...this.whole.tags.filter((name) => !remove_tags.includes(name)), ...add_tags]
    this.whole = {
      ...this.whole, ...fields, tags, prompts: { ...this.whole.prompts, ...prompts }, version: this.whole.version + 1,
    }
  }

  release(): void {
    this.held.splice(0).forEach((done) => done())
  }
}

let count = 0
let daemon: Daemon
const open: { unmount: () => void }[] = []

function edit(): Editing<ModelWhole> {
  let editing: Editing<ModelWhole> | null = null
  open.push(mount(defineComponent({
    setup() {
      editing = useEditing(daemon.target())
      return () => h('div')
    },
  })))
  return editing as unknown as Editing<ModelWhole>
}

/** The component is gone; the editing may go on. */
function closePane(): void {
  open.pop()?.unmount()
}

async function rest(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
}

const kept = () => sessionStorage.getItem(`hikaze.unsaved.${daemon.key}`)

function asksBeforeLeaving(): boolean {
  const event = new Event('beforeunload', { cancelable: true })
  window.dispatchEvent(event)
  return event.defaultPrevented
}

beforeEach(() => {
  vi.useFakeTimers()
  sessionStorage.clear()
  daemon = new Daemon(`model/${++count}`)
})

afterEach(async () => {
  daemon.isAway = false
  daemon.refuses = null
  while (open.length) closePane()
  await vi.advanceTimersByTimeAsync(10_000)
  vi.useRealTimers()
})

describe('saving as one types', () => {
  it('writes once what was typed, when there was rest, on the version that was read', async () => {
    const name = edit().field('name')
    await rest()
    name.set('I')
    await rest(400)
    name.set('In')
    await rest(400)
    expect(daemon.patches).toEqual([])

    await rest(300)

    expect(daemon.patches).toEqual([{ change: { name: 'In' }, version: 1 }])
    expect(name.draft).toEqual({ state: 'clean', saved: true })
    expect(name.value).toBe('In')
  })

  it('writes at once when the field is left, and not again after that', async () => {
    const name = edit().field('name')
    await rest()
    name.set('Oil')
    name.settle()
    await rest(2_000)

    expect(daemon.patches).toHaveLength(1)
  })

  it('has one write on its way, and sends what was typed meanwhile after it', async () => {
    const editing = edit()
    await rest()
    daemon.isHolding = true
    editing.field('positive').set('sun', 'now')
    editing.field('positive').set('sunset', 'now')
    editing.field('name').set('Oil', 'now')
    await rest(1_000)
    expect(daemon.patches).toHaveLength(1)

    daemon.isHolding = false
    daemon.release()
    await rest(10)

    expect(daemon.patches.map(({ change }) => change)).toEqual([
      { prompts: { positive: 'sun' } }, { prompts: { positive: 'sunset' } }, { name: 'Oil' },
    ])
    expect(daemon.whole).toMatchObject({ name: 'Oil', prompts: { positive: 'sunset' } })
    expect(editing.isUnsaved.value).toBe(false)
  })

  it('sends tags as changes, never as a list', async () => {
    const editing = edit()
    await rest()
    editing.addTag('anime')
    await rest()
    editing.removeTag('style')
    await rest(10)

    expect(daemon.patches.map(({ change }) => change)).toEqual([{ add_tags: ['anime'] }, { remove_tags: ['style'] }])
  })
})

describe('somebody else writes, too', () => {
  it('sends again by itself where they changed another field', async () => {
    const editing = edit()
    await rest()
    daemon.write({ description: 'theirs' })
    editing.field('name').set('Oil', 'now')
    await rest(10)

    expect(daemon.patches.map(({ version }) => version)).toEqual([1, 2])
    expect(daemon.whole).toMatchObject({ name: 'Oil', description: 'theirs' })
    expect(editing.field('description').value).toBe('theirs')
  })

  it('shows both where they changed the same, and replaces theirs only when told to', async () => {
    const editing = edit()
    const name = editing.field('name')
    await rest()
    daemon.write({ name: 'Theirs' })
    name.set('Mine', 'now')
    await rest(5_000)
    expect(name.draft.state).toBe('conflict')
    expect([name.value, name.theirs]).toEqual(['Mine', 'Theirs'])
    expect(daemon.whole.name).toBe('Theirs')

    name.keep()
    await rest(10)

    expect(daemon.whole.name).toBe('Mine')
    expect(editing.isUnsaved.value).toBe(false)
  })

  it('takes theirs when told to', async () => {
    const name = edit().field('name')
    await rest()
    daemon.write({ name: 'Theirs' })
    name.set('Mine', 'now')
    await rest(10)

    name.drop()
    await rest(10)

    expect(name.value).toBe('Theirs')
    expect(daemon.whole.name).toBe('Theirs')
    expect(kept()).toBeNull()
  })
})

describe('nothing that was typed is lost', () => {
  it('keeps a draft while nobody answers, and sends it when somebody does', async () => {
    const editing = edit()
    await rest()
    daemon.isAway = true
    editing.field('description').set('typed in the dark', 'now')
    await rest(1_000)
    expect(editing.field('description').draft.state).toBe('failed')
    expect(kept()).toContain('typed in the dark')
    expect(asksBeforeLeaving()).toBe(true)

    daemon.isAway = false
    editing.field('description').retry()
    await rest(10)

    expect(daemon.whole.description).toBe('typed in the dark')
    expect(kept()).toBeNull()
    expect(asksBeforeLeaving()).toBe(false)
  })

  it.each([502, 503])('takes a %i for an absence, and sends again by itself', async (status) => {
    const editing = edit()
    await rest()
    daemon.status = status
    daemon.refuses = 'the disk is full'
    editing.field('name').set('Oil', 'now')
    await rest()
    expect(editing.field('name').draft).toMatchObject({ state: 'failed', refused: false })

    daemon.refuses = null
    editing.field('name').retry()
    await rest(10)

    expect(daemon.whole.name).toBe('Oil')
  })

  it('keeps what was refused, with the reason, and sends it again when told to', async () => {
    const name = edit().field('name')
    await rest()
    daemon.refuses = 'a name cannot be empty'
    name.set(' ', 'now')
    await rest(5_000)
    expect(name.draft).toMatchObject({ state: 'failed', why: 'a name cannot be empty', mine: ' ' })
    expect(daemon.patches).toHaveLength(1)

    daemon.refuses = null
    name.set('Oil', 'now')
    await rest(10)

    expect(daemon.whole.name).toBe('Oil')
  })

  it('sends what was typed last when the pane is closed, and ends then', async () => {
    const editing = edit()
    await rest()
    editing.field('description').set('typed and closed')
    closePane()
    await rest(10)

    expect(daemon.whole.description).toBe('typed and closed')
    expect(kept()).toBeNull()
    const before = daemon.loads
    edit()
    await rest()
    expect(daemon.loads).toBe(before + 1) // a new one: the old one has ended
  })

  it('goes on with the same draft where the pane is opened again before it was saved', async () => {
    const editing = edit()
    await rest()
    daemon.refuses = 'not now'
    editing.field('description').set('mine', 'now')
    await rest()
    closePane()

    const again = edit()

    expect(again.field('description').draft).toMatchObject({ state: 'failed', mine: 'mine' })
  })

  it('brings a draft of an earlier page back, and sends it where nobody wrote since', async () => {
    sessionStorage.setItem(`hikaze.unsaved.${daemon.key}`, JSON.stringify({ name: { mine: 'Oil', base: daemon.whole.name } }))
    edit()
    await rest(10)

    expect(daemon.whole.name).toBe('Oil')
    expect(kept()).toBeNull()
  })

  it('brings it back as a conflict where somebody did', async () => {
    sessionStorage.setItem(`hikaze.unsaved.${daemon.key}`, JSON.stringify({ name: { mine: 'Oil', base: 'Another' } }))
    const editing = edit()
    await rest(10)

    expect(editing.field('name').draft.state).toBe('conflict')
    expect(daemon.patches).toEqual([])
    editing.field('name').drop()
  })
})

describe('what cannot be read', () => {
  it('is gone where there is no such model', async () => {
    daemon.isGone = true
    const editing = edit()
    await rest()

    expect(editing.phase.value).toBe('gone')
  })

  it('is waited for where nobody answers', async () => {
    daemon.isAway = true
    const editing = edit()
    await rest()

    expect(editing.phase.value).toBe('loading')
    expect(editing.why.value).not.toBeNull()
  })
})
