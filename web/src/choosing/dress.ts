/**
 * ComfyUI's colours as ours: its palettes, and those that people make, name a few colours, and from these come all of our
 * tokens that a theme changes. Whatever a palette says, text stays readable: where a colour would not be, it is moved
 * towards black or white until it is.
 */

import type { Colour, Look } from './order'

const BLACK: Colour = [0, 0, 0]
const WHITE: Colour = [255, 255, 255]
const TEXT = 4.5 // the least contrast of text, and of controls below, as WCAG has them
const CONTROL = 3
const STEP = 0.06

export interface Dress {
  theme: 'dark' | 'light'
  /** Our tokens, by name, that take the place of the theme's. */
  tokens: Record<string, string>
}

/** The theme that is nearest to a look, and what of it is said otherwise; where a look tells nothing, ours stands. */
export function dressOf({ ground, panel, ink, quiet, accent }: Look): Dress {
  const paper = ground ?? panel
  if (!paper) return { theme: 'dark', tokens: {} }
  const dark = luminance(paper) < 0.18 // half way between black and white, to the eye
  const end = dark ? WHITE : BLACK
  const given = panel && contrast(panel, end) >= TEXT ? panel : paper
  const sheet = distance(given, paper) < 6 ? mix(paper, end, dark ? 0.045 : 0.03) : given
  const raised = mix(sheet, end, 0.08)
  const grounds = [paper, sheet, raised]
  const text = readable(ink ?? end, grounds, 7, end)
  const tokens: Record<string, string> = {
    paper: css(paper),
    sheet: css(sheet),
    raised: css(raised),
    ink: css(text),
    soft: css(readable(mix(text, paper, 0.25), grounds, TEXT, end)),
    faint: css(readable(quiet ?? mix(text, paper, 0.4), grounds, TEXT, end)),
    hover: css(end, 0.07),
    line: css(end, 0.12),
    'line-strong': css(end, 0.24),
    'control-line': css(readable(mix(text, paper, 0.55), grounds, CONTROL, end)),
  }
  if (accent) Object.assign(tokens, accented(accent, grounds, end))
  return { theme: dark ? 'dark' : 'light', tokens }
}

function accented(accent: Colour, grounds: readonly Colour[], end: Colour): Record<string, string> {
  const seen = readable(accent, grounds, TEXT, end)
  return {
    accent: css(seen),
    'accent-fill': css(seen),
    'accent-ink': css(contrast(seen, BLACK) > contrast(seen, WHITE) ? BLACK : WHITE),
    'accent-wash': css(seen, 0.16),
  }
}

/** Have a document wear it. */
export function wear(root: HTMLElement, { theme, tokens }: Dress): void {
  root.dataset['theme'] = theme
  for (const [name, value] of Object.entries(tokens)) root.style.setProperty(`--${name}`, value)
}

/** Move a colour towards black or white until it stands out from all grounds. */
export function readable(colour: Colour, grounds: readonly Colour[], least: number, end: Colour): Colour {
  for (let part = 0; part < 1; part += STEP) {
    const moved = mix(colour, end, part)
    if (grounds.every((ground) => contrast(moved, ground) >= least)) return moved
  }
  return end
}

/** How much two colours stand out from each other, from 1 to 21, as WCAG reckons it. */
export function contrast(one: Colour, other: Colour): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return ((high ?? 0) + 0.05) / ((low ?? 0) + 0.05)
}

function luminance([red, green, blue]: Colour): number {
  const linear = (byte: number) => (byte <= 10 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4)
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

function mix(from: Colour, to: Colour, part: number): Colour {
  const between = (at: 0 | 1 | 2) => Math.round(from[at] + (to[at] - from[at]) * part)
  return [between(0), between(1), between(2)]
}

function distance(one: Colour, other: Colour): number {
  return Math.max(...([0, 1, 2] as const).map((at) => Math.abs(one[at] - other[at])))
}

function css([red, green, blue]: Colour, alpha = 1): string {
  return alpha === 1 ? `rgb(${red} ${green} ${blue})` : `rgb(${red} ${green} ${blue} / ${alpha})`
}
