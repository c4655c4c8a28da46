// Pointers into records and bodies: JSON Pointers (RFC 6901) with more kinds of steps. Every pointer of a catalog, a configuration and a
// decision record is written in this grammar; which of the kinds may stand in one place is for its reader to say.
//
//     /orders/0/amount            the member or the position of that name
//     /orders/*/amount            any member, any position
//     /fields/[name=phone]/value  the members that are objects whose own `name` is `phone`
//     /fields/[id=3,name=phone]/value  … and whose `id` is 3: all of the keys must agree
//
// `~1` is a slash and `~0` a tilde, in selectors too; there `~3` is a comma, `~4` and `~5` are brackets, `~6` an equals sign. A step that
// begins with `~2` is a name whatever it looks like: `/~2*` is the member that is really called `*`, `/~2[a=b]` the one called `[a=b]`,
// `/~2#3` the column called `#3`, and `/~2` the one without a name.

/** The empty pointer has no tokens. What stands before the first slash is not looked at. */
export const tokensOf = (pointer: string): string[] => pointer.split('/').slice(1).map(decodeToken);

export const pointerOf = (tokens: readonly string[]): string =>
  tokens.map((token) => `/${encodeToken(token)}`).join('');

export const decodeToken = (token: string): string => token.replaceAll('~1', '/').replaceAll('~0', '~');

export const encodeToken = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

export type Step =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'key' }
  | { readonly kind: 'select'; readonly wants: readonly Want[] };

/** A sibling that must have a value. */
export interface Want {
  readonly key: string;
  readonly value: string;
}

/** The name that a record stands under in a map, or of its element. A record's own member of that name is written `/~2{key}`. */
export const KEY_POINTER = '/{key}';
/** what a selector asks for in place of a sibling's name where it goes by that name; no decoded text holds a lone surrogate */
export const KEY = '\udffe';
const KEY_STEP: Step = Object.freeze({ kind: 'key' });
const ANY: Step = Object.freeze({ kind: 'any' });
const SELECTOR = /^\[([^=\]]+=[\s\S]*)\]$/;
/** the characters that mean something in a selector, by the digit that stands for each behind `~`; `~2` begins a name */
const ESCAPED = ['~', '/', '', ',', '[', ']', '='];

/** the name of a column or pair by its position */
const POSITION = /^#\d+$/;
/** A lone surrogate, which no decoded text holds: what follows is a name, and not the position that it looks like. */
const NAMED = '\udfff';
/** a name that would be taken for another kind of step if it were not escaped */
const SPECIAL = /^(?:$|\*$|\{key\}$|\[[^=\]]+=[\s\S]*\]$)/;

const escapeWant = (text: string) => text.replace(/[~/,=[\]]/g, (c) => `~${ESCAPED.indexOf(c)}`);
const unescapeWant = (text: string) => text.replace(/~([013-6])/g, (_, digit) => ESCAPED[Number(digit)]!);
export const escapeToken = (name: string): string => {
  const isName = name.startsWith(NAMED);
  const spelled = encodeToken(isName ? name.slice(1) : name);
  return isName || SPECIAL.test(name) ? `~2${spelled}` : spelled;
};

/** The name to step by of a column that is called so, in a format whose positions are names too: `#3` is one only where a catalog says `/~2#3`. */
export const columnName = (name: string): string => (POSITION.test(name) ? NAMED + name : name);

/** @returns null for what is neither empty nor begins with a slash */
export function stepsOf(pointer: string): readonly Step[] | null {
  if (pointer === '') return [];
  if (pointer === KEY_POINTER) return [KEY_STEP];
  return pointer.startsWith('/') ? pointer.slice(1).split('/').map(stepOf) : null;
}

function stepOf(token: string): Step {
  if (token === '*') return ANY;
  if (token.startsWith('~2')) return { kind: 'name', name: columnName(decodeToken(token.slice(2))) };
  const selector = SELECTOR.exec(token);
  if (selector) return { kind: 'select', wants: selector[1]!.split(',').map(wantOf).sort(byKey) };
  return { kind: 'name', name: decodeToken(token) };
}

/** A part without `=` wants a value that nothing has; `pointer-faults.ts` refuses it where pointers are checked. */
function wantOf(part: string): Want {
  const at = part.indexOf('=');
  return at < 0
    ? { key: unescapeWant(part), value: '' }
    : { key: unescapeWant(part.slice(0, at)), value: unescapeWant(part.slice(at + 1)) };
}

const byKey = (a: Want, b: Want): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

/** A selector as it is spelled in one way: its keys in order. */
export const spellWants = (wants: readonly Want[]): string =>
  `[${wants.map(({ key, value }) => `${escapeWant(key)}=${escapeWant(value)}`).join(',')}]`;
