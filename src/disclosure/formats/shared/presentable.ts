/** Names that the upstream chooses, made fit for a decision record. */

/** A telephone number, an e-mail address, or a text that is too long for a name: probably data used as a key of a map. */
const LOOKS_LIKE_DATA = /\d[\d -]{4,}\d|.@|.{65}/u;
/** The path with every name that looks like data replaced by `*`; `…` for a path that is too long. */
export const presentable = (path: string) =>
  path.length > 1024
    ? '…'
    : path
        .split('/')
        .map((token) => (LOOKS_LIKE_DATA.test(token) ? '*' : token))
        .join('/');
