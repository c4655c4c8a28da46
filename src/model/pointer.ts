// Pointers into records and bodies: JSON Pointers (RFC 6901) with additional kinds of steps. All pointers of catalogs, configurations and
// decision records use this grammar; each reader decides which kinds it allows.
//
//     /orders/0/amount            the member or position of that name
//     /orders/*/amount            any member or position
//     /fields/[name=phone]/value  members that are objects whose `name` is `phone`
//     /fields/[id=3,name=phone]/value  … and whose `id` is 3: all keys must match
//
// `~1` is a slash and `~0` a tilde, also in selectors; there `~3` is a comma, `~4` and `~5` are brackets, `~6` an equals sign. A step that
// begins with `~2` is always a name: `/~2*` is the member called `*`, `/~2[a=b]` the one called `[a=b]`,
// `/~2#3` the column called `#3`, and `/~2` the one without a name.

/** The empty pointer has no tokens. Text before the first slash is ignored. */
export const tokensOf = (pointer: string): string[] => pointer.split('/').slice(1).map(decodeToken);

export const pointerOf = (tokens: readonly string[]): string =>
  tokens.map((token) => `/${encodeToken(token)}`).join('');

export const decodeToken = (token: string): string => token.replaceAll('~1', '/').replaceAll('~0', '~');

const encodeToken = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

export type Step =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'key' }
  | { readonly kind: 'select'; readonly wants: readonly Want[] };

/** A sibling member and the value that it must have. */
export interface Want {
  readonly key: string;
  readonly value: string;
}

/** The name of a record's entry in a map, or of its element. A record's own member of that name is written `/~2{key}`. */
export const KEY_POINTER = '/{key}';
/** the key of a selector that means the entry's name instead of a sibling; decoded text never holds a lone surrogate */
export const KEY = '\udffe';
const KEY_STEP: Step = Object.freeze({ kind: 'key' });
const ANY: Step = Object.freeze({ kind: 'any' });
const SELECTOR = /^\[([^=\]]+=[\s\S]*)\]$/;
/** characters with a meaning in a selector, by the digit that escapes each after `~`; `~2` begins a name */
const ESCAPED = ['~', '/', '', ',', '[', ']', '='];

/** the name of a column or pair, by position */
const POSITION = /^#\d+$/;
/** A lone surrogate, which decoded text never holds. It marks a name that looks like a position. */
const NAMED = '\udfff';
/** a name that looks like another kind of step unless it is escaped */
const SPECIAL = /^(?:$|\*$|\{key\}$|\[[^=\]]+=[\s\S]*\]$)/;

const escapeWant = (text: string) => text.replace(/[~/,=[\]]/g, (c) => `~${ESCAPED.indexOf(c)}`);
const unescapeWant = (text: string) => text.replace(/~([013-6])/g, (_, digit) => ESCAPED[Number(digit)]!);
export const escapeToken = (name: string): string => {
  const isName = name.startsWith(NAMED);
  const spelled = encodeToken(isName ? name.slice(1) : name);
  return isName || SPECIAL.test(name) ? `~2${spelled}` : spelled;
};

/** The step for a column with this name, in a format in which positions are names, too: `#3` is a name only if a catalog says `/~2#3`. */
export const columnName = (name: string): string => (POSITION.test(name) ? NAMED + name : name);

/** @returns null if the pointer is neither empty nor begins with a slash */
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

/** A part without `=` requires a value that nothing has; `pointer-faults.ts` rejects it where pointers are checked. */
function wantOf(part: string): Want {
  const at = part.indexOf('=');
  return at < 0
    ? { key: unescapeWant(part), value: '' }
    : { key: unescapeWant(part.slice(0, at)), value: unescapeWant(part.slice(at + 1)) };
}

const byKey = (a: Want, b: Want): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

/** The canonical form of a selector: its keys in order. */
export const spellWants = (wants: readonly Want[]): string =>
  `[${wants.map(({ key, value }) => `${escapeWant(key)}=${escapeWant(value)}`).join(',')}]`;
