/** Merges a write with the stored record, so that values which the caller is not shown are kept. */
import { SluiceError } from '../../errors.ts';
import type { TreatmentChoice } from '../../model/answers.ts';
import { writeModeOf } from '../../model/catalog.ts';
import { foldName, type Identifier } from '../../model/identifiers.ts';
import { tokensOf } from '../../model/pointer.ts';
import { isDisguised, isMaskOf } from './disguised.ts';
import { type Exact, exactAt, exactWith, isSame, readExact, writeExact } from './exact.ts';
import { mergeRecord } from './merge.ts';
import type { StoredRecord, WrittenBody, WrittenRecord } from './written.ts';

interface Stored {
  readonly record: Exact;
  readonly shown: Exact | undefined;
  readonly replaces: boolean;
  readonly version: readonly string[] | null;
}

/** @throws SluiceError `response_malformed` */
export function readStored(
  { bytes, shown, record, replaces, version }: StoredRecord,
  id: Identifier | null,
): Stored {
  const read = (of: Uint8Array): Exact | undefined =>
    exactAt(readExact(Buffer.from(of).toString('utf8')), tokensOf(record));
  const stored = read(bytes);
  if (stored?.kind !== 'object')
    throw new SluiceError(
      'response_malformed',
      'The stored record is not at the place that the route states (request.keep_masked.record).',
    );
  const ids = [...stored.members].flatMap(([name, value]) =>
    id?.names.has(foldName(name)) && value.kind === 'scalar' ? [String(JSON.parse(value.spelled))] : [],
  );
  if (ids.length > 0 && !ids.some((text) => id!.values.includes(text)))
    throw new SluiceError(
      'response_malformed',
      'The stored record is not the one that is written (request.keep_masked.read).',
    );
  return {
    record: stored,
    shown: shown === null ? undefined : read(shown),
    replaces,
    version: version === null ? null : tokensOf(version),
  };
}

/**
 * Returns the body with the stored values of what the caller was not shown or sent as the result of a treatment.
 * @param data of the policy
 */
export function keep(
  body: Pick<WrittenBody, 'bytes'>,
  stored: Stored,
  record: WrittenRecord | undefined,
  data: { readonly [name: string]: unknown },
): { readonly bytes: Uint8Array; readonly places: ReadonlySet<string>; readonly filled: number } {
  const lines = new Map(record?.leaves.map((leaf) => [JSON.stringify(leaf.place), leaf]));
  const documents = new Set(
    record?.leaves.flatMap(({ entry, place }) => (entry?.parse === undefined ? [] : [JSON.stringify(place)])),
  );
  const root = readExact(Buffer.from(body.bytes).toString('utf8'));
  const place = record?.place ?? [];
  const sent = exactAt(root, place);
  if (sent?.kind !== 'object')
    throw new SluiceError('body_field_refused', {
      message:
        'The request writes a record that is no object and cannot be merged with the stored one. Send an object.',
      paths: ['/'],
    });
  const merged = mergeRecord({
    stored: stored.record,
    shown: stored.shown,
    sent,
    place,
    replaces: stored.replaces,
    isDisguised(at) {
      const leaf = lines.get(JSON.stringify(at));
      return leaf?.entry != null && leaf.value !== null && isDisguised(leaf.entry, SHOWN, leaf.value, data);
    },
    isDocument: (at) => documents.has(JSON.stringify(at)),
    isFixed(at) {
      const leaf = lines.get(JSON.stringify(at));
      return leaf?.entry != null && writeModeOf(leaf.entry, data) === 'never';
    },
    disguises(at, spelled) {
      const leaf = lines.get(JSON.stringify(at));
      return leaf?.entry != null && leaf.value !== null && isMaskOf(leaf.entry, spelled, leaf.value);
    },
  });
  const places = new Set(merged.kept);
  let written = merged.record;
  if (stored.version !== null) {
    const version = exactAt(stored.record, stored.version);
    const claimed = exactAt(sent, stored.version);
    if (version?.kind !== 'scalar') throw unversioned();
    if (claimed !== undefined && !isSame(claimed, version)) throw changed();
    places.add(JSON.stringify([...place, ...stored.version]));
    written = exactWith(written, stored.version, version);
  }
  // nothing was changed by the merge: the body is forwarded byte for byte
  if (merged.filled === 0 && stored.version === null) return { bytes: body.bytes, places, filled: 0 };
  return {
    bytes: Buffer.from(writeExact(exactWith(root, place, written)), 'utf8'),
    places,
    filled: merged.filled,
  };
}

const SHOWN: TreatmentChoice = { do: 'disclose', because: 'stored' };

/** The record is not the version that the caller read. */
const changed = (): SluiceError =>
  new SluiceError(
    'write_conflict',
    'The record has changed since it was read. Read it again, and repeat the change.',
  );

const unversioned = (): SluiceError =>
  new SluiceError(
    'write_precondition_missing',
    'The stored record has no version at the place that the route states (request.keep_masked.version), so that a concurrent change could not be detected.',
  );
