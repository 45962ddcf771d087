/** How the page is built, served while it is worked on, and tested. */

import { resolve } from 'node:path'

import vue from '@vitejs/plugin-vue'
import type { ProxyOptions } from 'vite'
import { defineConfig } from 'vitest/config'

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

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  // The Options API is used by none of ours and none of the packages.
  plugins: [vue({ features: { optionsAPI: false } }), way()],
  build: {
    outDir: process.env['HIKAZE_DIST'] ?? resolve(import.meta.dirname, 'dist'),
    emptyOutDir: true,
    assetsDir: 'assets',
    // The daemon's Content-Security-Policy: scripts and styles come as files of its own origin, nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'THIRD-PARTY.txt' },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 800,
  },
  server: { host: '127.0.0.1', strictPort: true, proxy: { '/api': api } },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    restoreMocks: true,
    unstubGlobals: true,
  },
})
