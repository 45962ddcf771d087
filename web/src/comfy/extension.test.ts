import { describe, expect, it, vi } from 'vitest'

import commands from '../../../locales/en/commands.json'
import main from '../../../locales/en/main.json'
import nodeDefs from '../../../locales/en/nodeDefs.json'
import settings from '../../../locales/en/settings.json'
import { CHOOSE, extensionFor, NODES, OPEN } from './extension'
import type { Parts } from './extension'
import { TestNode, testHost } from './fixtures'
import type { Host } from './host'
import { WIDGET } from './widget'

const DOCS = Object.keys(import.meta.glob('../../comfy-docs/*.md'))
const idOf = (id: string): string => id.replaceAll('.', '_')

function made(more: Partial<Host> = {}, opened: () => Promise<void> = () => Promise.resolve()) {
  const noted = testHost(more)
  const all = { mountFace: () => () => {}, openLibrary: vi.fn(opened), choose: vi.fn(() => Promise.resolve()) }
  const extension = extensionFor(noted.host, () => Promise.resolve(all as unknown as Parts), () => {}, '/docs')
  const run = async (id: string): Promise<void> => {
    extension.commands.find((command) => command.id === id)?.function()
    await new Promise((done) => setTimeout(done))
  }
  return { ...noted, extension, run, parts: all }
}

describe('what ComfyUI is told', () => {
  it('is said in the locale files as well, word for word', () => {
    const { extension } = made()

    expect(commands).toEqual(Object.fromEntries(extension.commands.map(({ id, label }) => [idOf(id), { label }])))
    expect(settings).toEqual(
      Object.fromEntries(extension.settings.map(({ id, name, tooltip }) => [idOf(id), { name, tooltip }])),
    )
    const categories = new Set(extension.settings.flatMap((setting) => setting.category))
    expect(Object.keys(main.settingsCategories)).toEqual([...categories])
  })

  it('has a page of documentation and a locale for each of the nodes', () => {
    expect(DOCS).toEqual(Object.values(NODES).map((name) => `../../comfy-docs/${name}.md`))
    expect(Object.keys(nodeDefs)).toEqual(Object.values(NODES))
  })

  it('has every command in the menu, and keys that ComfyUI has not taken', () => {
    const { extension } = made()

    expect(extension.menuCommands).toEqual([{ path: ['Extensions', 'Hikaze'], commands: [OPEN, CHOOSE] }])
    expect(extension.keybindings).toEqual([{ combo: { key: 'h', alt: true, shift: true }, commandId: OPEN }])
  })
})

describe('a command', () => {
  it('opens the library', async () => {
    const { run, parts, host } = made()
    await run(OPEN)

    expect(parts.openLibrary).toHaveBeenCalledWith(host)
  })

  it('says why the library did not open', async () => {
    const { run, said } = made({}, () => Promise.reject(new Error('no way')))
    await run(OPEN)

    expect(said).toEqual(['The Hikaze library did not open: no way'])
  })

  it('chooses for the selected node, and says so where none is', async () => {
    const node = new TestNode()
    const { extension, run, parts } = made({ selected: () => node })
    extension.getCustomWidgets()[WIDGET]?.(node, 'hikaze_payload', ['STRING', { default: '[]' }])
    await run(CHOOSE)
    expect(parts.choose).toHaveBeenCalledOnce()

    const none = made()
    await none.run(CHOOSE)
    expect(none.said).toEqual(['Select a Hikaze node first: a checkpoint loader or a LoRA loader.'])
  })
})

it('a new node has the text that the schema gives it', () => {
  const node = new TestNode()
  made().extension.getCustomWidgets()[WIDGET]?.(node, 'hikaze_payload', ['STRING', { default: '{"ckpt_path": ""}' }])

  expect(node.widget.value).toBe('{"ckpt_path": ""}')
})
