/** The page of data subjects, as the configuration says. */
import type { Config } from '../config/index.ts';
import { millis } from '../observability/clock.ts';
import { isObject } from '../documents/yaml.ts';
import type { PageServices } from '../endpoints/data-subject/page.ts';
import { consentsOf, erasureOf, linksOf } from './admin.ts';
import type { Parts } from './build.ts';

/** @param page the section of the configuration */
export function pageServices(
  parts: Parts,
  config: Config,
  page: NonNullable<Config['data_subject_page']>,
): PageServices {
  const { policy, log, stages } = parts;
  const { clock, logger } = stages;
  return {
    links: linksOf(parts, page),
    consents: consentsOf(parts),
    erasure: erasureOf(parts, config),
    /** An objection has no effect where the law does not ask for consent, so it is not offered there. */
    purposes() {
      const { purposes } = policy.current().data;
      return Object.entries(isObject(purposes) ? purposes : {})
        .filter(([, settings]) => isObject(settings) && settings['consent'] !== 'waived')
        .map(([name]) => name)
        .sort();
    },
    dataSubject: log.dataSubject,
    timeZone: page.time_zone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone,
    url: page.url,
    now: () => clock.now(),
    elapsed: () => millis(clock),
    logger,
  };
}
