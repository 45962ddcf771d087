/** The sets of LoRAs that are kept under a name: read, saved, changed, deleted. */

import { computed, ref, shallowRef } from 'vue'

import { api, Refused } from '../api'
import type { LoraEntry, LoraSet, LoraSetBody } from '../shapes'
import { onCatchUp, onEvent } from '../state/live'
import { attempt, told } from '../state/toasts'
import { words } from '../words'
import type { Chosen } from './order'

const said = words.choosing.sets

/** What is chosen, as a payload names it. */
export function entryOf({ path, name, sha256, strengthModel, strengthClip, enabled }: Readonly<Chosen>): LoraEntry {
  return { name, full_path: path, strength_model: strengthModel, strength_clip: strengthClip, sha256, enabled }
}

/** What a set holds, as something chosen. */
export function chosenOf({ name, full_path, strength_model, strength_clip, sha256, enabled }: LoraEntry): Chosen {
  return { path: full_path, name, sha256, strengthModel: strength_model, strengthClip: strength_clip, enabled }
}

/** Follow the sets; they are read when they are first looked at. */
export function useSets() {
  const sets = shallowRef<readonly LoraSet[] | null>(null)
  const problem = ref<string | null>(null)
  const asked = ref(false)

  async function read(): Promise<void> {
    asked.value = true
    try {
      sets.value = (await api.loraSets()).items
      problem.value = null
    } catch (error) {
      problem.value = told(error)
    }
  }

  onEvent((event) => {
    if (asked.value && event.type.startsWith('lora-set')) void read()
  })
  onCatchUp(() => asked.value && void read())

  function named(name: string): LoraSet | undefined {
    const wanted = folded(name)
    return sets.value?.find((each) => folded(each.name) === wanted)
  }

  /** Keep these under a name, in place of what was kept there. Gives whether that went well. */
  async function save(body: LoraSetBody): Promise<boolean> {
    return written(async () => {
      const there = named(body.name)
      if (there) await api.changeLoraSet(there.id, body, there.version)
      else await api.addLoraSet(body)
    }, said.saved(body.name))
  }

  /** Give a set another name or note. */
  async function change(set: LoraSet, { name, note }: Pick<LoraSet, 'name' | 'note'>): Promise<boolean> {
    return written(() => api.changeLoraSet(set.id, { name, note, loras: set.loras }, set.version), said.saved(name))
  }

  async function remove({ id, name, version }: LoraSet): Promise<boolean> {
    return written(() => api.removeLoraSet(id, version), said.removed(name))
  }

  async function written(work: () => Promise<unknown>, done: string): Promise<boolean> {
    const well = await attempt(async () => {
      try {
        await work()
      } catch (error) {
        if (error instanceof Refused && (error.status === 409 || error.status === 412)) await read() // somebody else was here
        throw error
      }
    }, done)
    if (well) await read()
    return well
  }

  return { sets: computed(() => sets.value), problem, read, named, save, change, remove }
}

function folded(name: string): string {
  return name.normalize('NFC').trim().toLowerCase()
}
