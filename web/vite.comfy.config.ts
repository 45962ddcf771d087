/**
 * How what runs inside ComfyUI is built: web/dist/comfy, after the page. ComfyUI runs every .js below that folder as an
 * extension when its page is loaded, so there is exactly one, small and with a name that stays; all else is .mjs.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import type { Plugin } from 'vite'

const ROOT = import.meta.dirname
const EXTENSION = 'hikaze'

/** What ComfyUI shows of a node: `docs/<class>.md`. */
function nodeDocs(folder: string): Plugin {
  return {
    name: 'hikaze-node-docs',
    generateBundle() {
      for (const name of readdirSync(folder).sort()) {
        this.emitFile({ type: 'asset', fileName: `docs/${name}`, source: readFileSync(resolve(folder, name)) })
      }
    },
  }
}

export default defineConfig({
  root: ROOT,
  base: './',
  publicDir: false,
  plugins: [vue({ features: { optionsAPI: false } }), nodeDocs(resolve(ROOT, 'comfy-docs'))],
  build: {
    outDir: resolve(process.env['HIKAZE_DIST'] ?? resolve(ROOT, 'dist'), 'comfy'),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'THIRD-PARTY.txt' },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 800,
    rolldownOptions: {
      input: { [EXTENSION]: resolve(ROOT, 'src/comfy.ts'), choosing: resolve(ROOT, 'choosing.html') },
      output: {
        entryFileNames: ({ name }) => (name === EXTENSION ? `${EXTENSION}.js` : 'assets/[name]-[hash].mjs'),
        chunkFileNames: 'assets/[name]-[hash].mjs',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
})
