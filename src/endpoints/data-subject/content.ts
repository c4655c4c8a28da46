/** What the page shows of a person: consents, objections and requests, and nothing else that is known of them. */
import type { ConsentChanges } from '../../changes/consents.ts';
import type { ErasureChanges } from '../../changes/erasure.ts';
import { SluiceError } from '../../errors.ts';
import { endOf, startOf } from '../../model/moment.ts';
import type { PageConsent, PageConsentPart, PageContent } from './html.ts';

export interface PageSources {
  readonly consents: Pick<ConsentChanges, 'entry'>;
  /** null: no requests are taken */
  readonly erasure: Pick<ErasureChanges, 'list'> | null;
  /** purposes that somebody may object to, as the policy in force has them */
  readonly purposes: () => readonly string[];
}

export type Shown = Omit<PageContent, 'csrf' | 'done' | 'language' | 'timeZone'>;

const OPT_OUT = 'opt_out';
const MOST_REQUESTS = 100;

/** @throws SluiceError `consent_invalid` if what the person has said cannot be read */
export async function contentOf(
  id: string,
  { consents, erasure, purposes }: PageSources,
  now: Date,
): Promise<Shown> {
  const entry = await consents.entry(id);
  if (entry === null)
    throw new SluiceError('consent_invalid', 'The entry of the data subject cannot be read.');
  const { consents: said = [], flags = [] } = entry ?? {};
  const at = now.getTime();
  const byUse = (status: string): readonly PageConsent[] => {
    const uses = new Map<string, { purpose: string; recipient: string; parts: PageConsentPart[] }>();
    for (const consent of said) {
      const { purpose, recipient, categories, from, until } = consent;
      if (consent.status !== status) continue;
      if (status === 'given' && until !== undefined && endOf(until) < at) continue;
      const key = JSON.stringify([purpose, recipient]);
      const use = uses.get(key) ?? { purpose, recipient, parts: [] };
      uses.set(key, use);
      use.parts.push({
        categories,
        since: from ?? consent.at ?? null,
        until: until ?? null,
        isPending: status === 'given' && from !== undefined && startOf(from) > at,
      });
    }
    return [...uses.values()];
  };
  const objections = flags.flatMap((flag) =>
    flag === OPT_OUT ? ['*'] : flag.startsWith(`${OPT_OUT}:`) ? [flag.slice(OPT_OUT.length + 1)] : [],
  );
  const requests =
    (await erasure?.list({ state: 'all', data_subject: id, limit: MOST_REQUESTS, newest: true })) ?? [];
  return {
    given: byUse('given'),
    withdrawn: byUse('withdrawn'),
    objections,
    purposes: objections.includes('*') ? [] : purposes().filter((name) => !objections.includes(name)),
    requests: requests.map(({ kind, state, requested_at, due_at }) => ({
      kind,
      state,
      requested_at: new Date(requested_at).toISOString(),
      due_at: new Date(due_at).toISOString(),
    })),
    takesRequests: erasure !== null,
  };
}
