/** A description as markdown: rendered, cleaned, and with nothing in it that reaches out by itself. */

import DOMPurify from 'dompurify'
import MarkdownIt from 'markdown-it'

const TAGS = [
  'a', 'blockquote', 'br', 'code', 'del', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'li', 'ol', 'p', 'pre', 's',
  'strong', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul',
]

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: true })
// A picture of a text would be fetched from wherever the text says; it becomes a link, to be followed by whoever wants.
markdown.renderer.rules['image'] = (tokens, index, _options, _env, self) => {
  const token = tokens[index]
  const source = String(token?.attrGet('src') ?? '')
  const words = self.renderInlineAsText(token?.children ?? [], markdown.options, {}) || source
  const { escapeHtml } = markdown.utils
  return `<a href="${escapeHtml(source)}">${escapeHtml(words)}</a>`
}

const MOST = 30_000 // characters: of what is longer, a hostile text could take seconds

/** Render a text to nodes; one of more than 30,000 characters is shown as it is written. */
export function rendered(text: string): DocumentFragment {
  if (text.length > MOST) return plain(text)
  const nodes = DOMPurify.sanitize(markdown.render(text), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ['href', 'title', 'start'],
    RETURN_DOM_FRAGMENT: true,
  })
  for (const link of nodes.querySelectorAll('a')) open(link)
  // The pane has headings of its own: those of a text stand below them, for who reads by headings too.
  for (const heading of nodes.querySelectorAll('h1, h2, h3')) replace(heading)
  return nodes
}

function plain(text: string): DocumentFragment {
  const nodes = document.createDocumentFragment()
  for (const part of text.split(/\n\s*\n/)) {
    const paragraph = document.createElement('p')
    paragraph.textContent = part
    paragraph.style.whiteSpace = 'pre-wrap'
    nodes.append(paragraph)
  }
  return nodes
}

/** A link leads to another tab, and tells that page nothing of this one; one that is no address of the web is a text. */
function open(link: HTMLAnchorElement): void {
  if (address(link.getAttribute('href') ?? '') === null) return link.replaceWith(...link.childNodes)
  link.target = '_blank'
  link.rel = 'noopener noreferrer'
}

function replace(heading: Element): void {
  const lower = document.createElement('h4')
  lower.append(...heading.childNodes)
  heading.replaceWith(lower)
}

/** Give what a text says as an address of the web, null where it is none. */
export function address(text: string): string | null {
  const trimmed = text.trim()
  if (!/^https?:\/\//i.test(trimmed)) return null
  return URL.canParse(trimmed) ? trimmed : null
}
