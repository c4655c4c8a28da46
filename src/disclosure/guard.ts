/**
 * What a request may not do with fields: search, filter or sort by one that the caller may not see undisguised (the answer
 * would tell its value bit by bit), write one that it may not write, or write back what we had disguised for it.
 *
 * The policy is asked with `sluice/disclosure` for both: for a search with the action as it is and no data subject (there is none
 * yet); for a write with the write's own action, where `disclose` means "may be written", and once more as a `read`, which says what
 * the caller would have been shown. Longer than most: searches and writes share how a field is found and judged.
 */
import { SluiceError } from '../errors.ts';
import type { DisclosureAnswer, Reason } from '../model/answers.ts';
import { type Catalog, writeModeOf } from '../model/catalog.ts';
import { type ConsentSource, type DataSubjectState, NO_STATE } from '../model/consent.ts';
import type { TypedId } from '../model/disclosure.ts';
import type { PolicyInput } from '../model/input.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import { CatalogCache } from './catalogs.ts';
import { choiceFor, choiceOf } from './choice.ts';
import { idOf, idsOf } from './data-subjects.ts';
import { isDisguised } from './disguised.ts';
import { refuseErasing } from './erasing.ts';
import { isGiven, refuseConflicts, rowIds } from './identifiers.ts';
import { keep, readStored } from './kept.ts';
import { isObject, type Leaf } from './leaf.ts';
import { without } from './strip.ts';
import { canonicalIds, type NamedSubject, namedSubject, typedIds } from './subject-places.ts';
import { typesOf, type WrittenBody, type WrittenRecord, written } from './written.ts';

export interface Guarded {
  readonly bytes: Uint8Array;
  /** pointers of fields left out */
  readonly stripped: readonly string[];
  /** how many values stand as they are stored, which the caller did not send as they are */
  readonly filled: number;
}

export interface GuardDependencies {
  readonly consents: ConsentSource;
  /** whom typed identifiers name */
  readonly identities: {
    identify(data: PolicySnapshot['data'], values: readonly TypedId[]): Promise<ReadonlyMap<string, string>>;
  };
}

export function createGuard({ consents, identities }: GuardDependencies) {
  const catalogs = new CatalogCache();

  return {
    /** @throws SluiceError `query_field_withheld` */
    query(snapshot: PolicySnapshot, input: PolicyInput): void {
      const asked = variantsOf(snapshot, catalogOf(snapshot, input)).map((catalog) => ({
        catalog,
        answer: snapshot.disclose({
          ...of(input, catalog),
          data_subject: NO_STATE,
          record: { attributes: {} },
        }),
      }));
      const hidden = input.action.properties.query_fields.filter((pointer) => {
        // of several types those that have the field
        const having = asked.filter(({ catalog }) => Object.hasOwn(catalog.fields, pointer));
        return (having.length > 0 ? having : asked).some(
          ({ catalog, answer }) => choiceOf(catalog, answer, pointer).do !== 'disclose',
        );
      });
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
      // of several types, nobody has said which one it is
      for (const catalog of variantsOf(snapshot, catalogOf(snapshot, input))) {
        const answer = snapshot.disclose({
          ...of(input, catalog),
          data_subject,
          record: { attributes: {} },
        });
        if (!answer.disclose) return answer.reasons;
      }
      return null;
    },

    /** @throws SluiceError `identifier_conflict`, `body_field_refused`, `masked_value_refused`, `write_erases`, `write_conflict`, `consent_unavailable` */
    async body(snapshot: PolicySnapshot, asked: PolicyInput, body: WrittenBody): Promise<Guarded> {
      const catalog = writtenCatalog(snapshot, catalogOf(snapshot, asked), body);
      const input = of(asked, catalog);
      const compiled = catalogs.compile(catalog, snapshot.catalogs);
      const found = written(body, compiled.base);
      const stored = body.stored === null ? null : readStored(body.stored, body.id);
      const kept = stored === null ? null : keep(body, stored, found[0], snapshot.data);
      refuseConflicts(body, found, catalog, kept?.places ?? NOWHERE);
      const answersOf = await judged(snapshot, input, body.person, found, { consents, identities });
      // an answer may name a part of what a line covers: then that part is a field of its own
      const named = found
        .flatMap(answersOf)
        .flatMap(({ writable, shown }) => [writable, shown])
        .flatMap((answer) => compiled.extra(catalog, answer));
      const extended = new Map([[catalog.resource, new Set(named)]]);
      const records = named.length === 0 ? found : written(body, compiled.extended(extended));

      const rows = input.action.name === 'update' ? rowIds(body, records, catalog) : NO_LEAF;
      const isWritten = (record: WrittenRecord, leaf: Leaf): boolean =>
        !leaf.key && !isGiven(body, record, leaf) && !rows.has(leaf);
      const isMasked = (n: number, { entry, value, ...leaf }: Leaf): boolean =>
        entry !== null &&
        value !== null &&
        answersOf(found[n]!).some(({ shown }) =>
          isDisguised(entry, choiceFor(shown, { entry, ...leaf }), value, snapshot.data),
        );
      const refused: Refused[] = [];
      const disguised: Leaf[] = [];
      for (const [n, record] of records.entries())
        for (const leaf of record.leaves) {
          if (!isWritten(record, leaf) || kept?.places.has(JSON.stringify(leaf.place)) === true) continue;
          const because = whyNot(leaf, answersOf(found[n]!), snapshot.data);
          if (because !== null) refused.push({ ...leaf, because });
          else if (isMasked(n, leaf)) disguised.push(leaf);
        }
      const bad = [...refused, ...disguised];
      if (bad.length > 0) {
        refusePatch(body.value, refused);
        if (!body.strip || body.erases === 'record')
          throw refused.length > 0 ? notWritable(refused) : notReal(disguised);
        // Stripped a whole body would be written as nothing at all, and the caller would take that for done.
        const roots = new Set(records.map(({ place }) => JSON.stringify(place)));
        const foreign = refused.filter(({ embedded, place }) => embedded || roots.has(JSON.stringify(place)));
        if (foreign.length > 0) throw notWritable(foreign);
        refuseInLists(refused, disguised);
      }
      if (body.erases != null) {
        const out = new Set(bad.map(({ place }) => JSON.stringify(place)));
        for (const [n, record] of records.entries()) {
          const leaves = record.leaves.filter(({ place }) => !out.has(JSON.stringify(place)));
          const shown = answersOf(found[n]!).map((judgement) => judgement.shown);
          refuseErasing(catalog, { ...record, leaves }, shown, body.erases);
        }
      }
      if (bad.length === 0)
        return { bytes: kept?.bytes ?? body.bytes, stripped: [], filled: kept?.filled ?? 0 };
      const bytes = without(
        body.bytes,
        bad.map(({ place }) => place),
        records.map(({ place }) => place),
      );
      const stripped = pointersOf(bad);
      if (stored === null) return { bytes, stripped, filled: 0 };
      // what is left out is kept as it is stored
      const again = keep({ bytes }, stored, records[0], snapshot.data);
      return { bytes: again.bytes, stripped, filled: again.filled };
    },
  };
}

