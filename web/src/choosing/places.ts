/** What a path of a payload says by itself. */

import type { Root } from '../shapes'

type Roots = readonly Readonly<Pick<Root, 'path' | 'state'>>[]

/** Whether a path begins at a root, of this or another system. */
export function isAbsolute(path: string): boolean {
  return /^([a-z]:)?[\\/]/i.test(path)
}

/** The last part of a path. */
export function fileOf(path: string): string {
  return path.split(/[\\/]/).pop() ?? ''
}

/** A file's name without its ending. */
export function stemOf(path: string): string {
  return fileOf(path).replace(/(?!^)\.[^.]*$/, '')
}

/** Whether a path lies in a folder that is watched, and is here now: what is not found there is not there. */
export function isWatched(path: string, roots: Roots): boolean {
  const plain = slashed(path)
  return roots.some((root) => root.state === 'online' && plain.startsWith(`${slashed(root.path).replace(/\/$/, '')}/`))
}

/** Whether a file is what a relative path means: it ends so. */
export function endsSo(path: string, relative: string): boolean {
  return slashed(path).endsWith(`/${slashed(relative).replace(/^\.?\//, '')}`)
}

function slashed(path: string): string {
  return path.replaceAll('\\', '/')
}
