/** The words of the details part of the page. */

import type { Origin } from '../shapes'
import { counted } from './common'

export const details = {
  tags: {
    add: 'Add a tag',
    remove: (name: string) => `Remove tag ${name}`,
    suggestions: 'Tags that exist',
    create: (name: string) => `New tag “${name}”`,
    uses: (count: number) => counted(count, 'model', 'models'),
    origins: {
      user: 'put on by hand',
      header: 'from the file',
      provider: 'from a sidecar',
    } satisfies Record<Origin, string>,
    from: (name: string, origin: string) => `${name}, ${origin}`,
  },

  edits: {
    saving: 'Saving',
    saved: 'Saved',
    notSaved: (why: string) => `Not saved: ${why}`,
    away: 'hikazed does not answer. What you typed is kept here and saved when it is back.',
    conflict: 'Somebody else changed this meanwhile.',
    yours: 'Yours',
    theirs: 'Now there',
    empty: 'Empty',
    keepMine: 'Keep yours',
    takeTheirs: 'Take theirs',
    edit: 'Edit yours',
    giveUp: 'Discard yours',
  },
} as const