const NOWHERE: ReadonlySet<string> = new Set();
const NO_LEAF: ReadonlySet<Leaf> = new Set();

/** A value that may not be written. */
interface Refused extends Leaf {
  /** code of the reason */
  readonly because: string;
}

/** Why nobody, or not this caller, may write a value; null: it may. */
function whyNot(leaf: Leaf, answers: readonly Judged[], data: PolicySnapshot['data']): string | null {
  if (leaf.entry === null) return leaf.embedded ? 'embedded_resource' : 'uncatalogued';
  if (writeModeOf(leaf.entry, data) === 'never') return 'write_never';
  const choices = answers.map(({ writable }) => choiceFor(writable, leaf));
  return choices.find((choice) => choice.do !== 'disclose')?.because ?? null;
}

const pointersOf = (leaves: readonly Leaf[]): readonly string[] => [
  ...new Set(leaves.map(({ pointer }) => pointer)),
];

const withReasons = (leaves: readonly Refused[]): string =>
  [...new Set(leaves.map(({ pointer, because }) => `${pointer} (${because})`))].join(', ');

const notWritable = (leaves: readonly Refused[]): SluiceError =>
  new SluiceError('body_field_refused', {
    message: `The request writes a field that this caller may not write: ${withReasons(leaves)}.`,
    paths: pointersOf(leaves),
  });

const notReal = (leaves: readonly Leaf[]): SluiceError =>
  new SluiceError('masked_value_refused', {
    message: `The request writes a value in the form in which Sluice disguises this field: ${pointersOf(leaves).join(', ')}. Leave the field out to keep what is stored; a route with request.keep_masked keeps it for you.`,
    paths: pointersOf(leaves),
  });

/** A list is written as a whole: without a part of it, it would be stored shorter or poorer than it is. */
function refuseInLists(refused: readonly Refused[], disguised: readonly Leaf[]): void {
  const listed = disguised.filter((leaf) => leaf.listed);
  if (listed.length > 0)
    throw new SluiceError('masked_value_refused', {
      message: `The request writes back a list with disguised values: ${pointersOf(listed).join(', ')}. Without them the list would be written shorter than it is stored. Leave the list out to keep it, send it whole with real values, or set request.keep_masked on the route.`,
      paths: pointersOf(listed),
    });
  const within = refused.filter((leaf) => leaf.listed);
  if (within.length > 0)
    throw new SluiceError('body_field_refused', {
      message: `The request writes a field within a list that this caller may not write: ${withReasons(within)}. Nothing is left out of a list, since a list is stored as it is sent. Leave the list out to keep it, or set request.keep_masked on the route.`,
      paths: pointersOf(within),
    });
}

/** The fields that a JSON Patch writes are named in its values, where they are not looked for. */
function refusePatch(value: unknown, refused: readonly Leaf[]): void {
  if (!refused.some(({ entry }) => entry === null) || !isPatch(value)) return;
  throw new SluiceError('body_field_refused', {
    message: `The request's body is a JSON Patch (RFC 6902), a list of operations: the fields that it writes are named in its values, where they are not looked for (${pointersOf(refused).join(', ')} are in no catalog). Send the fields to be changed as an object, as in a JSON Merge Patch (RFC 7396).`,
    paths: pointersOf(refused),
  });
}

