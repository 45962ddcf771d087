/** What is there and what comes, field by field. */

import type { ModelWhole, PendingWhole } from '../shapes'
import { day, size, words } from '../words'

export interface Row {
  label: string
  there: string
  comes: string
  differs: boolean
}

const said = words.pending.fields

/** Give the rows of the comparison; those that are empty on both sides are left out. */
export function rowsOf(there: ModelWhole, comes: PendingWhole): Row[] {
  const path = there.path ?? there.locations[0]?.path ?? ''
  const rows: [string, string, string][] = [
    [said.name, there.name, comes.name],
    [said.type, there.type, comes.type ?? ''],
    [said.tags, there.tags.join(', '), comes.tags.join(', ')],
    [said.words, there.trigger_words.join(', '), comes.trigger_words.join(', ')],
    [said.description, there.description, comes.description],
    [said.positive, there.prompts.positive, comes.prompts.positive],
    [said.negative, there.prompts.negative, comes.prompts.negative],
    [said.links, there.community_links, comes.community_links],
    [said.size, size(there.size_bytes), size(comes.size_bytes)],
    [said.added, day(there.created_at), day(comes.created_at)],
    [said.path, path, comes.path],
  ]
  return rows
    .filter(([, one, other]) => one || other)
    .map(([label, one, other]) => ({ label, there: one, comes: other, differs: one !== other }))
}
