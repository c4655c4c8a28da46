/** JSON Pointers (RFC 6901) as their reference tokens, and back. What `*` and other special tokens mean is for each reader to say. */

/** The empty pointer has no tokens. What stands before the first slash is not looked at. */
export const tokensOf = (pointer: string): string[] => pointer.split('/').slice(1).map(decodeToken);

export const pointerOf = (tokens: readonly string[]): string =>
  tokens.map((token) => `/${encodeToken(token)}`).join('');

export const decodeToken = (token: string): string => token.replaceAll('~1', '/').replaceAll('~0', '~');

export const encodeToken = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
