/**
 * The way to the daemon while the sources are worked on, where ComfyUI's server would stand: `/hikaze/PATH` is the
 * daemon's `/PATH`, through its socket (`HIKAZE_SOCKET`, else the one that it uses where nothing is said).
 */

import { request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Plugin } from 'vite'

const SOCKET = process.env['HIKAZE_SOCKET'] ?? `${process.env['XDG_RUNTIME_DIR'] ?? '/tmp'}/hikaze/hikazed.sock`
const OUR_OWN = ['host', 'origin', 'referer', 'connection']

/** Answer for ComfyUI's server. */
export function way(): Plugin {
  return {
    name: 'hikaze-way',
    apply: 'serve',
    configureServer(server) {
      server.middlewares.use((from, to, next) => {
        const path = from.url ?? ''
        if (path.startsWith('/hikaze/')) pass(from, to, path.slice('/hikaze'.length))
        else if (path === '/hikaze-way') void tell(to)
        else if (path === '/hikaze-start') answer(to, 409, { detail: 'This is the page for development: start hikazed yourself.' })
        else next()
      })
    },
  }
}

function pass(from: IncomingMessage, to: ServerResponse, path: string): void {
  const headers = Object.fromEntries(Object.entries(from.headers).filter(([name]) => !OUR_OWN.includes(name)))
  const asked = request({ socketPath: SOCKET, path, method: from.method, headers: { ...headers, host: 'localhost' } }, (said) => {
    to.writeHead(said.statusCode ?? 502, said.headers)
    said.pipe(to)
    said.on('error', () => to.destroy())
  })
  asked.on('error', () => {
    if (to.headersSent) to.destroy()
    else answer(to, 502, { detail: 'hikazed does not answer', way: 'away' })
  })
  to.on('close', () => asked.destroy())
  from.pipe(asked)
}

async function tell(to: ServerResponse): Promise<void> {
  const daemon = await new Promise<boolean>((resolve) => {
    const asked = request({ socketPath: SOCKET, path: '/api/status', headers: { host: 'localhost' } }, (said) => {
      said.resume()
      resolve(said.statusCode === 200)
    })
    asked.on('error', () => resolve(false))
    asked.end()
  })
  answer(to, 200, { daemon, access: 'full', can_start: true, how: 'Start it in a terminal: hikazed run' })
}

function answer(to: ServerResponse, status: number, body: object): void {
  to.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ status, ...body }))
}
