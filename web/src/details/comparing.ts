/** How a draft is held against what is there: the same, done, disturbed; and how changes of tags are put together. */

import { folded } from '../ui/tagNames'
import type { Field, Mine, TagChange, There } from './drafts'

/** Give what is left to be done of a draft: of tags, those that are not as they should be yet. */
export function rest(field: Field, mine: Mine<Field>, there: There): Mine<Field> {
  if (field !== 'tags') return mine
  const { add, remove } = mine as TagChange
  const have = new Set(there.tags.map(folded))
  const left = {
    add: add.filter((name) => !have.has(folded(name))),
    remove: remove.filter((name) => have.has(folded(name))),
  }
  return left.add.length === add.length && left.remove.length === remove.length ? mine : left
}

export function isDone(field: Field, mine: Mine<Field>, there: There): boolean {
  if (field !== 'tags') return isSame(plain(field, mine), plain(field, there[field]))
  const { add, remove } = rest(field, mine, there) as TagChange
  return add.length + remove.length === 0
}

/** Whether somebody else changed what a draft was begun on; a change of tags goes well with any other. */
export function isDisturbed(field: Field, base: There[Field], there: There): boolean {
  return field !== 'tags' && !isSame(plain(field, base), plain(field, there[field]))
}

export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** A value as the daemon keeps it: a name trimmed, each word once; and a text as a browser's field gives it. */
export function plain(field: Field, value: unknown): unknown {
  if (typeof value === 'string') return field === 'name' ? value.trim() : value.replaceAll('\r\n', '\n')
  if (!Array.isArray(value)) return value
  return [...new Set(value.map((word) => String(word).trim()).filter(Boolean))]
}

/** Give tags as they are after a change. */
export function applied(tags: readonly string[], change: TagChange): string[] {
  const off = new Set(change.remove.map(folded))
  const have = new Set(tags.map(folded))
  return [...tags.filter((name) => !off.has(folded(name))), ...change.add.filter((name) => !have.has(folded(name)))]
}

/** Give two changes of tags as one: the later word on a tag counts. */
export function composed(before: TagChange, after: TagChange): TagChange {
  const said = new Set([...after.add, ...after.remove].map(folded))
  const left = (names: readonly string[]) => names.filter((name) => !said.has(folded(name)))
  return { add: [...left(before.add), ...after.add], remove: [...left(before.remove), ...after.remove] }
}
