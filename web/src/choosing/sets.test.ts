import { beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope } from 'vue'

import { api, Refused } from '../api'
import type { LoraSet } from '../shapes'
import { chosen, SHAS } from './fixtures'
import { chosenOf, entryOf, useSets } from './sets'

const INK = chosen('Ink', { sha256: SHAS.ink, strengthModel: 0.6, strengthClip: -0.4, enabled: false })
const SET: LoraSet = { id: 3, name: 'Evening', note: 'At dusk.', loras: [entryOf(INK)], created: 1, changed: 1, version: 5 }

const sets = () => effectScope(true).run(useSets) ?? expect.unreachable()

beforeEach(() => {
  vi.spyOn(api, 'loraSets').mockResolvedValue({ items: [SET], next: null })
})

describe('a LoRA in a set', () => {
  it('is written as a payload names it, and comes back the same', () => {
    expect(entryOf(INK)).toEqual({
      name: 'Ink', full_path: '/models/loras/Ink.safetensors', strength_model: 0.6, strength_clip: -0.4, sha256: SHAS.ink,
      enabled: false,
    })
    expect(chosenOf(entryOf(INK))).toEqual(INK)
  })
})

describe('the sets', () => {
  it('keep what is chosen under a new name', async () => {
    const add = vi.spyOn(api, 'addLoraSet').mockResolvedValue(SET)
    const { read, save } = sets()
    await read()

    expect(await save({ name: 'Morning', note: '', loras: [] })).toBe(true)

    expect(add).toHaveBeenCalledExactlyOnceWith({ name: 'Morning', note: '', loras: [] })
  })

  it('replace what is kept under a name, however that is written', async () => {
    const change = vi.spyOn(api, 'changeLoraSet').mockResolvedValue(SET)
    const { read, save, named } = sets()
    await read()

    expect(named(' EVENING ')?.id).toBe(3)
    await save({ name: 'EVENING', note: 'New', loras: [] })

    expect(change).toHaveBeenCalledExactlyOnceWith(3, { name: 'EVENING', note: 'New', loras: [] }, 5)
  })

  it('are read again where somebody else was quicker, so that one sees by what', async () => {
    vi.spyOn(api, 'addLoraSet').mockRejectedValue(new Refused(409, 'There is a set of that name.'))
    const { read, save } = sets()
    await read()

    expect(await save({ name: 'Morning', note: '', loras: [] })).toBe(false)

    expect(api.loraSets).toHaveBeenCalledTimes(2)
  })

  it('get another name or note, and keep their LoRAs', async () => {
    const change = vi.spyOn(api, 'changeLoraSet').mockResolvedValue(SET)
    const { change: rename } = sets()

    await rename(SET, { name: 'Dusk', note: '' })

    expect(change).toHaveBeenCalledExactlyOnceWith(3, { name: 'Dusk', note: '', loras: SET.loras }, 5)
  })
})
