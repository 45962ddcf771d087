/** The page that the daemon serves: the manager, on its own. */

import { createApp } from 'vue'

import App from './App.vue'
import './theme.css'
import './base.css'

createApp(App).mount('#app')
