/** Small things about pictures: their numbers, and which of the files somebody gives are some. */

/** The number of a picture, from its base name `<sha256>_<number>`. */
export function seqOf(base: string): number {
  return Number(base.slice(base.lastIndexOf('_') + 1))
}

/** The pictures among what was pasted or dropped. */
export function picturesIn(data: DataTransfer | null): File[] {
  return [...(data?.files ?? [])].filter((file) => file.type.startsWith('image/'))
}

/** Whether what is dragged has pictures; what is in the files is not told before they are dropped. */
export function bringsPictures(data: DataTransfer | null): boolean {
  return [...(data?.items ?? [])].some((item) => item.kind === 'file' && item.type.startsWith('image/'))
}
