/**
 * The consents of the data subject that a request names, looked up while its quota is reserved, so that the two round trips take as long as one. The
 * answer's own look-up joins this one, or finds its result; where nothing is remembered, it would ask a second time. What fails here counts for nothing.
 */
import { variantsOf } from '../model/verdict.ts';
import type { PolicySnapshot } from '../model/policy.ts';
import type { Selected } from '../routing/index.ts';
import type { Stages } from './stages.ts';

export async function lookAhead(
  { dataSubject, resource }: Selected,
  { catalogs, data }: PolicySnapshot,
  at: Date,
  { consents, identities }: Stages,
): Promise<void> {
  const catalog = catalogs.get(resource.type);
  if (dataSubject === null || catalog === undefined || consents.cache?.().isUp !== true) return;
  try {
    const variants = catalog.variants === undefined ? [] : variantsOf(catalogs, catalog);
    const id = await identities.requested(data, [catalog, ...variants], dataSubject);
    if (id !== null) await consents.lookup([id], at);
  } catch {
    // The look-up of the answer fails too, and refuses it.
  }
}
