/** Reads the records of a request's body as leaves, each with the catalog line that covers it. */
import type { SubjectPlace } from '../../model/catalog.ts';
import type { Scalar } from '../../model/disclosure.ts';
import type { Identifier } from '../../model/identifiers.ts';
import { tokensOf } from '../../model/pointer.ts';
import type { Automaton } from '../fields/automaton.ts';
import { textMarks, textState } from '../formats/shared/tree.ts';
import { innerValues } from '../inner/leaves.ts';
import { isObject, type Leaf, type Place, scalarOf, scalarText } from './leaf.ts';
import { pickFaults } from './picks.ts';
import { escapeToken, parsePointer } from '../fields/pointer.ts';

export interface WrittenBody {
  /** the body parsed: objects, arrays, scalars */
  readonly value: unknown;
  readonly bytes: Uint8Array;
  readonly format: 'json' | 'form' | 'xmlrpc' | 'soap' | (string & {});
  /** pointer to the record in the body, `*` for several; '' the whole body */
  readonly record: string;
  /** lists are repeated elements, which are no step of a path, and `#text` is the text of an element (XML, multipart) */
  readonly elements?: boolean;
  /** the data subject that the route states; null: none */
  readonly dataSubject: string | null;
  /** the id under which consents of that person are stored */
  readonly person: string | null;
  /** the identifier of the record outside of the body; null: none */
  readonly id: Identifier | null;
  /**
   * What the upstream erases if the body omits it: fields of the record (`unsaid`: even those without a catalog line), or fields within the lists
   * and objects that are sent (`parts`). Nothing if `stored` keeps it.
   */
  readonly erases?: 'record' | 'parts' | 'unsaid' | null;
  /** remove refused fields instead of refusing the request; only for JSON */
  readonly strip: boolean;
  /** the stored record, if values that the caller cannot see are to be kept; only for JSON */
  readonly stored: StoredRecord | null;
}

export interface StoredRecord {
  /** a JSON text that contains the record */
  readonly bytes: Uint8Array;
  /** the same as the caller is shown it; null: nothing */
  readonly shown: Uint8Array | null;
  /** pointer to the record in both; '': the whole text */
  readonly record: string;
  /** the upstream erases what a body leaves out */
  readonly replaces: boolean;
  /** pointer in the record to a value that changes with every write and is sent back as it is stored */
  readonly version: string | null;
}

/** A member that may name another field than the one that was checked. */
export interface Conflict {
  readonly pointer: string;
  /** place of its object */
  readonly place: Place;
}

export interface WrittenRecord {
  readonly place: Place;
  readonly leaves: readonly Leaf[];
  /** members that contradict the selector by which a field was selected */
  readonly conflicts: readonly Conflict[];
}

/** The leaves of every record in a body. The body was parsed under a depth limit. */
export const written = (body: WrittenBody, automaton: Automaton): readonly WrittenRecord[] =>
  [...at(body.value, tokensOf(body.record), [])].map(({ value, place }) => {
    const conflicts: Conflict[] = [];
    const leaves = [...leavesOf(value, place, automaton, body, conflicts)];
    return { place, leaves, conflicts };
  });

/** A data subject that a value names. */
interface Subject {
  /** depth from the root */
  readonly depth: number;
  readonly places: readonly SubjectPlace[] | null;
}

/** the name of the text of an element */
const TEXT = '#text';

function subjectAt(
  automaton: Automaton,
  state: number,
  content: string | undefined,
  depth: number,
): Subject | null {
  const marks = textMarks(automaton, state, content).filter((mark) => mark.subject && mark.up === 0);
  if (marks.length === 0) return null;
  const places = marks.flatMap((mark) => mark.places ?? []);
  return { depth, places: places.length === 0 ? null : places };
}

/** The types that the records of a body state; undefined: none. @param by pointer of one step, or of the record's name */
export function typesOf(body: WrittenBody, by: string): readonly (string | undefined)[] {
  const [step] = parsePointer(by);
  return [...at(body.value, tokensOf(body.record), [])].map(({ value, place }) => {
    if (step?.kind === 'key') return place.length > 0 ? String(place.at(-1)) : undefined;
    if (step?.kind !== 'name' || !isObject(value) || !Object.hasOwn(value, step.name)) return undefined;
    return scalarText(value[step.name]);
  });
}

interface Around {
  readonly path: string;
  readonly place: Place;
  readonly subject: Subject | null;
  readonly listed: boolean;
  readonly key: boolean;
}

