/**
 * Checks the fields that a request names, before the upstream is called. It refuses:
 *
 * - a search, filter or sort by a field that the caller may not see unchanged, since the answers would reveal its value step by step;
 * - a write of a field that the caller may not write;
 * - a write of a value that is the result of a treatment, which would overwrite the real value.
 *
 * All three ask `sluice/disclosure`. For a search the data subjects are not known yet, so the policy is asked about none.
 */
import { SluiceError } from '../../errors.ts';
import { WRITES } from '../../model/actions.ts';
import type { Reason } from '../../model/answers.ts';
import type { Catalog } from '../../model/catalog.ts';
import { type DataSubjectState, NO_STATE } from '../../model/consent.ts';
import type { PolicyInput } from '../../model/input.ts';
import type { PolicySnapshot } from '../../model/policy.ts';
import { aboutResource, asRead, disclosureInput, variantsOf, withheldBy } from '../../model/verdict.ts';
import { CatalogCache } from '../fields/catalogs.ts';
import { idOf } from '../subjects/spelling.ts';
import { isDisguised } from './disguised.ts';
import { refuseErasing } from './erasing.ts';
import { isGiven, refuseConflicts, rowIds } from './identifiers.ts';
import { type GuardDependencies, judged } from './judged.ts';
import { keep, readStored } from './kept.ts';
import type { Leaf } from './leaf.ts';
import { choiceAt, choiceOf } from '../fields/program.ts';
import { without } from './strip.ts';
import {
  notReal,
  notWritable,
  pointersOf,
  type Refused,
  refuseInLists,
  refusePatch,
  whyNot,
} from './refusals.ts';
import { typesOf, type WrittenBody, type WrittenRecord, written } from './written.ts';

export interface Guarded {
  readonly bytes: Uint8Array;
  /** pointers of fields that were removed */
  readonly stripped: readonly string[];
  /** number of values taken from the stored record, because the caller sent a mask or omitted them */
  readonly filled: number;
}

