/** The page of data subjects, as the configuration says. */
import { erasureChanges } from '../changes/erasure.ts';
import { linkChanges } from '../changes/links.ts';
import type { Config } from '../config/index.ts';
import { newDecisionId } from '../decision-log/decision-log.ts';
import { isObject } from '../documents/yaml.ts';
import type { PageServices } from '../endpoints/data-subject/page.ts';
import { createErasure } from '../erasure/index.ts';
import { createLinks } from '../links/index.ts';
import { consentsOf } from './admin.ts';
import type { Parts } from './build.ts';

/** @param page the section of the configuration */
export function pageServices(
  parts: Parts,
  config: Config,
  page: NonNullable<Config['data_subject_page']>,
): PageServices {
  const { store, policy, log, signing, stages } = parts;
  const { clock, logger } = stages;
  const now = (): Date => clock.now();
  const dataSubject = async (): Promise<(id: string) => string> => log.dataSubject;
  return {
    links: linkChanges(createLinks(store, page, { signing, now }), dataSubject),
    consents: consentsOf(parts),
    erasure:
      config.erasure === undefined
        ? null
        : erasureChanges(
            createErasure(store, {
              newId: newDecisionId,
              now,
              due: config.erasure.due,
              accepted: parts.recipients.erasureAccepted,
            }),
            dataSubject,
          ),
    /** An objection has no effect where the law does not ask for consent, so it is not offered there. */
    purposes() {
      const { purposes } = policy.current().data;
      return Object.entries(isObject(purposes) ? purposes : {})
        .filter(([, settings]) => isObject(settings) && settings['consent'] !== 'waived')
        .map(([name]) => name)
        .sort();
    },
    dataSubject: log.dataSubject,
    url: page.url,
    now,
    logger,
  };
}
