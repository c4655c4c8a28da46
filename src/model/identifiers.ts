/**
 * The names and values by which an upstream may find a record. A request is checked under the identifier that its route names. A second one
 * in the query, a header or the body could make the upstream process another record.
 */
import { pointerOf } from './pointer.ts';

/** `Customer-Id`, `customer_id` and `customerId` are one name to many frameworks. */
export const foldName = (name: string): string =>
  name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');

/** names of a record's own identifier in any system */
const USUAL = ['id', 'uuid', 'guid', 'pk', 'objectid', 'recordid', 'sysid'];

/**
 * Folded names of values that could identify a record in addition to a route's `id`.
 * @param own names from which the route itself takes the id
 */
export const identifierNames = (resource: string, own: readonly string[]): ReadonlySet<string> =>
  new Set([...USUAL, `${foldName(resource)}id`, ...own.map(foldName)]);

const IDENTIFIERS = new Set([...USUAL, 'key', 'name', 'code', 'field', 'slug', 'label']);

/** True if a member may identify an element of a list. */
export const identifies = (member: string): boolean => IDENTIFIERS.has(foldName(member));

/**
 * True if an upstream may treat two values as equal: databases ignore case, width and blanks, and read `03` as 3.
 */
export const looksAlike = (a: string, b: string): boolean => loosely(a) === loosely(b);

const loosely = (text: string): string => {
  const plain = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s\p{C}]+/gu, '');
  const number = /^\+?(\d+)(?:\.0*)?$/.exec(plain);
  return number === null ? plain : number[1]!.replace(/^0+(?=\d)/, '');
};

/** How a route that writes names its record. */
export interface Identifier {
  /** the id, and its parts if the route combines several */
  readonly values: readonly string[];
  /** folded names of other members, parameters and headers that would identify it */
  readonly names: ReadonlySet<string>;
}

/** The first name sent with a write that identifies another record than the route; undefined: none. */
export const otherNamed = (
  named: readonly (readonly [name: string, value: string])[],
  { names, values }: Identifier,
): string | undefined =>
  named.find(([name, value]) => names.has(withoutX(foldName(name))) && !values.includes(value))?.[0];

/** `X-Customer-Id` */
const withoutX = (folded: string): string => folded.replace(/^x(?=.)/, '');

/**
 * In JSON:API an `id` within these identifies a linked record, or the request. An `id` with the name of the resource still identifies the record, and
 * so does one beside a record within them.
 */
const OF_OTHERS: ReadonlySet<string> = new Set(['relationships', 'meta']);

/**
 * Finds members outside the record, at any depth, that identify another record than the route: `/data/id`, if the fields are at `/data/attributes` (JSON:API).
 * @param place of the record in the body, `*` for any element; null: the body holds no record
 * @param others pointers to ids with another meaning: the data subject that the route names
 * @returns pointers
 */
export function othersAround(
  body: unknown,
  { names, values }: Identifier,
  place: readonly string[] | null,
  others: readonly string[],
): readonly string[] {
  const found: string[] = [];
  const isOfOther = (name: string, path: readonly string[], isBeside: boolean): boolean =>
    // In JSON-RPC `id` identifies the call.
    path.length === 0
      ? name === 'id' && isCall(body)
      : !isBeside && USUAL.includes(foldName(name)) && path.some((step) => OF_OTHERS.has(step));
  const look = (around: unknown, rest: readonly string[] | null, path: readonly string[]): void => {
    if (typeof around !== 'object' || around === null || rest?.length === 0) return;
    // Repeated XML elements are a list without a path step.
    const takesNoStep = Array.isArray(around) && !/^(?:\*|\d+)$/.test(rest?.[0] ?? '');
    for (const [name, member] of Object.entries(around)) {
      const at = [...path, name];
      const isId = names.has(foldName(name)) && !isOfOther(name, path, rest !== null);
      // `*` may also match a member, but a record is never a single value.
      const isStep = rest?.[0] === '*' && !(isId && Object(member) !== member);
      if (rest !== null && (takesNoStep || isStep || rest[0] === name))
        look(member, takesNoStep ? rest : rest.slice(1), at);
      else if (!isId) look(member, null, at);
      else if (![member].flat().every((said) => saysOne(said, values)) && !others.includes(pointerOf(at)))
        found.push(pointerOf(at));
    }
  };
  look(body, place, []);
  return found;
}

const isCall = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && 'params' in body && 'method' in body;

const saysOne = (said: unknown, values: readonly string[]): boolean =>
  (typeof said === 'string' || Number.isSafeInteger(said)) && values.includes(String(said).trim());
