/** An authorized request on its way to the upstream: what it searches by and writes is checked, then what is sent is put together. */
import { isSluiceError, SluiceError } from '../errors.ts';
import { WRITES } from '../model/actions.ts';
import type { Catalog } from '../model/catalog.ts';
import { type Identifier, otherNamed } from '../model/identifiers.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import { variantsOf } from '../model/verdict.ts';
import type { Selected } from '../routing/index.ts';
import type { UpstreamRequest } from '../upstream/upstream.ts';
import type { Authorized } from './authorize.ts';
import { type Listing, listingOf } from './listing.ts';
import type { Access } from './plan.ts';
import type { DecisionEntry } from './record.ts';
import { unidentified, unproven, writeWithheld } from './refusal.ts';
import type { Routed } from './route.ts';
import type { Stages } from './stages.ts';
import { searchedWrite, type WrittenRequest, writtenRequest } from './write.ts';

export interface Prepared {
  readonly access: Access;
  /** Access to what comes next of a long answer, decided anew. @throws SluiceError what refuses it */
  again(): Promise<Access>;
  readonly forwarded: UpstreamRequest;
  /** the upstream is told to write only if the record has not changed */
  readonly conditional: boolean;
  readonly listing: Listing;
}

async function accessOf(
  request: Access['request'],
  { target, snapshot, input, decision, filter, retention, provenSubject: proven }: Authorized<Routed>,
  entry: DecisionEntry,
  stages: Stages,
): Promise<Access> {
  const selected = filter === null ? target.selected : target.selected.filtered(filter);
  const catalog = snapshot.catalogs.get(selected.resource.type);
  if (!catalog)
    throw new SluiceError(
      'catalog_unknown',
      `The policy has no catalog for the resource "${selected.resource.type}": nothing of it can be disclosed.`,
    );
  const provenSubject = proven === null ? null : await provenIn(proven, snapshot, catalog, entry, stages);
  const subject =
    provenSubject === null
      ? dataSubjectOf(selected, snapshot, catalog, entry, stages)
      : await provenSubjectOf(selected, provenSubject, snapshot, catalog, entry, stages);
  return {
    request,
    selected,
    ...(subject instanceof Promise ? await subject : subject),
    snapshot,
    input,
    catalog,
    decision,
    filter,
    retention,
    provenSubject,
  };
}

/** @throws SluiceError what keeps the request from being forwarded */
export async function prepare(
  request: Access['request'],
  authorized: Authorized<Routed>,
  entry: DecisionEntry,
  stages: Stages,
): Promise<Prepared> {
  const { snapshot, input } = authorized;
  const access = await accessOf(request, authorized, entry, stages);
  const { catalog, selected } = access;
  const { dataSubject } = access;
  const { action, bodyFields, identifier, queryFields, route } = selected;
  const writes = WRITES.has(action);
  if (queryFields.length > 0)
    await (writes ? searchedWrite(access, entry, stages) : stages.guard.query(snapshot, input, null));
  const allowed = stages.headersOf(route.upstream).request(request.headers, writes);
  const { traceHeaders } = entry;
  const headers = traceHeaders === null ? allowed : { ...allowed, ...traceHeaders };
  if (identifier !== null) refuseOtherIdentifier(headers, identifier);
  if (writes && bodyFields.length === 0) {
    const reasons = await stages.guard.record(snapshot, input, dataSubject);
    if (reasons !== null) throw writeWithheld(reasons, entry);
  }
  const { erases } = route.written;
  const written: WrittenRequest =
    bodyFields.length > 0 || erases === 'record' || erases === 'unsaid'
      ? await writtenRequest(selected.bytes, { ...access, headers }, entry, stages)
      : { body: selected.bytes, headers, conditional: false };
  const listing = listingOf(selected, catalog, access, stages.layoutOf);
  // Where consents cannot be read, what is found is refused: so nothing may be answered as not found, either.
  if (listing.guarded) await stages.consents.lookup([], new Date(entry.timestamp));
  return {
    access,
    again: async () => {
      const next = await accessOf(request, await authorized.again(), entry, stages);
      if (queryFields.length > 0 && !writes) await stages.guard.query(next.snapshot, next.input, null);
      return next;
    },
    listing,
    forwarded: {
      method: forwardedMethod(request.method),
      target: listing.asked.target,
      headers: written.headers,
      body: listing.asked.body ?? written.body,
    },
    conditional: written.conditional,
  };
}

