/** Words that are used everywhere, and how numbers, sizes and times are said. */

import type { State } from '../shapes'

const LANGUAGE = 'en'
const plurals = new Intl.PluralRules(LANGUAGE)
const numbers = new Intl.NumberFormat(LANGUAGE)
const days = new Intl.DateTimeFormat(LANGUAGE, { year: 'numeric', month: 'short', day: 'numeric' })
const minutes = new Intl.DateTimeFormat(LANGUAGE, {
  year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit',
})
const ago = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: 'auto' })

/** "1 model", "2,000 models". */
export function counted(count: number, one: string, many: string): string {
  return `${numbers.format(count)} ${plurals.select(count) === 'one' ? one : many}`
}

export function number(value: number): string {
  return numbers.format(value)
}

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB', 'PB'] as const

/** A file's size, in powers of 1000 as drives are sold and file managers show it: "6.94 GB". */
export function size(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit += 1
  }
  const digits = unit === 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`
}

export function day(ms: number): string {
  return days.format(ms)
}

export function moment(ms: number): string {
  return minutes.format(ms)
}

const SPANS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 365 * 86_400], ['month', 30 * 86_400], ['week', 7 * 86_400], ['day', 86_400], ['hour', 3_600], ['minute', 60],
]

/** "3 days ago". */
export function since(ms: number, now: number): string {
  const seconds = (ms - now) / 1000
  for (const [unit, length] of SPANS) {
    if (Math.abs(seconds) >= length) return ago.format(Math.round(seconds / length), unit)
  }
  return ago.format(0, 'minute')
}

/** A length of time, as roughly as it is known: "8 s", "3 min", "2 h 10 min". */
export function span(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  const minute = Math.round(whole / 60)
  if (minute < 60) return `${minute} min`
  return minute % 60 ? `${numbers.format(Math.floor(minute / 60))} h ${minute % 60} min` : `${numbers.format(minute / 60)} h`
}

/** A text of the daemon as a sentence: it begins with a capital. */
export function sentence(text: string): string {
  const [first = '', ...rest] = [...text]
  return first.toLocaleUpperCase(LANGUAGE) + rest.join('')
}

/** How much of something is done: "37%". */
export function percent(part: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, part)) * 100)}%`
}

export const common = {
  name: 'Hikaze',
  close: 'Close',
  cancel: 'Cancel',
  copy: 'Copy',
  copied: 'Copied',
  retry: 'Try again',
  more: 'More',
  clear: 'Clear',
  remove: 'Remove',
  save: 'Save',
  loading: 'Loading',
  pictureOf: (name: string) => `Picture of ${name}`,
  states: { present: 'Present', offline: 'Offline', missing: 'Missing' } satisfies Record<State, string>,
  stateTells: {
    present: 'The file is there.',
    offline: 'The disk or folder it lies on is not here now.',
    missing: 'Its folder is here, the file is not.',
  } satisfies Record<State, string>,
  brokenPicture: 'This picture cannot be shown',
  noPicture: 'No picture yet',
  nameInvalid: 'The file’s name is no valid text; rename the file to use it in a node.',
} as const
