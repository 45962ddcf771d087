/** What the page's sources must keep to, beyond what the types say. */

import vue from 'eslint-plugin-vue'
import { defineConfig, globalIgnores } from 'eslint/config'
import typescript from 'typescript-eslint'

const ASKING = ['fetch', 'EventSource', 'WebSocket', 'XMLHttpRequest']

export default defineConfig(
  globalIgnores(['dist', 'node_modules']),
  {
    files: ['**/*.{ts,vue}'],
    extends: [typescript.configs.recommendedTypeChecked, vue.configs['flat/recommended'], vue.configs['no-layout-rules']],
    languageOptions: {
      parserOptions: {
        parser: typescript.parser,
        project: ['./tsconfig.json', './tsconfig.tools.json'],
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: ['.vue'],
      },
    },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // A component is `any` to the linter, which does not read .vue files as vue-tsc does; vue-tsc finds these.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',

      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
      'vue/block-order': ['error', { order: ['script', 'template', 'style'] }],
      'vue/component-api-style': ['error', ['script-setup']],
      'vue/define-emits-declaration': ['error', 'type-literal'],
      'vue/define-props-declaration': ['error', 'type-based'],
      // Folders say where a component belongs; a name of one word is not in HTML's way when written with a capital.
      'vue/multi-word-component-names': 'off',
      // Words are in src/words; signs that mean the same in every language may stand in a template.
      'vue/no-bare-strings-in-template': ['error', { allowlist: ['·', '/', '×', '…', '–', ':', ',', '(', ')'] }],
      'vue/no-v-html': 'error',
      'vue/no-undef-components': 'error',
      'vue/no-unused-refs': 'error',
      'vue/no-useless-v-bind': 'error',
      'vue/prefer-true-attribute-shorthand': 'error',
      // Defaults are written where props are taken apart, and a prop that may be left out says so by its type.
      'vue/require-default-prop': 'off',
    },
  },
  {
    files: ['src/**'],
    ignores: ['src/api.ts', '**/*.test.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...ASKING.map((name) => ({ name, message: 'src/api.ts asks the daemon; nothing else does.' })),
      ],
    },
  },
  {
    // A tool for those who work on the page: it speaks for itself.
    files: ['dev/**'],
    rules: { 'vue/no-bare-strings-in-template': 'off' },
  },
)