function* leavesOf(
  root: unknown,
  place: Place,
  automaton: Automaton,
  { format, elements = false }: WrittenBody,
  conflicts: Conflict[],
): Generator<Leaf> {
  function* walk(node: unknown, from: number, around: Around): Generator<Leaf> {
    const { path, listed } = around;
    const picks = isObject(node) && automaton.selectors(from) ? automaton.picks(from) : [];
    const content = elements && !isObject(node) && !Array.isArray(node) ? TEXT : undefined;
    const at =
      isObject(node) && automaton.selectors(from)
        ? automaton.select(from, (key) => scalarText(Object.hasOwn(node, key) ? node[key] : undefined))
        : from;
    const state = content === undefined ? at : textState(automaton, at, content);
    // if a list or object is in the place of an id, every part of it counts, since the upstream may use any
    const subject = subjectAt(automaton, at, content, around.place.length) ?? around.subject;
    if (Array.isArray(node) && node.length > 0) {
      for (const [i, item] of node.entries())
        yield* walk(item, elements ? from : automaton.item(state, i), {
          path: elements ? path : `${path}/*`,
          place: [...around.place, i],
          subject,
          listed: true,
          key: false,
        });
      return;
    }
    if (isObject(node) && Object.keys(node).length > 0) {
      if (!automaton.whole(state))
        for (const pointer of aliases(node, path)) conflicts.push({ pointer, place: around.place });
      const within: Leaf[] = [];
      for (const [key, member] of Object.entries(node)) {
        const isText = elements && key === TEXT;
        const leaves = walk(member, isText ? state : automaton.step(state, key), {
          path: isText ? path : `${path}/${escapeToken(key)}`,
          place: [...around.place, key],
          subject,
          listed,
          key: picks.some(({ wants }) => wants.some((want) => want.key === key)),
        });
        // not as arguments of one call: those of a long list would exceed the stack
        for (const leaf of leaves) within.push(leaf);
      }
      if (picks.length > 0)
        for (const pointer of pickFaults({ node, picks, leaves: within, around, isJson: format === 'json' }))
          conflicts.push({ pointer, place: around.place });
      yield* within;
      return;
    }
    // an empty record writes nothing
    if (path === '' && typeof node === 'object' && node !== null) return;
    const field = automaton.field(state);
    const known = field < 0 ? undefined : automaton.all[field];
    const embedded = known !== undefined && known.path !== known.pointer;
    // an empty object has no members, but only a `whole` line covers it
    const covered = !isObject(node) || automaton.whole(state);
    const entry = known && !embedded && covered ? known.entry : null;
    const pointer = entry && known ? known.pointer : path === '' ? '/' : path;
    const value = scalarOf(node);
    yield {
      pointer,
      base: entry && known && known.base >= 0 ? automaton.all[known.base]!.pointer : pointer,
      entry,
      embedded,
      subject: embedded ? null : (subject?.depth ?? null),
      places: embedded ? null : (subject?.places ?? null),
      listed,
      key: around.key && value !== null,
      value,
      place: around.place,
    };
    if (entry?.parse !== undefined && value !== null && value.kind !== 'null')
      yield* within(automaton, state, entry.parse, { value, pointer, listed, place: around.place });
  }
  yield* walk(root, automaton.root, { path: '', place, subject: null, listed: false, key: false });
}

/** The leaves of a document in a field (`parse`). A text that is no such document has one leaf that nobody may write. */
function* within(
  automaton: Automaton,
  state: number,
  parse: string,
  { value, pointer, listed, place }: Pick<Leaf, 'pointer' | 'listed' | 'place'> & { readonly value: Scalar },
): Generator<Leaf> {
  const found = value.kind === 'string' ? innerValues(parse, value.text, automaton, state) : null;
  for (const inner of found ?? [{ field: -1, value: null }]) {
    const known = inner.field < 0 ? undefined : automaton.all[inner.field];
    const own = known?.pointer ?? `${pointer}/*`;
    yield {
      pointer: own,
      base: known !== undefined && known.base >= 0 ? automaton.all[known.base]!.pointer : own,
      entry: known?.entry ?? null,
      embedded: false,
      subject: null,
      places: null,
      listed,
      key: false,
      value: inner.value,
      place,
    };
  }
}

/** Members whose names differ only in case (`Id`, `id`): some upstreams ignore case and take either. */
export function aliases(node: { readonly [name: string]: unknown }, path: string): string[] {
  const seen = new Map<string, string>();
  return Object.keys(node).flatMap((name) => {
    const folded = name.normalize('NFKC').toLowerCase();
    if (seen.has(folded)) return [`${path}/${escapeToken(name)}`];
    seen.set(folded, name);
    return [];
  });
}

/** The values at a pointer. If the body has none, the value is `undefined`, which no field allows. */
function* at(
  value: unknown,
  [key, ...rest]: readonly string[],
  place: Place,
): Generator<{ readonly value: unknown; readonly place: Place }> {
  if (key === undefined) yield { value, place };
  else if (key === '*' && Array.isArray(value))
    for (const [i, member] of value.entries()) yield* at(member, rest, [...place, i]);
  else if (key === '*' && isObject(value))
    for (const [name, member] of Object.entries(value)) yield* at(member, rest, [...place, name]);
  else if (Array.isArray(value) && /^(?:0|[1-9]\d*)$/.test(key))
    yield* at(value[Number(key)], rest, [...place, Number(key)]);
  else if (isObject(value) && Object.hasOwn(value, key)) yield* at(value[key], rest, [...place, key]);
  else yield { value: undefined, place: [...place, key, ...rest] };
}
