/** Files that were picked or dropped: what can be uploaded is, and what cannot is named. */

import { show } from '../state/address'
import { say } from '../state/toasts'
import { sorted, upload } from '../state/uploads'
import { words } from '../words'

export function addFiles(files: readonly File[]): void {
  const { wanted, refused } = sorted(files)
  for (const file of refused.slice(0, 3)) say(words.pending.upload.notAModel(file.name), 'failed')
  if (!wanted.length) return
  upload(wanted)
  show({ mode: 'pending' })
}
