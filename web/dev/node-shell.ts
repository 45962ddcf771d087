/** NodeShell as a page. */

import { createApp } from 'vue'

import NodeShell from './NodeShell.vue'

createApp(NodeShell, { load: () => import('../src/comfy/parts') }).mount('#app')
