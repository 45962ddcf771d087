/** One thing done to many pending models, a few at a time; what fails does not stop the others. */

import { told } from '../state/toasts'

const AT_ONCE = 4 // of the browser's six connections: the stream and the lists need theirs

export interface Outcome {
  done: number
  failed: number[]
  /** Why the first of those that failed did. */
  why: string
}

export async function forEach(
  ids: readonly number[], work: (id: number) => Promise<unknown>, tell: (done: number) => void,
): Promise<Outcome> {
  const outcome: Outcome = { done: 0, failed: [], why: '' }
  const left = [...ids]
  const one = async (): Promise<void> => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      try {
        await work(id)
        outcome.done += 1
      } catch (error) {
        outcome.why ||= told(error)
        outcome.failed.push(id)
      }
      tell(outcome.done + outcome.failed.length)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  return outcome
}