export function createGuard({ consents, identities }: GuardDependencies) {
  const catalogs = new CatalogCache();
  const stateOf = async (person: string, { context }: PolicyInput): Promise<DataSubjectState> => {
    const id = idOf(person);
    const states = await consents.lookup([id], new Date(context.time));
    return states.get(id) ?? NO_STATE;
  };

  return {
    /**
     * @param person whose record is searched; null: not known before the search
     * @throws SluiceError `query_field_withheld`, `consent_unavailable`
     */
    async query(snapshot: PolicySnapshot, input: PolicyInput, person: string | null): Promise<void> {
      const state = person === null ? NO_STATE : await stateOf(person, input);
      const refused = hiddenChoices(snapshot, input, state);
      const hidden = refused.map(({ pointer }) => pointer);
      if (hidden.length > 0)
        throw new SluiceError('query_field_withheld', {
          because: refused.flatMap(({ because }) => because),
          message: `The request searches or sorts by a field that this caller may not see undisguised: ${hidden.join(', ')}.`,
          paths: hidden,
        });
    },

    /**
     * Checks a write that names no field, such as a deletion: the policy must allow the record.
     * @param person whose record it is; null: unknown, so that the policy is asked about a person without consents
     * @returns the reasons for refusing; null: allowed
     * @throws SluiceError `consent_unavailable`
     */
    async record(
      snapshot: PolicySnapshot,
      input: PolicyInput,
      person: string | null,
    ): Promise<readonly Reason[] | null> {
      const data_subject = person === null ? NO_STATE : await stateOf(person, input);
      // the request does not state the record type, so the answer for each type must allow it
      for (const catalog of variantsOf(snapshot.catalogs, catalogOf(snapshot, input))) {
        const answer = snapshot.disclose(disclosureInput(input, catalog.resource, data_subject));
        if (withheldBy(answer) !== null) return answer.reasons;
      }
      return null;
    },

    /** @throws SluiceError `identifier_conflict`, `body_field_refused`, `masked_value_refused`, `write_erases`, `write_conflict`, `consent_unavailable` */
    async body(snapshot: PolicySnapshot, asked: PolicyInput, body: WrittenBody): Promise<Guarded> {
      const catalog = writtenCatalog(snapshot, catalogOf(snapshot, asked), body);
      const input = aboutResource(asked, catalog.resource);
      const compiled = catalogs.compile(catalog, snapshot.catalogs);
      const found = written(body, compiled.base);
      const stored = body.stored === null ? null : readStored(body.stored, body.id);
      const kept = stored === null ? null : keep(body, stored, found[0], snapshot.data);
      refuseConflicts(body, found, catalog, kept?.places ?? NOWHERE);
      const answersOf = await judged(snapshot, input, body.person, found, { consents, identities });
      // An answer may name a path below a catalog line. The path is then a field, and the body is read again with it.
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
          isDisguised(entry, choiceAt(shown, { entry, ...leaf }), value, snapshot.data),
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
        // a record that is refused completely is not stripped: the caller would consider an empty write a success
        const roots = new Set(records.map(({ place }) => JSON.stringify(place)));
        const foreign = refused.filter(({ embedded, place }) => embedded || roots.has(JSON.stringify(place)));
        if (foreign.length > 0) throw notWritable(foreign);
        refuseInLists(refused, disguised);
      }
      if (body.erases != null) {
        const out = new Set(bad.map(({ place }) => JSON.stringify(place)));
        const seen = records.map(({ place, leaves }, n) => ({
          place,
          leaves: leaves.filter((leaf) => !out.has(JSON.stringify(leaf.place))),
          shown: answersOf(found[n]!).map((judgement) => judgement.shown),
        }));
        refuseErasing(catalog, seen, body.erases);
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
      // stripped fields keep their stored values
      const again = keep({ bytes }, stored, records[0], snapshot.data);
      return { bytes: again.bytes, stripped, filled: again.filled };
    },
  };
}

/**
 * Fields that a request searches, filters or sorts by and that the caller may not see unchanged. For a write, permission to write the field is not
 * enough: the caller must be shown it.
 * @param state of the person whose record is searched
 * @throws SluiceError `catalog_unknown`
 */
export const hiddenFields = (
  snapshot: PolicySnapshot,
  asked: PolicyInput,
  state: DataSubjectState = NO_STATE,
): readonly string[] => hiddenChoices(snapshot, asked, state).map(({ pointer }) => pointer);

function hiddenChoices(
  snapshot: PolicySnapshot,
  asked: PolicyInput,
  state: DataSubjectState,
): readonly { readonly pointer: string; readonly because: readonly string[] }[] {
  const input = WRITES.has(asked.action.name) ? asRead(asked) : asked;
  const answers = variantsOf(snapshot.catalogs, catalogOf(snapshot, input)).map((catalog) => ({
    catalog,
    answer: snapshot.disclose(disclosureInput(input, catalog.resource, state)),
  }));
  return input.action.properties.query_fields.flatMap((pointer) => {
    // for a resource with several record types, the types that have the field count
    const having = answers.filter(({ catalog }) => Object.hasOwn(catalog.fields, pointer));
    const because = (having.length > 0 ? having : answers)
      .map(({ catalog, answer }) => choiceOf(catalog, answer, pointer))
      .flatMap((choice) => (choice.do === 'disclose' ? [] : [choice.because]));
    return because.length === 0 ? [] : [{ pointer, because }];
  });
}

const NOWHERE: ReadonlySet<string> = new Set();
const NO_LEAF: ReadonlySet<Leaf> = new Set();

/** The catalog of the record type that a body states. @throws SluiceError `body_field_refused` */
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
      message: `The request's body writes records of an unknown type, or of several types. ${by} states the type of a record. Send one type in one request.`,
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
