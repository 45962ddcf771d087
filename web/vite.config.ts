/** How the page is built, served while it is worked on, and tested. */

import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import vue from '@vitejs/plugin-vue'
import type { BuildEnvironmentOptions, Plugin, ProxyOptions } from 'vite'
import { defineConfig } from 'vitest/config'

import { playDaemon } from './dev/fakeDaemon.ts'
import { way } from './dev/way.ts'

const DAEMON = new URL(process.env['HIKAZE_URL'] ?? 'http://127.0.0.1:8790').origin

/** Lets our own page through to the daemon, as if it came from there; another site's request stays what it is. */
const api: ProxyOptions = {
  target: DAEMON,
  changeOrigin: true,
  configure: (proxy) => {
    proxy.on('proxyReq', (asked, from) => {
      if (from.headers.origin === `http://${from.headers.host ?? ''}`) asked.setHeader('Origin', DAEMON)
    })
  },
}

const ROOT = import.meta.dirname
const DIST = process.env['HIKAZE_DIST'] ?? resolve(ROOT, 'dist')
const EXTENSION = 'hikaze'

/** What ComfyUI shows of a node when somebody asks: `docs/<class>.md` beside the extension. */
const nodeDocs: Plugin = {
  name: 'hikaze-node-docs',
  applyToEnvironment: ({ name }) => name === 'comfy',
  generateBundle() {
    const folder = resolve(ROOT, 'comfy-docs')
    for (const name of readdirSync(folder).sort()) {
      this.emitFile({ type: 'asset', fileName: `docs/${name}`, source: readFileSync(resolve(folder, name)) })
    }
  },
}

const everywhere: BuildEnvironmentOptions = {
  emptyOutDir: true,
  // The daemon's Content-Security-Policy: scripts and styles come as files of its own origin, nothing inline.
  assetsInlineLimit: 0,
  license: { fileName: 'THIRD-PARTY.txt' },
  reportCompressedSize: false,
  chunkSizeWarningLimit: 800,
}

/** The page that the daemon serves. */
const page: BuildEnvironmentOptions = { ...everywhere, outDir: DIST, assetsDir: 'assets' }

/**
 * What runs inside ComfyUI, which runs every .js below this folder as an extension when its page is loaded: there is
 * exactly one, small and with a name that stays. All else is .mjs, and comes when it is asked for.
 */
const comfy: BuildEnvironmentOptions = {
  ...everywhere,
  outDir: resolve(DIST, 'comfy'),
  copyPublicDir: false,
  rolldownOptions: {
    input: { [EXTENSION]: resolve(ROOT, 'src/comfy.ts'), choosing: resolve(ROOT, 'choosing.html') },
    output: {
      entryFileNames: ({ name }) => (name === EXTENSION ? `${EXTENSION}.js` : 'assets/[name]-[hash].mjs'),
      chunkFileNames: 'assets/[name]-[hash].mjs',
      assetFileNames: 'assets/[name]-[hash][extname]',
    },
  },
}

export default defineConfig({
  root: ROOT,
  base: './',
  // The Options API is used by none of ours and none of the packages.
  plugins: [vue({ features: { optionsAPI: false } }), nodeDocs, way(), playDaemon()],
  build: { modulePreload: { polyfill: false } },
  environments: { client: { build: page }, comfy: { consumer: 'client', build: comfy } },
  // The page first: its folder is emptied, and the other lies in it.
  builder: {
    async buildApp(builder) {
      for (const name of ['client', 'comfy']) {
        const environment = builder.environments[name]
        if (environment) await builder.build(environment)
      }
    },
  },
  server: { host: '127.0.0.1', strictPort: true, proxy: { '/api': api } },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts', 'dev/**/*.test.ts'],
    restoreMocks: true,
    unstubGlobals: true,
  },
})
