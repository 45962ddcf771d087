// What pictures tell of how they were made: their prompts, offered as those of the model, and all else on demand.

import { api } from './api.js'
import { $, guarded, h, said, toast } from './elements.js'

const KINDS = {
  checkpoints: 'Checkpoint',
  diffusion_models: 'Diffusion model',
  loras: 'LoRA',
  vae: 'VAE',
  text_encoders: 'Text encoder',
  embeddings: 'Embedding',
  hypernetworks: 'Hypernetwork',
  controlnet: 'ControlNet',
  upscale_models: 'Upscaler',
}

const PROGRAMS = {
  a1111: 'AUTOMATIC1111',
  comfyui: 'ComfyUI',
  'draw things': 'Draw Things',
  fooocus: 'Fooocus',
  forge: 'Forge',
  invokeai: 'InvokeAI',
  novelai: 'NovelAI',
  sdnext: 'SD.Next',
  swarmui: 'SwarmUI',
}

/** The parts of the details that tell what pictures say; `goTo` shows another model by its hash. */
export function tells(item, goTo) {
  return [offered(item), ...pictures(item).map((picture) => onDemand(item, picture, goTo))]
}

/** The pictures of a model or pending model: their names in the API, and what people call them. */
function pictures(item) {
  if (item.images) return item.images.map((name) => ({ name, title: `Picture ${name.slice(name.lastIndexOf('_') + 1)}` }))
  return item.image ? [{ name: `pending/${item.id}`, title: 'Its picture' }] : []
}

/** The prompts that a picture has and the model has not. They are offered, and taken by nobody but a person. */
function offered(item) {
  const prompts = item.offered_prompts
  if (!prompts || same(item, prompts)) return null
  return h('section', { class: 'part' },
    h('h3', {}, 'Offered prompt', h('small', {}, 'from its picture')),
    words(prompts.positive),
    prompts.negative ? [h('h3', {}, 'Offered negative prompt'), words(prompts.negative)] : null,
    takeButton(item, prompts))
}

const words = (text) => (text ? h('p', { class: 'text', dir: 'auto' }, text) : null)
const same = (item, prompts) =>
  item.prompts?.positive === prompts.positive && item.prompts?.negative === prompts.negative

function takeButton(item, { positive, negative }) {
  if (!(positive || negative) || same(item, { positive, negative })) return null
  const take = async (event) => {
    event.target.disabled = true
    const body = { prompts: { positive, negative } }
    try {
      if (item.locations) await api.edit(item.sha256, body, item.version)
      else await api.editPending(item.id, body, item.version)
      toast('good', 'The prompts were taken.')
      $('details-close').focus({ preventScroll: true }) // the button goes with what it offered
    } finally {
      event.target.disabled = false
    }
  }
  return h('p', {}, h('button', { type: 'button', class: 'quiet', onclick: (event) => guarded(() => take(event)) }, 'Use as prompts'))
}

/** A picture's own words, asked for when somebody opens them. */
function onDemand(item, { name, title }, goTo) {
  const body = h('div', { class: 'part' }, h('p', { class: 'remark' }, 'Reading…'))
  const box = h('details', { 'data-key': `picture ${name}` }, h('summary', {}, 'How it was made'), body)
  box.addEventListener('toggle', () => {
    if (!box.open || box.asked) return
    box.asked = true
    guarded(async () => body.replaceChildren(...told(item, await api.pictureInfo(name), goTo)))
  })
  return h('section', { class: 'part from' }, h('h3', {}, title), box)
}

function told(item, info, goTo) {
  const size = info.size ?? [info.width, info.height]
  const rows = [
    ['Prompt', info.prompts.positive],
    ['Negative prompt', info.prompts.negative],
    ['Seed', info.seed_text],
    ['Sampler', [info.sampler, info.scheduler].filter(Boolean).join(', ')],
    ['Steps', info.steps],
    ['CFG', info.cfg],
    ['Denoising', info.denoise],
    ['Size', size.join(' × ')],
    ['Clip skip', info.clip_skip],
    ['Model', info.model],
    ['Made with', PROGRAMS[info.source] ?? info.source],
    ...info.references.map((one) => [KINDS[one.kind] ?? one.kind, reference(one, goTo)]),
  ].filter(([, value]) => value !== null && value !== undefined && value !== '')
  const isKnown = info.source !== null || info.prompts.positive || info.references.length
  return [
    isKnown ? null : h('p', { class: 'remark' }, 'This picture does not tell how it was made.'),
    info.problem ? h('p', { class: 'remark bad' }, 'Not all could be read: ', info.problem, '.') : null,
    h('dl', {}, rows.map(([name, value]) => [h('dt', {}, said(name)), h('dd', { class: 'text', dir: 'auto' }, value)])),
    takeButton(item, info.prompts),
  ].filter(Boolean)
}

const BY = { name: 'known by its name' }

/** A file that was used: the model here that is meant, where one is known. */
function reference(one, goTo) {
  const weight = one.weight === null ? '' : ` at ${one.weight}`
  const written = one.name || one.hash
  if (!one.sha256) return [said(written), `${weight} ${one.candidates > 1 ? `(may be any of ${one.candidates})` : '(not here)'}`]
  return [
    h('button', { type: 'button', class: 'model-link', title: `${written}, ${BY[one.linked_by] ?? `known by its ${one.linked_by}`}`, onclick: () => goTo(one.sha256) },
      said(one.model_name)),
    weight,
  ]
}
