/**
 * What a request may not do with fields: search, filter or sort by one that the caller may not see undisguised (the answer
 * would tell its value bit by bit), write one that it may not write, or write back what we had disguised for it.
 *
 * The policy is asked with `sluice/disclosure` for both: for a search with the action as it is and no data subject (there is none
 * yet); for a write with the write's own action, where `disclose` means "may be written", and once more as a `read`, which says what
 * the caller would have been shown. Longer than most: searches and writes share how a field is found and judged.
 */
import { SluiceError } from '../errors.ts';
import type { DisclosureAnswer, Reason, TreatmentChoice } from '../model/answers.ts';
import type { Catalog, FieldEntry } from '../model/catalog.ts';
import { type ConsentSource, type DataSubjectState, NO_STATE } from '../model/consent.ts';
import type { DisclosurePlan, DisclosureStage, Scalar } from '../model/disclosure.ts';
import type { PolicyInput } from '../model/input.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import type { Automaton } from './automaton.ts';
import { CatalogCache } from './catalogs.ts';
import { choiceOf } from './choice.ts';
import { idOf, idsOf } from './data-subjects.ts';
import { escapeToken } from './pointer.ts';
import { canonicalPointer } from './program.ts';
import { TREATMENT_FILES } from './treatments/registry.ts';
import type { Treatment } from './treatments/treatment.ts';

export interface WrittenBody {
  /** the body parsed: objects, arrays, scalars */
  readonly value: unknown;
  readonly bytes: Uint8Array;
  /** pointer to the record in the body, `*` for several; '' the whole body */
  readonly record: string;
  readonly dataSubject: string | null;
  /** leave refused fields out instead of refusing the request; only for a JSON body that is the record */
  readonly strip: boolean;
}

export interface Guarded {
  readonly bytes: Uint8Array;
  /** pointers of fields left out */
  readonly stripped: readonly string[];
}

export interface GuardDependencies {
  readonly consents: ConsentSource;
  readonly disclosure: DisclosureStage;
}

