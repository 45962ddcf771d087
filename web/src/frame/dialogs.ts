/** Which of the frame's dialogs is open. */

import { readonly, ref } from 'vue'

export type Dialog = 'roots' | 'migration' | null

const open = ref<Dialog>(null)

export const dialog = readonly(open)

/** Open the folders: what is watched, and how to add more. */
export function openRoots(): void {
  open.value = 'roots'
}

/** Open the way to bring an earlier library along. */
export function openMigration(): void {
  open.value = 'migration'
}

export function closeDialog(): void {
  open.value = null
}
