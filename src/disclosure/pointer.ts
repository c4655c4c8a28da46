// Catalog paths (design §5.4): JSON Pointers (RFC 6901) with two more kinds of steps.
//
//     /orders/0/amount            the member or the position of that name
//     /orders/*/amount            any member, any position
//     /fields/[name=phone]/value  the members that are objects whose own `name` is `phone`
//
// `~1` is a slash and `~0` a tilde, in selectors too. A member that is really called `*` or `[a=b]` can only be reached by `*`.
import { SluiceError } from '../errors.ts';

export type Step =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'select'; readonly key: string; readonly value: string };

const ANY: Step = Object.freeze({ kind: 'any' });
const SELECTOR = /^\[([^=\]]+)=([\s\S]*)\]$/;

const unescapeToken = (token: string) => token.replaceAll('~1', '/').replaceAll('~0', '~');
export const escapeToken = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** @throws SluiceError `catalog_invalid` for what is neither empty nor begins with a slash */
export function parsePointer(pointer: string): readonly Step[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) {
    throw new SluiceError('catalog_invalid', {
      message: `the path ${JSON.stringify(pointer)} must be empty or begin with "/"`,
      paths: [pointer],
    });
  }
  return pointer.slice(1).split('/').map(stepOf);
}

function stepOf(token: string): Step {
  if (token === '*') return ANY;
  const selector = SELECTOR.exec(token);
  if (selector)
    return { kind: 'select', key: unescapeToken(selector[1]!), value: unescapeToken(selector[2]!) };
  return { kind: 'name', name: unescapeToken(token) };
}
