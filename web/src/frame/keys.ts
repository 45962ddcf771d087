/** The list of keys: asked for by `?` or from the menu. */

import { ref } from 'vue'

export const keysShown = ref(false)
