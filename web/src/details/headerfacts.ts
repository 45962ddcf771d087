/** The facts of a header as rows of words. */

import type { Header } from '../shapes'
import { words } from '../words'

export interface Row {
  label: string
  value: string
}

const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 })

/** Give what is worth a line of its own; what the file does not say has none. */
export function factsOf({ facts = {}, format, tensors }: Header): Row[] {
  const said = words.details.header
  const { adapter } = facts
  const rows: [string, unknown][] = [
    [said.base, facts.base_model],
    [said.part, plainly(facts.part)],
    [said.adapter, adapter?.kind],
    [said.rank, adapter?.rank ?? adapter?.ranks?.join(', ')],
    [said.alpha, adapter?.alpha],
    [said.targets, adapter?.targets?.map(plainly).join(', ')],
    [said.precision, facts.precision],
    [said.parameters, facts.parameters && SHORT.format(facts.parameters)],
    [said.tensors, tensors && tensors.toLocaleString('en')],
    [said.format, format],
  ]
  return rows.flatMap(([label, value]) => (value ? [{ label, value: worded(value) }] : []))
}

function worded(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value)
}

function plainly(word: string | null | undefined): string {
  return (word ?? '').replaceAll('_', ' ')
}
