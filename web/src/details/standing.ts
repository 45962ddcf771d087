/** Why a file is as it is: where its folder is away or paused, what the daemon says of that. */

import type { Location, Root } from '../shapes'
import { words } from '../words'

type Roots = readonly Pick<Root, 'id' | 'state' | 'why'>[]

/** Why a location is as it is. */
export function whyOf(location: Location, roots: Roots): string {
  const root = roots.find(({ id }) => id === location.root)
  if (location.state === 'offline' && root?.state === 'paused') return words.details.files.paused
  return (location.state === 'offline' && root?.why) || words.common.stateTells[location.state]
}

/** Why a model is as it is; that somebody paused its folder is another thing than that it is gone. */
export function whyOfModel(state: Location['state'], locations: readonly Location[], roots: Roots): string {
  const paused = locations.find((location) =>
    location.state === 'offline' && roots.some(({ id, state: now }) => id === location.root && now === 'paused'))
  return state === 'offline' && paused ? whyOf(paused, roots) : words.common.stateTells[state]
}
