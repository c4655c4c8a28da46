/** Dates of agreements with partners. An ended one may stay in the file; one that ends soon should be renewed. */
import { isObject } from '../../../documents/yaml.ts';
import { type CausedFault, type Finding, findings } from './findings.ts';
import type { BySchema } from './references.ts';

const DAY = 86_400_000;
/** days before the last day of an agreement at which the warnings begin */
const SOON = 30;

export function agreementFindings(documents: BySchema, now: Date): Finding[] {
  const notes: CausedFault[] = [];
  const warnings: CausedFault[] = [];
  const faults: CausedFault[] = [];
  const today = now.toISOString().slice(0, 10);
  for (const document of documents.get('policy-partners.schema.json') ?? []) {
    const partners = isObject(document.value) ? document.value['partners'] : undefined;
    for (const [partner, about] of Object.entries(isObject(partners) ? partners : {})) {
      const agreements = isObject(about) && isObject(about['agreements']) ? about['agreements'] : {};
      for (const [purpose, agreement] of Object.entries(agreements)) {
        const { until } = isObject(agreement) ? agreement : {};
        if (typeof until !== 'string') continue;
        const path = ['partners', partner, 'agreements', purpose, 'until'];
        const end = Date.parse(`${until}T00:00:00Z`);
        // `Date.parse` reads 31 November as 1 December.
        if (Number.isNaN(end) || new Date(end).toISOString().slice(0, 10) !== until)
          faults.push(document.fault(path, `there is no day ${until}`));
        else if (until < today)
          notes.push(
            document.fault(
              path,
              `the agreement with ${partner} for ${purpose} ended on ${until}: nothing leaves under it`,
            ),
          );
        else if (end - Date.parse(`${today}T00:00:00Z`) <= SOON * DAY)
          warnings.push(
            document.fault(
              path,
              `the agreement with ${partner} for ${purpose} ends on ${until}: from the day after, nothing leaves under it`,
            ),
          );
      }
    }
  }
  return [
    ...findings(faults, 'agreement'),
    ...findings(warnings, 'agreement', 'warning'),
    ...findings(notes, 'agreement', 'note'),
  ];
}