export function createGuard({ consents, disclosure }: GuardDependencies) {
  const catalogs = new CatalogCache();

  return {
    /** @throws SluiceError `query_field_withheld` */
    query(snapshot: PolicySnapshot, input: PolicyInput): void {
      const catalog = catalogOf(snapshot, input);
      const answer = snapshot.disclose({ ...input, data_subject: NO_STATE, record: { attributes: {} } });
      const hidden = input.action.properties.query_fields.filter(
        (pointer) => choiceOf(catalog, answer, pointer).do !== 'disclose',
      );
      if (hidden.length > 0)
        throw new SluiceError('query_field_withheld', {
          message: `The request searches or sorts by a field that this caller may not see undisguised: ${hidden.join(', ')}.`,
          paths: hidden,
        });
    },

    /**
     * A write that names no field (a deletion) is one of the whole record.
     * @returns the reasons why it may not be; null: it may
     * @throws SluiceError `consent_unavailable`
     */
    async record(
      snapshot: PolicySnapshot,
      input: PolicyInput,
      dataSubject: string,
    ): Promise<readonly Reason[] | null> {
      const id = idOf(dataSubject);
      const states = await consents.lookup([id], new Date(input.context.time));
      const data_subject = states.get(id) ?? NO_STATE;
      const answer = snapshot.disclose({ ...input, data_subject, record: { attributes: {} } });
      return answer.disclose ? null : answer.reasons;
    },

    /** @throws SluiceError `body_field_refused`, `masked_value_refused`, `consent_unavailable` */
    async body(snapshot: PolicySnapshot, input: PolicyInput, body: WrittenBody): Promise<Guarded> {
      const catalog = catalogOf(snapshot, input);
      const compiled = catalogs.compile(catalog, snapshot.catalogs);
      const found = written(body, compiled.base);
      const answersOf = await judged(snapshot, input, body.dataSubject, found, consents);
      // an answer may name a part of what a line covers: then that part is a field of its own
      const named = found
        .flatMap(answersOf)
        .flatMap(({ writable, shown }) => [writable, shown])
        .flatMap((answer) => compiled.extra(catalog, answer));
      const extended = new Map([[catalog.resource, new Set(named)]]);
      const records = named.length === 0 ? found : written(body, compiled.extended(extended));

      const refused = new Set<string>();
      /** of the refused, those that the record's own catalog has no field for */
      const foreign = new Set<string>();
      let strip = body.strip && body.record === '';
      const disguised = new Set<string>();
      /** of the disguised, those within a list */
      const listed = new Set<string>();
      for (const [n, record] of records.entries()) {
        const answers = answersOf(found[n]!);
        for (const leaf of record) {
          const { pointer, entry } = leaf;
          if (entry === null) {
            refused.add(pointer);
            foreign.add(pointer);
            strip &&= !leaf.embedded;
          } else if (answers.some(({ writable }) => choiceFor(catalog, writable, leaf).do !== 'disclose'))
            refused.add(pointer);
          else if (
            answers.some(
              ({ shown }) =>
                leaf.value !== null && isDisguised(entry, choiceFor(catalog, shown, leaf), leaf.value),
            )
          ) {
            disguised.add(pointer);
            if (leaf.listed) listed.add(pointer);
          }
        }
      }
      const bad = [...refused, ...disguised];
      if (bad.length === 0) return { bytes: body.bytes, stripped: [] };
      // Stripped it would be written as nothing at all, and the caller would take that for done.
      if (foreign.size > 0 && isPatch(body.value))
        throw new SluiceError('body_field_refused', {
          message: `The request's body is a JSON Patch (RFC 6902), a list of operations: the fields that it writes are named in its values, where they are not looked for (${[...refused].join(', ')} are in no catalog). Send the fields to be changed as an object, as in a JSON Merge Patch (RFC 7396).`,
          paths: [...refused],
        });
      // A list is written as a whole: without the elements that came back masked it would erase the real ones.
      if (strip && listed.size > 0)
        throw new SluiceError('masked_value_refused', {
          message: `The request writes back a list with values as they were disguised for this caller: ${[...listed].join(', ')}. Without them the list would be written shorter than it is stored. Leave the list out to keep it, or send it whole with real values.`,
          paths: [...listed],
        });
      if (strip) {
        // What no catalog knows goes by itself, and whole: `{"unknown": {"a": 1}}` leaves no empty object.
        const known = bad.filter((pointer) => !foreign.has(pointer));
        const covered = records.flat().flatMap(({ entry, pointer }) => (entry === null ? [] : [pointer]));
        const [{ writable } = NEVER] = found.flatMap(answersOf);
        const answer = stripping(writable, new Set(covered), new Set(known));
        const bytes = await without(answer, body.bytes, snapshot, catalog, input, disclosure);
        return { bytes, stripped: bad };
      }
      if (refused.size > 0)
        throw new SluiceError('body_field_refused', {
          message: `The request writes a field that this caller may not write: ${[...refused].join(', ')}.`,
          paths: [...refused],
        });
      throw new SluiceError('masked_value_refused', {
        message: `The request writes back a value as it was disguised for this caller: ${[...disguised].join(', ')}. Leave the field out to keep what is stored.`,
        paths: [...disguised],
      });
    },
  };
}

function catalogOf(snapshot: PolicySnapshot, input: PolicyInput): Catalog {
  const catalog = snapshot.catalogs.get(input.resource.type);
  if (!catalog)
    throw new SluiceError('catalog_unknown', `No catalog for the resource "${input.resource.type}".`);
  return catalog;
}

/** The same for a leaf, which an answer may name where the catalog has no line, within one that is whole. */
function choiceFor(catalog: Catalog, answer: DisclosureAnswer, { pointer, base }: Leaf): TreatmentChoice {
  if (!answer.disclose || pointer === base) return choiceOf(catalog, answer, pointer);
  const named = Object.entries(answer.fields).find(([name]) => canonicalPointer(name) === pointer);
  return named?.[1] ?? choiceOf(catalog, answer, base);
}

/** What the policy says about one data subject's record. */
interface Judged {
  readonly writable: DisclosureAnswer;
  readonly shown: DisclosureAnswer;
}

const NOTHING: DisclosureAnswer = { disclose: false, reasons: [], classes: {}, fields: {} };
const NEVER: Judged = { writable: NOTHING, shown: NOTHING };

