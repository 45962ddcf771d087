/** Where what stands beside the list lies over it instead. */
export const NARROW = '(max-width: 820px)'