const of = (input: PolicyInput, { resource }: Catalog): PolicyInput =>
  resource === input.resource.type ? input : { ...input, resource: { ...input.resource, type: resource } };

/** The catalogs that its records may have. */
function variantsOf(snapshot: PolicySnapshot, catalog: Catalog): readonly Catalog[] {
  if (catalog.variants === undefined) return [catalog];
  const resources = new Set(Object.values(catalog.variants.of));
  return [...resources].flatMap((resource) => snapshot.catalogs.get(resource) ?? []);
}

/** The catalog of what a body writes, by what its records say they are. @throws SluiceError `body_field_refused` */
function writtenCatalog(snapshot: PolicySnapshot, catalog: Catalog, body: WrittenBody): Catalog {
  if (catalog.variants === undefined) return catalog;
  const { by, of: resources } = catalog.variants;
  const types = new Set(typesOf(body, by));
  const [type] = types;
  const resource =
    types.size === 1 && type !== undefined && Object.hasOwn(resources, type) ? resources[type] : undefined;
  const found = resource === undefined ? undefined : snapshot.catalogs.get(resource);
  if (found === undefined)
    throw new SluiceError('body_field_refused', {
      message: `The request's body writes records of no type that the catalog knows, or of several: ${by} says what a record is. Send one type in one request.`,
      paths: [by],
    });
  return found;
}

function catalogOf(snapshot: PolicySnapshot, input: PolicyInput): Catalog {
  const catalog = snapshot.catalogs.get(input.resource.type);
  if (!catalog)
    throw new SluiceError('catalog_unknown', `No catalog for the resource "${input.resource.type}".`);
  return catalog;
}

/** What the policy says about one data subject's record. */
interface Judged {
  readonly writable: DisclosureAnswer;
  readonly shown: DisclosureAnswer;
}

/**
 * The answers that a record is held to: those about the data subject that the route names and about all that the record names itself, since
 * an upstream may go by either. The strictest of them decides.
 */
async function judged(
  snapshot: PolicySnapshot,
  input: PolicyInput,
  known: string | null,
  records: readonly WrittenRecord[],
  { consents, identities }: GuardDependencies,
): Promise<(record: WrittenRecord) => readonly Judged[]> {
  const canonical = await canonicalOf(snapshot, records, identities);
  const namedBy = (record: WrittenRecord): ReadonlySet<string> =>
    new Set(
      idsOf([
        ...(known === null ? [] : [known]),
        ...record.leaves.flatMap(subjectOf),
        ...(canonical.get(record) ?? []),
      ]),
    );
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

/** Ids of those whom typed places of each record name. @throws SluiceError `body_field_refused` for one that names nobody */
async function canonicalOf(
  snapshot: PolicySnapshot,
  records: readonly WrittenRecord[],
  identities: GuardDependencies['identities'],
): Promise<ReadonlyMap<WrittenRecord, readonly string[]>> {
  const named = records.map(({ leaves }) => leaves.flatMap(namedIn));
  const values = named.flatMap((all) => [...typedIds(all)]);
  const known = values.length === 0 ? new Map() : await identities.identify(snapshot.data, values);
  return new Map(
    records.map((record, n) => {
      const ids = canonicalIds(named[n]!, known);
      if (ids === null)
        throw new SluiceError(
          'body_field_refused',
          "The request's body says whose data it is by a value that names nobody: it has not the form of its type, or no alias is known. Send the identifier that the catalog expects (data_subject).",
        );
      return [record, ids];
    }),
  );
}

/** What places with a type hold. @throws SluiceError `body_unreadable` */
function namedIn(leaf: Leaf): readonly NamedSubject[] {
  const { value, places } = leaf;
  if (value === null || places === null) return [];
  checkNumber(leaf);
  return places.flatMap((place) => namedSubject(place, value) ?? []);
}

/** @throws SluiceError `body_unreadable` for a number that would name another data subject here than upstream */
function subjectOf(leaf: Leaf): readonly string[] {
  const { subject, places, value } = leaf;
  if (subject === null || places !== null || (value?.kind !== 'string' && value?.kind !== 'number'))
    return [];
  checkNumber(leaf);
  return [value.text];
}

function checkNumber({ value, pointer }: Leaf): void {
  if (value?.kind !== 'number' || Number.isSafeInteger(Number(value.text))) return;
  throw new SluiceError(
    'body_unreadable',
    `The request's body says whose data it is (${pointer}) by a number that is not whole, or too large to be read exactly. Send it as a text.`,
  );
}

const OPERATIONS: readonly unknown[] = ['add', 'remove', 'replace', 'move', 'copy', 'test'];

const isPatch = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(
    (operation) =>
      isObject(operation) && OPERATIONS.includes(operation['op']) && typeof operation['path'] === 'string',
  );
