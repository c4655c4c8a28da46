/** Section `data_subject_page`: the page on which a customer sees and changes what they have agreed to. */
import { isLoopback } from '../model/loopback.ts';
import type { Report } from '../documents/faults.ts';
import { defaulted, duration, optional, section, type Static, Type, url } from '../documents/kinds.ts';

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
    time_zone: optional(
      Type.String({
        minLength: 1,
        description:
          'time zone of the dates and times on the page, an IANA name such as `Asia/Shanghai`; absent: that of the machine',
      }),
    ),
  },
  { description: 'page of customers, opened by a signed link; absent: there is none' },
);

export type DataSubjectPageConfig = Static<typeof dataSubjectPageSchema>;

const isTimeZone = (name: string): boolean => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
};

export function checkDataSubjectPage({ url: text, time_zone }: DataSubjectPageConfig, report: Report): void {
  const at = new URL(text);
  if (at.protocol !== 'https:' && !isLoopback(at.hostname))
    report(
      ['data_subject_page', 'url'],
      'is not https: whoever is on the way could open the page of a customer',
    );
  if (time_zone !== undefined && !isTimeZone(time_zone))
    report(['data_subject_page', 'time_zone'], 'is no time zone: write an IANA name such as Asia/Shanghai');
  if (at.search !== '' || at.hash !== '')
    report(['data_subject_page', 'url'], 'has a query or a fragment: write the address of the page alone');
}
