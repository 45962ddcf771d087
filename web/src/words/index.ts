/** All words of the page, by the part that says them. Components say nothing that is not here. */

import { choosing } from './choosing'
import { comfy } from './comfy'
import { common } from './common'
import { details } from './details'
import { frame } from './frame'
import { library } from './library'
import { pending } from './pending'

export { counted, day, moment, number, percent, sentence, since, size } from './common'

export const words = { comfy, common, frame, library, details, pending, choosing } as const
