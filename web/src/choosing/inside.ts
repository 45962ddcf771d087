/** The document in the overlay's frame: waits for its order, takes the page's colours, and is the manager there. */

import { createApp } from 'vue'

import { goThrough } from '../api'
import '../base.css'
import { leaveAddress } from '../state/address'
import { leaveTheme } from '../state/preferences'
import '../theme.css'
import { dressOf, wear } from './dress'
import type { ChooserResult } from './order'
import Overlay from './Overlay.vue'
import { receive } from './receive'

leaveAddress()
leaveTheme()
const { order, answer, onLeave } = await receive(window)
goThrough(order.base)
wear(document.documentElement, dressOf(order.look))
const finish = (result: ChooserResult | null): void => answer({ hikaze: 'done', result })
createApp(Overlay, { order, onLeave, finish }).mount('#app')
answer({ hikaze: 'here' })
