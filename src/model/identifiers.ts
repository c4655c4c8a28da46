/**
 * By which names and values an upstream may find a record. A request is checked under the identifier that its route names; a second one
 * beside it, in the query, a header or the body, could have the upstream execute it for another record.
 */
import { pointerOf } from './pointer.ts';

/** `Customer-Id`, `customer_id` and `customerId` are one name to many frameworks. */
export const foldName = (name: string): string =>
  name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');

/** names of a record's own identifier, whatever the system */
const USUAL = ['id', 'uuid', 'guid', 'pk', 'objectid', 'recordid', 'sysid'];

/**
 * Folded names under which a value beside a route's `id` may name a record.
 * @param own names that the route itself takes the id from
 */
export const identifierNames = (resource: string, own: readonly string[]): ReadonlySet<string> =>
  new Set([...USUAL, `${foldName(resource)}id`, ...own.map(foldName)]);

const IDENTIFIERS = new Set([...USUAL, 'key', 'name', 'code', 'field', 'slug', 'label']);

/** Whether a member may say which element of a list it is. */
export const identifies = (member: string): boolean => IDENTIFIERS.has(foldName(member));

/**
 * Whether two values may be one to an upstream: databases compare without regard to case, width and blanks, and read `03` as 3.
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

/** How a write's route names its record. */
export interface Identifier {
  /** the id, and its parts where the route makes it of several */
  readonly values: readonly string[];
  /** folded names of members, parameters and headers that would name it too */
  readonly names: ReadonlySet<string>;
}

/** The first of the names that go to the upstream with a write and name another record than its route does; undefined: none. */
export const otherNamed = (
  named: readonly (readonly [name: string, value: string])[],
  { names, values }: Identifier,
): string | undefined =>
  named.find(([name, value]) => names.has(withoutX(foldName(name))) && !values.includes(value))?.[0];

/** `X-Customer-Id` */
const withoutX = (folded: string): string => folded.replace(/^x(?=.)/, '');

/**
 * In JSON:API an `id` within these is that of a linked record, or of the request. One with the name of the resource is the record's nevertheless, and
 * so is one beside a record that stands within them.
 */
const OF_OTHERS: ReadonlySet<string> = new Set(['relationships', 'meta']);

/**
 * Members outside a record, at any depth, that name another record than the route: `/data/id`, where JSON:API has the fields at `/data/attributes`.
 * @param place of the record in the body, `*` for any element; null: the body holds no record
 * @param others pointers to ids of something else: of whom the route says that the data is about
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
    // of JSON-RPC `id` is that of the call
    path.length === 0
      ? name === 'id' && isCall(body)
      : !isBeside && USUAL.includes(foldName(name)) && path.some((step) => OF_OTHERS.has(step));
  const look = (around: unknown, rest: readonly string[] | null, path: readonly string[]): void => {
    if (typeof around !== 'object' || around === null || rest?.length === 0) return;
    // Repeated elements of XML are a list that takes no step.
    const takesNoStep = Array.isArray(around) && !/^(?:\*|\d+)$/.test(rest?.[0] ?? '');
    for (const [name, member] of Object.entries(around)) {
      const at = [...path, name];
      const isId = names.has(foldName(name)) && !isOfOther(name, path, rest !== null);
      // `*` may be the name of a member, too, but no record is a single value
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
