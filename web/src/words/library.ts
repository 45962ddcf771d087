/** The words of the library part of the page. */

import type { FoundBy } from '../shapes'
import { counted, number } from './common'

type Field = 'best' | 'name' | 'added' | 'size' | 'changed'

export const library = {
  title: 'Library',
  types: 'Types',
  all: 'All',
  models: (count: number) => counted(count, 'model', 'models'),
  list: 'Models',
  coming: 'Coming',

  search: 'Search',
  searchHint: 'Search names, tags, texts, file names',
  searchHelp: 'How to search',
  searchClear: 'Clear the search',
  slipAt: 'It stops here:',
  helpTitle: 'Words stand side by side; every one must be found.',
  help: [
    ['anime girl', 'both words, anywhere: names, tags, texts, file names'],
    ['"anime girl"', 'this text, just so'],
    ['anime OR manga', 'one of both'],
    ['-photo', 'not so; also before a group or a condition'],
    ['(anime OR manga) -photo', 'a group'],
    ['name:detail', 'in its name'],
    ['tag:anime', 'the tag of this name; tag:hair* begins so'],
    ['type:loras', 'the type'],
    ['size:>2gb', 'larger; also < and 1gb..2gb'],
    ['added:<30d', 'younger; also 2026-11 and 1w..2w'],
    ['is:favorite', 'also missing, offline, duplicate, untagged'],
    ['path:flux', 'in the path of its file'],
    ['hash:1f3b', 'its hash begins so'],
  ] as readonly (readonly [string, string])[],

  tags: 'Tags',
  tagFilter: 'Find a tag',
  allTags: 'All tags',
  fewerTags: 'Fewer tags',
  moreTags: (count: number) => `${counted(count, 'more tag', 'more tags')}: type to find one`,
  noTags: (text: string) => `No tag here has “${text}” in its name`,
  clearTags: 'Clear tags',
  chip: (name: string, count: number | null, state: 'off' | 'include' | 'exclude') =>
    [
      count === null ? name : `${name} ${number(count)}`,
      { off: '', include: 'included', exclude: 'excluded' }[state],
    ].filter(Boolean).join(', '),
  chipTips: { off: 'Show only models with this tag', include: 'Leave models with this tag out', exclude: 'Let this tag be' },
  nsfwHidden: 'nsfw hidden',
  nsfwShown: 'nsfw shown',
  nsfwTips: { hidden: 'Models tagged nsfw are left out. Show them', shown: 'Leave models tagged nsfw out again' },

  sort: 'Order',
  sortBy: (field: string) => `Order by ${field}`,
  sorts: {
    best: 'Best match', name: 'Name', added: 'Date added', size: 'Size', changed: 'Last change',
  } satisfies Record<Field, string>,
  directions: {
    name: { up: 'A to Z', down: 'Z to A' },
    added: { up: 'Oldest first', down: 'Newest first' },
    size: { up: 'Smallest first', down: 'Largest first' },
    changed: { up: 'Longest ago first', down: 'Latest first' },
  } satisfies Record<Exclude<Field, 'best'>, { up: string; down: string }>,
  layout: 'Layout',
  grid: 'Cards',
  rows: 'List',
  columns: 'Columns',
  columnsSaid: (count: number) => counted(count, 'column', 'columns'),

  heads: { picture: 'Picture', name: 'Name', type: 'Type', tags: 'Tags', size: 'Size', added: 'Added', state: 'State' },
  favor: (name: string) => `Make ${name} a favourite`,
  unfavor: (name: string) => `${name} is a favourite; press to take that back`,
  favorite: 'Favourite',
  chooseOne: (name: string) => `Choose ${name}`,
  chosen: (count: number) => `${number(count)} chosen`,
  chose: (count: number) => `${counted(count, 'model', 'models')} chosen`,
  choseMost: (count: number, of: number) => `${number(count)} of ${number(of)} models chosen: no more can be changed at once`,
  mostChosen: (count: number) => `At most ${number(count)} models can be chosen at once`,
  gathering: (count: number) => `Choosing, ${number(count)} so far`,
  chooseAll: 'Choose all',
  leaveChoice: 'Leave the choice',

  wasCalled: (name: string) => `was called ${name}`,
  foundBy: {
    name: 'Found by its name', tag: 'Found by a tag', trigger_words: 'Found by its trigger words',
    text: 'Found by its texts', file: 'Found by its file name', hash: 'Found by its hash',
    earlier_name: 'Found by a name it had', earlier_file: 'Found by a file name it had',
  } satisfies Record<FoundBy, string>,
  addedOn: (day: string) => `Added ${day}`,
  noPath: 'No file is known',

  details: 'Details',
  chosenDetails: 'Chosen models',
  pane: 'Width of the details',

  emptyTitle: 'Your library is empty',
  emptyAbout:
    'Hikaze keeps what you know about your models: names, tags, pictures, texts. Only what you import comes in, and your files stay as they are.',
  emptyDrop: 'Drop model files onto this page, or into a drop folder',
  emptyDropAbout: 'They wait under Pending until you import them.',
  emptyPending: (count: number) => `${counted(count, 'file waits', 'files wait')} to be imported`,
  emptyPendingAbout: 'Look at them, give them names and tags, and import them.',
  emptyFolders: 'Add a folder with models',
  emptyFoldersAbout: 'Hikaze watches it, and lists what it finds as pending.',
  emptyEarlier: 'Bring an earlier library along',
  emptyEarlierAbout: 'Names, tags, texts and pictures of an earlier Hikaze.',
  toPending: 'Go to pending',
  toFolders: 'Folders',
  toEarlier: 'Bring it along',

  noneTitle: 'Nothing found',
  noneAsked: 'You asked for',
  noneType: (type: string) => `of type ${type}`,
  noneWith: (tag: string) => `with ${tag}`,
  noneWithout: (tag: string) => `without ${tag}`,
  noneClear: 'Clear all of it',
  noneNsfw: (count: number) => `${counted(count, 'model is', 'models are')} hidden, tagged nsfw.`,
  noneShowNsfw: 'Show nsfw',
  awayTitle: 'hikazed does not answer',
  awayAbout: 'This page tries again by itself. If it stays away, start it: hikazed run',
} as const
