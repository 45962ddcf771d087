/** Reads the colours of the page around the overlay, in whatever way that page writes them. */

import { LOOKS } from './order'
import type { Colour, Look, LookName } from './order'

/** Read the colours of a document as they are now. */
export function readLook(of: Document): Look {
  const probe = of.createElement('span')
  probe.hidden = true
  of.body.append(probe)
  const brush = of.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const look: Look = {}
  for (const [name, variables] of Object.entries(LOOKS)) {
    const colour = variables.map((variable) => shown(probe, brush, variable)).find((each) => each !== null)
    if (colour) look[name as LookName] = colour
  }
  probe.remove()
  return look
}

/** A colour may be written in any of a dozen ways: a canvas gives it as bytes. Null where there is none, or glass. */
function shown(probe: HTMLElement, brush: CanvasRenderingContext2D | null, variable: string): Colour | null {
  probe.style.color = `var(${variable}, transparent)`
  const written = getComputedStyle(probe).color
  if (!brush) return null
  brush.clearRect(0, 0, 1, 1)
  brush.fillStyle = written
  brush.fillRect(0, 0, 1, 1)
  const [red = 0, green = 0, blue = 0, alpha = 0] = brush.getImageData(0, 0, 1, 1).data
  return alpha > 250 ? [red, green, blue] : null
}
