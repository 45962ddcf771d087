/**
 * The one script that ComfyUI loads by itself. It is small: it says what there is, and everything else comes when the
 * first node of ours is on the canvas, or somebody opens the library.
 */

import { extensionFor } from './comfy/extension'
import { comfyHost } from './comfy/host'
import type { SidebarTab } from './comfy/host'

const found = comfyHost(import.meta.url)
if (found) {
  const { host, app } = found
  const load = () => import('./comfy/parts')
  const addTab = (tab: SidebarTab): void => app.extensionManager.registerSidebarTab(tab)
  app.registerExtension(extensionFor(host, load, addTab, host.page('docs/HikazeLoraPowerLoader.md')))
}
