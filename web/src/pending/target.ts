/** A pending model as something to be edited. */

import { api } from '../api'
import type { Target } from '../details/useEditing'
import type { PendingWhole } from '../shapes'

export function pendingTarget(id: number): Target<PendingWhole> {
  return {
    key: `pending/${id}`,
    streams: [`pending/${id}`, `sidecars/pending/${id}`, `import/${id}`],
    load: () => api.pendingWhole(id),
    patch: (change, version) => api.editPending(id, change, version),
  }
}
