import { describe, expect, it } from 'vitest'

import { forEach } from './bulk'
import { useChoosing } from './choosing'

const IDS = [1, 2, 3, 4, 5]

describe('choosing', () => {
  it('reaches from the last one that was chosen, both ways, and keeps what was chosen before', () => {
    const { chosen, toggle, reach } = useChoosing()
    toggle(1)
    toggle(3)

    reach(IDS, 5)
    expect([...chosen].sort()).toEqual([1, 3, 4, 5])
    reach(IDS, 2)
    expect([...chosen].sort()).toEqual([1, 2, 3])
  })

  it('chooses one where there is nothing to reach from', () => {
    const { chosen, reach } = useChoosing()

    reach(IDS, 4)

    expect([...chosen]).toEqual([4])
  })
})

describe('one thing done to many', () => {
  it('does not stop at what fails, and tells of it', async () => {
    const told: number[] = []

    const outcome = await forEach(IDS, (id) => (id % 2 ? Promise.resolve() : Promise.reject(new Error(`no ${id}`))), (done) => told.push(done))

    expect(outcome).toEqual({ done: 3, failed: [2, 4], why: 'no 2' })
    expect(told).toEqual([1, 2, 3, 4, 5])
  })
})
