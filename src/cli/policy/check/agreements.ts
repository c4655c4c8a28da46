/** Dates of partners: agreements, assessments, commitments. One that has ended may stay in the file; one that ends soon should be renewed. */
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
      if (!isObject(about)) continue;
      const agreements = isObject(about['agreements']) ? about['agreements'] : {};
      const periods = [
        ...Object.entries(agreements).map(([purpose, value]) => ({
          at: ['agreements', purpose],
          what: `agreement with ${partner} for ${purpose}`,
          value,
        })),
        { at: ['qualification'], what: `assessment of ${partner}`, value: about['qualification'] },
        { at: ['commitment'], what: `commitment of ${partner}`, value: about['commitment'] },
      ];
      for (const { at, what, value } of periods) {
        if (!isObject(value)) continue;
        const path = ['partners', partner, ...at, 'until'];
        const { from, until } = value;
        if (typeof from === 'string' && !isDay(from))
          faults.push(document.fault(['partners', partner, ...at, 'from'], `there is no day ${from}`));
        if (typeof until !== 'string') continue;
        if (!isDay(until)) faults.push(document.fault(path, `there is no day ${until}`));
        else if (until < today)
          notes.push(document.fault(path, `the ${what} ended on ${until}: nothing leaves under it`));
        else if (Date.parse(until) - Date.parse(today) <= SOON * DAY)
          warnings.push(
            document.fault(path, `the ${what} ends on ${until}: from the day after, nothing leaves under it`),
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

/** `Date.parse` reads 31 November as 1 December. */
const isDay = (text: string): boolean => {
  const at = Date.parse(text);
  return !Number.isNaN(at) && new Date(at).toISOString().slice(0, 10) === text;
};