/**
 * The answers that a record is held to: those about the data subject that the route names and about all that the record names itself, since
 * an upstream may go by either. The strictest of them decides.
 */
async function judged(
  snapshot: PolicySnapshot,
  input: PolicyInput,
  known: string | null,
  records: readonly (readonly Leaf[])[],
  consents: ConsentSource,
): Promise<(record: readonly Leaf[]) => readonly Judged[]> {
  const namedBy = (record: readonly Leaf[]): ReadonlySet<string> =>
    new Set(idsOf([...(known === null ? [] : [known]), ...record.flatMap(subjectOf)]));
  const all = [...new Set(records.flatMap((record) => [...namedBy(record)]))];
  const states: ReadonlyMap<string, DataSubjectState> =
    all.length === 0 ? new Map() : await consents.lookup(all, new Date(input.context.time));
  const answers = new Map<DataSubjectState, Judged>();
  const ask = (state: DataSubjectState): Judged => {
    let answer = answers.get(state);
    if (!answer) {
      const about = { data_subject: state, record: { attributes: {} } };
      answer = {
        writable: snapshot.disclose({ ...input, ...about }),
        shown: snapshot.disclose({ ...input, action: { ...input.action, name: 'read' }, ...about }),
      };
      answers.set(state, answer);
    }
    return answer;
  };
  return (record) => {
    const ids = [...namedBy(record)];
    return ids.length === 0 ? [ask(NO_STATE)] : ids.map((id) => ask(states.get(id) ?? NO_STATE));
  };
}

/** @throws SluiceError `body_unreadable` for a number that would name another data subject here than upstream */
function subjectOf({ subject, value, pointer }: Leaf): readonly string[] {
  if (!subject || value === null || (value.kind !== 'string' && value.kind !== 'number')) return [];
  if (value.kind === 'number' && !Number.isSafeInteger(Number(value.text)))
    throw new SluiceError(
      'body_unreadable',
      `The request's body says whose data it is (${pointer}) by a number that is not whole, or too large to be read exactly. Send it as a text.`,
    );
  return [value.text];
}

interface Leaf {
  /** as the catalog writes it; the concrete pointer of a field that no catalog knows */
  readonly pointer: string;
  /** of the catalog's line, where only an answer names the pointer */
  readonly base: string;
  readonly entry: FieldEntry | null;
  /** in an embedded resource, which is written through a route of its own */
  readonly embedded: boolean;
  /** it says whose data the record is */
  readonly subject: boolean;
  /** an element of a list, or within one */
  readonly listed: boolean;
  /** null for an empty object or list */
  readonly value: Scalar | null;
}

/** The leaves of every record in a body. */
const written = (body: WrittenBody, automaton: Automaton): readonly (readonly Leaf[])[] =>
  [...at(body.value, tokensOf(body.record))].map((record) => [...leaves(record, automaton)]);

/** Every value that the body writes, with the field it belongs to. The body was parsed under a depth limit. */
function* leaves(value: unknown, automaton: Automaton): Generator<Leaf> {
  function* walk(
    node: unknown,
    from: number,
    path: string,
    within: boolean,
    listed: boolean,
  ): Generator<Leaf> {
    const state =
      automaton.selectors(from) && isObject(node)
        ? automaton.select(from, (key) => scalarText(Object.hasOwn(node, key) ? node[key] : undefined))
        : from;
    // all of it, where a list or an object stands in the id's place: an upstream may take any part of it
    const subject = within || automaton.marks(state).some((mark) => mark.subject && mark.up === 0);
    if (Array.isArray(node) && node.length > 0) {
      for (const [i, item] of node.entries())
        yield* walk(item, automaton.item(state, i), `${path}/*`, subject, true);
      return;
    }
    if (isObject(node) && Object.keys(node).length > 0) {
      for (const [key, member] of Object.entries(node))
        yield* walk(member, automaton.step(state, key), `${path}/${escapeToken(key)}`, subject, listed);
      return;
    }
    // An empty record writes nothing.
    if (path === '' && typeof node === 'object' && node !== null) return;
    const field = automaton.field(state);
    const known = field < 0 ? undefined : automaton.all[field];
    const embedded = known !== undefined && known.path !== known.pointer;
    // An empty object has no member to be refused, and is still none that the line covers.
    const covered = !isObject(node) || automaton.whole(state);
    const entry = known && !embedded && covered ? known.entry : null;
    const pointer = entry && known ? known.pointer : path === '' ? '/' : path;
    yield {
      pointer,
      base: entry && known && known.base >= 0 ? automaton.all[known.base]!.pointer : pointer,
      entry,
      embedded,
      subject: subject && !embedded,
      listed,
      value: scalarOf(node),
    };
  }
  yield* walk(value, automaton.root, '', false, false);
}

