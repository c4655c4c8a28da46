/** JSON values whose scalars keep their spelling, so that stored values are written back to the last digit. */
export type Exact =
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, Exact> }
  | { readonly kind: 'list'; readonly items: readonly Exact[] }
  | { readonly kind: 'scalar'; readonly spelled: string };

type Reviver = (key: string, value: unknown, context: { readonly source: string }) => unknown;
// ES2026: the reviver's context argument is missing in TypeScript's library.
const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** @throws SyntaxError */
export const readExact = (text: string): Exact =>
  parse(text, (_key, value, { source }) => {
    if (Array.isArray(value)) return { kind: 'list', items: value };
    if (typeof value === 'object' && value !== null)
      return { kind: 'object', members: new Map(Object.entries(value)) };
    return { kind: 'scalar', spelled: source };
  }) as Exact;

export function writeExact(value: Exact): string {
  if (value.kind === 'scalar') return value.spelled;
  if (value.kind === 'list') return `[${value.items.map(writeExact).join(',')}]`;
  return `{${[...value.members].map(([name, of]) => `${JSON.stringify(name)}:${writeExact(of)}`).join(',')}}`;
}

/** Whether two values are equal: `88` equals `88.0`, since clients reserialize numbers, and the order of members does not count. */
export function isSame(a: Exact, b: Exact): boolean {
  if (a.kind === 'scalar' && b.kind === 'scalar')
    return a.spelled === b.spelled || JSON.parse(a.spelled) === JSON.parse(b.spelled);
  if (a.kind === 'list' && b.kind === 'list')
    return a.items.length === b.items.length && a.items.every((item, i) => isSame(item, b.items[i]!));
  if (a.kind !== 'object' || b.kind !== 'object' || a.members.size !== b.members.size) return false;
  return [...a.members].every(([name, of]) => {
    const other = b.members.get(name);
    return other !== undefined && isSame(of, other);
  });
}

/** The value at a place; undefined if there is none. */
export function exactAt(value: Exact, place: readonly (string | number)[]): Exact | undefined {
  let node: Exact | undefined = value;
  for (const step of place)
    node =
      node?.kind === 'object'
        ? node.members.get(String(step))
        : node?.kind === 'list'
          ? node.items[Number(step)]
          : undefined;
  return node;
}

const EMPTY: Exact = { kind: 'object', members: new Map() };

/** A copy of the value with another value at a place. Missing members on the way are created. */
export function exactWith(value: Exact, place: readonly (string | number)[], other: Exact): Exact {
  const [step, ...rest] = place;
  if (step === undefined) return other;
  if (value.kind === 'list')
    return {
      kind: 'list',
      items: value.items.map((item, i) => (i === Number(step) ? exactWith(item, rest, other) : item)),
    };
  if (value.kind !== 'object') return value;
  const members = new Map(value.members);
  members.set(String(step), exactWith(members.get(String(step)) ?? EMPTY, rest, other));
  return { kind: 'object', members };
}