/** What GET would be answered shows only in the body: whether its record may be disclosed, and whether there is one. */
export const forwardedMethod = (method: string): string => (method === 'HEAD' ? 'GET' : method);

/** @throws SluiceError `identifier_conflict` */
function refuseOtherIdentifier(headers: Readonly<Record<string, string>>, identifier: Identifier): void {
  const name = otherNamed(Object.entries(headers), identifier);
  if (name === undefined) return;
  throw new SluiceError(
    'identifier_conflict',
    `The header ${name} names another record than the route does. Leave it out, or send what the route says.`,
  );
}

type RequestedSubject = Pick<Access, 'dataSubject' | 'resolved'>;

/**
 * Whose data the request says it is about: an id of a type that the catalog gives its data subjects. Any other text, such as an unknown
 * alias, would be judged as a person without consents and flags.
 */
function dataSubjectOf(
  { dataSubject }: Selected,
  snapshot: PolicySnapshot,
  catalog: Catalog,
  entry: DecisionEntry,
  stages: Stages,
): RequestedSubject | Promise<RequestedSubject> {
  if (dataSubject === null || (catalog.subject_places === undefined && catalog.variants === undefined))
    return { dataSubject, resolved: null };
  const catalogs = [
    catalog,
    ...(catalog.variants === undefined ? [] : variantsOf(snapshot.catalogs, catalog)),
  ];
  const again = () => stages.identities.requested(snapshot.data, catalogs, dataSubject);
  const known = (id: string | null): RequestedSubject => {
    if (id === null) throw nobody(catalogs, entry);
    return { dataSubject: id, resolved: { at: stages.clock.micros(), again } };
  };
  const id = again();
  return id instanceof Promise ? id.then(known) : known(id);
}

/** The id under which the proven data subject is known. @throws SluiceError `verification_failed` for nobody */
async function provenIn(
  proven: string,
  { data, catalogs }: PolicySnapshot,
  catalog: Catalog,
  entry: DecisionEntry,
  stages: Stages,
): Promise<string> {
  const own = [catalog, ...(catalog.variants === undefined ? [] : variantsOf(catalogs, catalog))];
  const id = await stages.identities.requested(data, own, proven);
  if (id === null || id === '') throw mismatched(entry, stages);
  return id;
}

/**
 * The data subject of the request, who must be the proven one where the request names one. An id that names nobody is told like one that names
 * somebody else.
 * @throws SluiceError `verification_failed`
 */
async function provenSubjectOf(
  selected: Selected,
  proven: string,
  snapshot: PolicySnapshot,
  catalog: Catalog,
  entry: DecisionEntry,
  stages: Stages,
): Promise<RequestedSubject> {
  let named: RequestedSubject;
  try {
    named = await dataSubjectOf(selected, snapshot, catalog, entry, stages);
  } catch (error) {
    throw isSluiceError(error, 'record_withheld') ? mismatched(entry, stages) : error;
  }
  const isProven = named.dataSubject === null ? !WRITES.has(selected.action) : named.dataSubject === proven;
  if (!isProven) throw mismatched(entry, stages);
  return named;
}

function mismatched(entry: DecisionEntry, { verifications }: Stages): SluiceError {
  verifications?.mismatched(entry.subject?.id ?? '');
  return unproven(entry);
}

function nobody(catalogs: readonly Catalog[], entry: DecisionEntry): SluiceError {
  const types = catalogs.flatMap(({ subject_places = [] }) =>
    subject_places.flatMap(({ type }) => type ?? []),
  );
  return unidentified([...new Set(types)], entry);
}
