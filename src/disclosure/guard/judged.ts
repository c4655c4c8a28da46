/** The policy's answers about the records that a request writes. */
import { SluiceError } from '../../errors.ts';
import type { DisclosureAnswer } from '../../model/answers.ts';
import { type ConsentSource, type DataSubjectState, NO_STATE } from '../../model/consent.ts';
import type { TypedId } from '../../model/disclosure.ts';
import type { PolicyInput } from '../../model/input.ts';
import type { PolicySnapshot } from '../../model/policy.ts';
import { asRead, disclosureInput } from '../../model/verdict.ts';
import { idsOf } from '../subjects/spelling.ts';
import type { Leaf } from './leaf.ts';
import { canonicalIds, type NamedSubject, namedSubject, typedIds } from '../subjects/places.ts';
import type { WrittenRecord } from './written.ts';

export interface GuardDependencies {
  readonly consents: ConsentSource;
  /** looks up the persons of typed identifiers */
  readonly identities: {
    identify(
      data: PolicySnapshot['data'],
      values: readonly TypedId[],
    ): ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>>;
  };
}

/** The policy's answers for one data subject of a record. */
export interface Judged {
  /** for the action of the write: `disclose` means that the field may be written */
  readonly writable: DisclosureAnswer;
  /** for the action `read` */
  readonly shown: DisclosureAnswer;
}

/**
 * Asks the policy about each data subject of a record: the one that the route names and those that the record names, since the upstream may use
 * either. All answers must allow the write.
 */
export async function judged(
  snapshot: PolicySnapshot,
  input: PolicyInput,
  known: string | null,
  records: readonly WrittenRecord[],
  { consents, identities }: GuardDependencies,
): Promise<(record: WrittenRecord) => readonly Judged[]> {
  const canonical = await canonicalOf(snapshot, records, identities);
  const named = new Map(
    records.map((record) => [
      record,
      idsOf([
        ...(known === null ? [] : [known]),
        ...record.leaves.flatMap(subjectOf),
        ...(canonical.get(record) ?? []),
      ]),
    ]),
  );
  const all = [...new Set([...named.values()].flat())];
  const states: ReadonlyMap<string, DataSubjectState> =
    all.length === 0 ? new Map() : await consents.lookup(all, new Date(input.context.time));
  const answers = new Map<DataSubjectState, Judged>();
  const ask = (state: DataSubjectState): Judged => {
    let answer = answers.get(state);
    if (!answer) {
      const { type } = input.resource;
      answer = {
        writable: snapshot.disclose(disclosureInput(input, type, state)),
        shown: snapshot.disclose(disclosureInput(asRead(input), type, state)),
      };
      answers.set(state, answer);
    }
    return answer;
  };
  // once for each record, not for each value
  const judgements = new Map(
    [...named].map(([record, ids]) => [
      record,
      ids.length === 0 ? [ask(NO_STATE)] : [...new Set(ids)].map((id) => ask(states.get(id) ?? NO_STATE)),
    ]),
  );
  return (record) => judgements.get(record)!;
}

/** The ids by the typed places of each record. @throws SluiceError `body_field_refused` for a value that names nobody */
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
          "The request's body names its data subject by a value that names nobody: it does not have the form of its type, or no alias is known. Send the identifier that the catalog expects (data_subject).",
        );
      return [record, ids];
    }),
  );
}

/** The values of typed places. @throws SluiceError `body_unreadable` */
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
    `The request's body names its data subject (${pointer}) by a number that is no integer or too large to be read exactly. Send it as a string.`,
  );
}
