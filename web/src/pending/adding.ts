/** Files that were picked or dropped: what can be uploaded is, and what cannot is named. */

import { show } from '../state/address'
import { say } from '../state/toasts'
import { sorted, upload } from '../state/uploads'
import { words } from '../words'
import { filesOf, MOST_FILES } from './dropped'

const NAMED = 2

export function addFiles(files: readonly File[]): void {
  const said = words.pending.upload
  const { wanted, refused } = sorted(files)
  for (const file of refused.slice(0, NAMED)) say(said.notAModel(file.name), 'failed')
  if (refused.length > NAMED) say(said.more(refused.length - NAMED), 'failed')
  if (!wanted.length) return
  void upload(wanted)
  show({ mode: 'pending' })
}

/** Take what was dropped, folders with all that lies in them. Call it within the drop event. */
export async function addDropped(transfer: DataTransfer): Promise<void> {
  const { files, tooMany } = await filesOf(transfer)
  if (tooMany) say(words.pending.upload.tooMany(MOST_FILES), 'failed')
  else if (!files.length) say(words.pending.upload.nothingIn, 'failed')
  else addFiles(files)
}
