import { NodeTypes } from '@vue/compiler-dom'
import type { TemplateChildNode } from '@vue/compiler-dom'
import { parse } from 'vue/compiler-sfc'
import { describe, expect, it } from 'vitest'

const SOURCES = import.meta.glob<string>(['../**/*.{vue,ts}', '!../**/*.test.ts', '!./**'], {
  query: '?raw', import: 'default', eager: true,
})
const SAID = ['title', 'aria-label', 'aria-description', 'aria-valuetext', 'placeholder', 'alt', 'label']
const LETTERS = /\p{L}{2}/u

/** A sentence or a title in a script: an opening capital and a small letter, or words with a space between. */
const SENTENCE = /(['"`])((?:[A-Z][a-z]+|[a-z]+)(?: [a-z’]+)+[.!?]?)\1/g

/** The words that stand in a template outside of the catalogue. */
function inTemplate(source: string): string[] {
  const found: string[] = []
  const visit = (node: TemplateChildNode): void => {
    if (node.type === NodeTypes.TEXT && LETTERS.test(node.content)) found.push(node.content.trim())
    if (node.type !== NodeTypes.ELEMENT) return
    for (const prop of node.props) {
      if (prop.type === NodeTypes.ATTRIBUTE && SAID.includes(prop.name) && LETTERS.test(prop.value?.content ?? '')) {
        found.push(`${prop.name}="${prop.value?.content ?? ''}"`)
      }
      if (prop.type === NodeTypes.DIRECTIVE && prop.exp?.type === NodeTypes.SIMPLE_EXPRESSION) {
        found.push(...sentences(prop.exp.content))
      }
    }
    node.children.forEach(visit)
  }
  parse(source).descriptor.template?.ast?.children.forEach(visit)
  return found
}

function sentences(code: string): string[] {
  return [...code.matchAll(SENTENCE)].map((match) => match[2] ?? '')
}

function strays(path: string, source: string): string[] {
  if (path.endsWith('.vue')) {
    const { descriptor } = parse(source)
    return [...inTemplate(source), ...spoken(descriptor.scriptSetup?.content ?? '')]
  }
  return spoken(source)
}

/** What a script says: a literal that is given to `say`, `attempt`, or an error that people see. */
function spoken(code: string): string[] {
  return [...code.matchAll(/\b(?:say|attempt)\([^)\n]*?(['"`][^'"`]*\p{L}{3}[^'"`]*['"`])/gu)]
    .map((match) => match[1] ?? '')
    .filter((text) => /[\p{Lu} ]/u.test(text))
}

describe('words that are not in the catalogue', () => {
  it('are found in a template, an attribute and a binding', () => {
    const source = '<template><p title="Some title" :alt="`a picture of it`">{{ words.x }} Stray</p></template>'

    expect(inTemplate(source)).toEqual(['title="Some title"', 'a picture of it', 'Stray'])
    expect(spoken("say('It failed', 'failed')")).toEqual(["'It failed'"])
  })

  it('are looked for everywhere', () => {
    expect(Object.keys(SOURCES)).toContain('../App.vue')
  })

  it.each(Object.entries(SOURCES))('are none in %s', (path, source) => {
    expect(strays(path, source)).toEqual([])
  })
})
