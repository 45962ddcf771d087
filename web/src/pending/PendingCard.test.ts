import { enableAutoUnmount, mount } from '@vue/test-utils'
import { afterEach, describe, expect, it } from 'vitest'

import type { PendingCard as Card } from '../shapes'
import { takeWork } from '../state/live'
import { words } from '../words'
import PendingCard from './PendingCard.vue'

const said = words.pending
const CARD: Card = {
  id: 1, name: 'Dune', path: '/drop/Dune', type: 'loras', size_bytes: 1, created_at: 0, tags: [], image: null, in_place: false,
  name_valid: true, state: 'waiting', sha256: null, replaces: null, import: null,
}
const ended = (state: NonNullable<Card['import']>['state'], reason: string | null = null) => ({ import: { state, reason, model: null } })

enableAutoUnmount(afterEach)
afterEach(() => takeWork([]))

function labels(change: Partial<Card>) {
  const card = mount(PendingCard, { props: { item: { ...CARD, ...change }, chosen: false, choosing: false, open: false, stop: true } })
  const buttons = card.findAll('.acts button:not([disabled])').map((each) => each.attributes('aria-label'))
  return { card, buttons, told: card.find('.standing').exists() ? card.find('.standing').text() : '' }
}

describe('a pending card', () => {
  it.each([
    ['is imported or dismissed', {}, '', [said.importOf('Dune'), said.dismissOf('Dune')]],
    ['asks for its type', { type: null }, said.noType, [said.dismissOf('Dune')]],
    ['is known', { sha256: 'a' }, said.known, [said.decideOf('Dune'), said.importOf('Dune'), said.dismissOf('Dune')]],
    ['is in conflict', ended('conflict'), said.known, [said.decideOf('Dune'), said.dismissOf('Dune')]],
    ['has failed', ended('failed', 'The disk is full.'), 'The disk is full.', [said.retryOf('Dune'), said.dismissOf('Dune')]],
    ['waits for its turn', ended('queued'), said.states.queued, [said.cancelOf('Dune')]],
    ['is imported just now', ended('planned'), said.states.importing, [said.cancelOf('Dune')]],
    ['is away', { state: 'offline' as const }, said.offlineTip, [said.dismissOf('Dune')]],
    ['is gone', { state: 'missing' as const }, said.missingTip, [said.dismissOf('Dune')]],
  ])('%s', (_what, change, told, buttons) => {
    expect(labels(change)).toMatchObject({ told, buttons })
  })

  it('tells how far its import is', () => {
    takeWork([{ task: 'import/x', what: 'copying', pending: 1, done: 1, total: 4 }])
    const { card, told } = labels(ended('queued'))

    expect(told).toBe(said.progress(said.states.copying, 0.25))
    expect(card.find('progress').attributes('value')).toBe('0.25')
  })
})
