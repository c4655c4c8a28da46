/** Whether a grant could lift a refusal, and how it is requested. A refusal stays a refusal. */
import { type ErrorCode, isSluiceError, type SluiceError } from '../errors.ts';
import type { AccessRequestOffer } from '../model/access-request.ts';
import type { PolicyInput, Resource } from '../model/input.ts';
import { type PolicySnapshot, settingOf } from '../model/policy.ts';
import { asIfGranted, inTier } from '../model/verdict.ts';
import type { DecisionEntry } from './record.ts';
import type { Stages } from './stages.ts';

type Members = { readonly [name: string]: unknown };

/** Null: nobody takes access requests here, or a grant would not be enough. */
export async function offerOf(
  error: SluiceError,
  entry: DecisionEntry,
  stages: Stages,
): Promise<AccessRequestOffer | null> {
  const { accessRequests, policy } = stages;
  const { kind, subject, action, resource, purpose, tier, recipient, reasons } = entry;
  if (
    accessRequests === undefined ||
    (kind !== 'disclosure' && kind !== 'mcp') ||
    subject === null ||
    action === null
  )
    return null;
  if (resource === null || purpose === null || recipient !== 'internal') return null;
  const snapshot = policy.current();
  const { data, catalogs } = snapshot;
  const because = error.because ?? reasons.flatMap(({ code }) => (code === error.code ? [] : [code]));
  if (because.length === 0 || !because.every((code) => isLiftable(data, code))) return null;
  if (tier !== null && settingOf(data, ['tiers', String(tier), 'grants']) === false) return null;
  const categories = categoriesOf(error.paths ?? null, resource, catalogs);
  if (categories === null || !(await isLifted(error.code, categories, entry, snapshot, stages))) return null;
  const { type, id } = resource;
  return accessRequests.offer({
    decision_id: entry.id,
    subject,
    action,
    resource: { type, ...(id === undefined ? {} : { id }) },
    purpose,
    categories,
  });
}

/** A refused search is judged again, as if there were such a grant. Of other refusals the reasons have to do. */
async function isLifted(
  code: ErrorCode,
  categories: readonly string[],
  { input, resource, tier, timestamp }: DecisionEntry,
  snapshot: PolicySnapshot,
  { guard }: Stages,
): Promise<boolean> {
  if (input === null || resource === null || !('tier' in input.context)) return false;
  if (code !== 'query_field_withheld') return true;
  const grant = {
    categories,
    ...(resource.id === undefined ? {} : { data_subject: resource.id }),
    id: 'requested',
    purpose: (input as PolicyInput).context.purpose,
    resource: resource.type,
    until: new Date(Date.parse(timestamp) + DAY_MS).toISOString(),
  };
  const asked = asIfGranted(inTier(input as PolicyInput, tier), grant);
  try {
    await guard.query(snapshot, asked, null);
    return true;
  } catch (e) {
    if (isSluiceError(e)) return false;
    throw e;
  }
}

const DAY_MS = 86_400_000;

/** Whether the policy's data let a grant lift a limit, by its `because` (`grants.lifts`). */
export const isLiftable = (data: Members, because: string): boolean =>
  settingOf(data, ['grants', 'lifts', because]) === true;

/** Null: a field is in no catalog, so that no grant covers it. */
function categoriesOf(
  paths: readonly string[] | null,
  { type }: Resource,
  catalogs: PolicySnapshot['catalogs'],
): readonly string[] | null {
  if (paths === null) return ['*'];
  const categories = new Set<string>();
  for (const path of paths) {
    const fields = catalogs.get(type)?.fields ?? {};
    const entry = Object.hasOwn(fields, path) ? fields[path] : undefined;
    if (entry === undefined || !('category' in entry)) return null;
    categories.add(entry.category);
  }
  return [...categories].sort();
}
