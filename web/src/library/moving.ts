/** Where a key leads in a list of cells in rows. */

export interface Shape {
  count: number
  columns: number
  /** Whole rows on a screen. */
  rows: number
}

/** The number of the cell that a key leads to from another; null for keys that lead nowhere. */
export function movedTo(key: string, from: number, { count, columns, rows }: Shape): number | null {
  if (count === 0) return null
  const last = count - 1
  const page = Math.max(1, rows) * columns
  switch (key) {
    case 'ArrowRight':
      return columns > 1 ? Math.min(last, from + 1) : null
    case 'ArrowLeft':
      return columns > 1 ? Math.max(0, from - 1) : null
    case 'ArrowDown':
      return down(from, columns, last, columns)
    case 'ArrowUp':
      return from < columns ? from : from - columns
    case 'PageDown':
      return down(from, page, last, columns)
    case 'PageUp':
      return from < page ? from % columns : from - page
    case 'Home':
      return 0
    case 'End':
      return last
    default:
      return null
  }
}

/** Down by so many cells; where nothing lies there, to the last row: below if it reaches so far, else its end. */
function down(from: number, by: number, last: number, columns: number): number {
  if (from + by <= last) return from + by
  const lastRow = Math.floor(last / columns)
  if (Math.floor(from / columns) === lastRow) return from
  return Math.min(last, lastRow * columns + (from % columns))
}
