/** Section `data_subject_page`: the page on which a customer sees and changes what they have agreed to. */
import type { Report } from '../documents/faults.ts';
import { defaulted, duration, section, type Static, url } from '../documents/kinds.ts';

export const dataSubjectPageSchema = section(
  {
    url: url({
      description:
        'where customers reach the listener `listen.data_subjects`, usually through a proxy that ends TLS',
    }),
    link: defaulted(
      duration({ min: '1m', max: '30d', description: 'how long a link opens the page' }),
      '72h',
    ),
    session: defaulted(
      duration({
        min: '1m',
        max: '2h',
        description: 'how long the page stays open after the link was opened',
      }),
      '15m',
    ),
  },
  { description: 'page of customers, opened by a signed link; absent: there is none' },
);

export type DataSubjectPageConfig = Static<typeof dataSubjectPageSchema>;

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/i;

export function checkDataSubjectPage({ url: text }: DataSubjectPageConfig, report: Report): void {
  const at = new URL(text);
  if (at.protocol !== 'https:' && !LOOPBACK.test(at.hostname))
    report(
      ['data_subject_page', 'url'],
      'is not https: whoever is on the way could open the page of a customer',
    );
  if (at.search !== '' || at.hash !== '')
    report(['data_subject_page', 'url'], 'has a query or a fragment: write the address of the page alone');
}