/** Could this value be what the treatment makes of such a field? Treatments say so themselves. */
function isDisguised(entry: FieldEntry, choice: TreatmentChoice, value: Scalar): boolean {
  const recognise = TREATMENTS.get(choice.do)?.recognise;
  return recognise ? recognise(entry, choice)(value) : false;
}

const TREATMENTS = new Map<string, Treatment>(TREATMENT_FILES.map((t) => [t.name, t]));

function scalarOf(value: unknown): Scalar | null {
  if (typeof value === 'string') return { kind: 'string', text: value };
  if (typeof value === 'number') return { kind: 'number', text: String(value) };
  if (typeof value === 'boolean') return { kind: 'boolean', text: value ? 'true' : 'false' };
  if (value === null) return { kind: 'null', text: 'null' };
  return null;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const scalarText = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;

const OPERATIONS: readonly unknown[] = ['add', 'remove', 'replace', 'move', 'copy', 'test'];

const isPatch = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(
    (operation) =>
      isObject(operation) && OPERATIONS.includes(operation['op']) && typeof operation['path'] === 'string',
  );

const tokensOf = (pointer: string): readonly string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));

/** What a pointer picks. A body that has nothing there gives `undefined`, which no field allows. */
function* at(value: unknown, [key, ...rest]: readonly string[]): Generator<unknown> {
  if (key === undefined) yield value;
  else if (key === '*' && typeof value === 'object' && value !== null)
    for (const member of Object.values(value)) yield* at(member, rest);
  else if (Array.isArray(value))
    yield* at(/^(?:0|[1-9]\d*)$/.test(key) ? value[Number(key)] : undefined, rest);
  else if (isObject(value) && Object.hasOwn(value, key)) yield* at(value[key], rest);
  else yield undefined;
}

/** The answer that keeps what may be written: of the paths that an answer names, those that the catalog covers. */
function stripping(
  writable: DisclosureAnswer,
  covered: ReadonlySet<string>,
  refused: ReadonlySet<string>,
): DisclosureAnswer {
  const drop: TreatmentChoice = { do: 'drop', because: 'body_field_refused' };
  const keep: TreatmentChoice = { do: 'disclose', because: 'body_field_written' };
  const classes: Record<string, TreatmentChoice> = {};
  for (const [cls, choice] of Object.entries(writable.classes))
    classes[cls] = choice.do === 'disclose' ? keep : drop;
  const fields: Record<string, TreatmentChoice> = {};
  for (const [pointer, choice] of Object.entries(writable.fields))
    fields[pointer] = choice.do === 'disclose' && covered.has(canonicalPointer(pointer)) ? keep : drop;
  for (const pointer of refused) fields[pointer] = drop;
  return { disclose: true, reasons: [], classes, fields };
}

/** The body without some fields, spliced like an answer: what stays is byte for byte what the caller sent. */
async function without(
  answer: DisclosureAnswer,
  bytes: Uint8Array,
  snapshot: PolicySnapshot,
  catalog: Catalog,
  input: PolicyInput,
  disclosure: DisclosureStage,
): Promise<Uint8Array> {
  const plan: DisclosurePlan = {
    format: 'json',
    charset: 'utf-8',
    catalog,
    catalogs: snapshot.catalogs,
    records: null,
    dataSubject: 'body', // whose it is has been decided: the answer below is the only one there is
    obligations: {},
    recipient: input.context.recipient,
    purpose: input.context.purpose,
    decisionId: '',
    options: {},
    consents: async () => new Map(),
    ask: () => answer,
  };
  const chunks: Uint8Array[] = [];
  for await (const part of disclosure.disclose(once(bytes), plan)) chunks.push(...part.chunks);
  return Buffer.concat(chunks);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
