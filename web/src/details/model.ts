/** A model as something to be edited. */

import { api } from '../api'
import type { ModelWhole, Sha } from '../shapes'
import type { Target } from './useEditing'

export function modelTarget(sha256: Sha): Target<ModelWhole> {
  return {
    key: `model/${sha256}`,
    streams: [`model/${sha256}`, `files/${sha256}`, `sidecars/model/${sha256}`],
    load: () => api.model(sha256),
    patch: (change, version) => api.edit(sha256, change, version),
  }
}
