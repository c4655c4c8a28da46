/** Checks identifiers in a body: they must equal those of the route, since the upstream could use either to find the record. */
import { SluiceError } from '../../errors.ts';
import type { Catalog } from '../../model/catalog.ts';
import { foldName, identifierNames } from '../../model/identifiers.ts';
import { tokensOf } from '../../model/pointer.ts';
import { idOf } from '../subjects/spelling.ts';
import { isObject, type Leaf, type Place } from './leaf.ts';
import { aliases, type WrittenBody, type WrittenRecord } from './written.ts';
import { namedSubject } from '../subjects/places.ts';

/** Whether a leaf is the record's identifier or data subject and equals the route's: such a leaf writes no field. */
export const isGiven = (body: WrittenBody, record: WrittenRecord, leaf: Leaf): boolean =>
  (isId(body, record, leaf) &&
    isPlain(leaf, record.place.length + 1) &&
    body.id!.values.some((id) => says(leaf, id))) ||
  (leaf.subject !== null &&
    body.dataSubject !== null &&
    isPlain(leaf, leaf.subject) &&
    (says(leaf, body.dataSubject) || names(leaf, body.dataSubject)));

/** Whether the value is not within an object, where it could be an operand: `{"id": {"$ne": "C1"}}`. */
const isPlain = ({ place }: Leaf, depth: number): boolean =>
  place.slice(depth).every((step) => typeof step === 'number' || step === '$oid' || step === '#text');

/**
 * The identifiers of existing records in a list: each record has one member with the name of an identifier, which writes no field. With two such
 * members the upstream could use either. If the catalog names data subjects, the identifier must be one.
 */
export function rowIds(
  body: WrittenBody,
  records: readonly WrittenRecord[],
  { resource, data_subject }: Catalog,
): ReadonlySet<Leaf> {
  if (body.id !== null || !tokensOf(body.record).includes('*')) return new Set();
  const own = identifierNames(resource, []);
  return new Set(
    records.flatMap(({ place, leaves }) => {
      const ids = leaves.filter((leaf) => own.has(foldName(String(leaf.place[place.length] ?? ''))));
      return ids.length === 1 &&
        ids.every((id) => isPlain(id, place.length + 1) && (id.subject !== null || data_subject.length === 0))
        ? ids
        : [];
    }),
  );
}

/** Whether a typed place (`Patient/123`) names the route's id (`123`). */
const names = ({ places, value }: Leaf, id: string): boolean =>
  value !== null && (places ?? []).some((place) => namedSubject(place, value)?.text === idOf(id));

/**
 * @param kept places whose stored values are kept
 * @throws SluiceError `identifier_conflict`
 */
export function refuseConflicts(
  body: WrittenBody,
  records: readonly WrittenRecord[],
  catalog: Catalog,
  kept: ReadonlySet<string>,
): void {
  const about = records.flatMap((record) =>
    record.leaves
      .filter((leaf) => isId(body, record, leaf) || isOnlySubject(body, catalog, leaf))
      .filter((leaf) => !isGiven(body, record, leaf) && !kept.has(JSON.stringify(leaf.place)))
      .map(({ pointer }) => pointer),
  );
  if (about.length > 0) {
    const paths = [...new Set(about)];
    throw new SluiceError('identifier_conflict', {
      message: `The request's body names another record than its route: ${paths.join(', ')}. Omit it, or send the value of the route.`,
      paths,
    });
  }
  const beside = [
    ...records.flatMap(({ conflicts, leaves }) => {
      if (conflicts.length === 0) return [];
      const written = around(leaves.filter((leaf) => !kept.has(JSON.stringify(leaf.place))));
      return conflicts
        .filter(({ place }) => written.has(JSON.stringify(place)))
        .map(({ pointer }) => pointer);
    }),
    ...outside(body.value, new Set(records.map(({ place }) => JSON.stringify(place)))),
  ];
  if (beside.length === 0) return;
  const paths = [...new Set(beside)];
  throw new SluiceError('identifier_conflict', {
    message: `The request's body states by several members which field it writes, and the upstream may use any of them: ${paths.join(', ')}. Send only the keys of the catalog's selector, or add all of them to the selector, e.g. [id=3,name=Mobile].`,
    paths,
  });
}

/** The places of leaves and of all their containers. Computed once, since thousands of elements may have conflicts. */
function around(leaves: readonly Leaf[]): ReadonlySet<string> {
  const places = new Set<string>();
  for (const { place } of leaves)
    for (let length = place.length; length >= 0; length--) {
      const size = places.size;
      // the containers of a known place are known too
      if (places.add(JSON.stringify(place.slice(0, length))).size === size) break;
    }
  return places;
}

const isId = ({ id }: WrittenBody, record: WrittenRecord, { place }: Leaf): boolean => {
  const member = place[record.place.length];
  return id !== null && typeof member === 'string' && id.names.has(foldName(member));
};

/** If there are several data subjects, the route names one, and the others are ordinary fields. */
const isOnlySubject = ({ dataSubject }: WrittenBody, { data_subject }: Catalog, leaf: Leaf): boolean =>
  dataSubject !== null && data_subject.length === 1 && leaf.subject !== null && !leaf.listed;

const says = ({ value }: Leaf, id: string): boolean =>
  value !== null &&
  (value.kind === 'string' || (value.kind === 'number' && Number.isSafeInteger(Number(value.text)))) &&
  idOf(value.text) === id;

/** Members outside of the records whose names differ only in case: the upstream may take the record's id from either. */
function outside(value: unknown, records: ReadonlySet<string>, place: Place = [], path = ''): string[] {
  if (typeof value !== 'object' || value === null || records.has(JSON.stringify(place))) return [];
  const own = isObject(value) ? aliases(value, path) : [];
  const within = Object.entries(value).flatMap(([key, member]) => {
    const isList = Array.isArray(value);
    return outside(member, records, [...place, isList ? Number(key) : key], `${path}/${isList ? '*' : key}`);
  });
  return [...own, ...within];
}
