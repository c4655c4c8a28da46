/** What the log says at the start of settings that each are valid, and do not fit each other. */
import { type LoadedConfig, operationAt, operationsOf } from '../config/index.ts';
import { sinkNames } from '../decision-log/settings.ts';
import { layoutOf } from '../disclosure/media.ts';
import { spellFault } from '../documents/faults.ts';
import { isObject } from '../documents/yaml.ts';
import { MARKS } from '../erasure/index.ts';
import type { Logger } from '../observability/logger.ts';
import type { LivePolicyStore } from '../policy/store.ts';
import { routeWarnings } from '../routing/index.ts';

/** A policy that has a list of flags withholds the records of whoever has another one. One without a list may not look at flags at all. */
export function warnAboutFlags(policy: LivePolicyStore, logger: Logger): void {
  const { flags } = policy.current().data;
  const missing = MARKS.filter((name) => !isObject(flags) || !Object.hasOwn(flags, name));
  if (missing.length > 0)
    logger.warn(
      { flags: missing },
      isObject(flags)
        ? 'flags of requests for erasure are not in the policy’s flags.yaml: the records of whoever has one are withheld from everybody'
        : 'the policy has no flags.yaml: requests for erasure stop no disclosure unless its rules read these flags (docs/erasure.md)',
    );
}

/** A policy may serve sidecars with different sinks; a name that none of them has is most likely misspelled, and masks nothing. */
export function warnAboutSinks(
  { config, directory }: LoadedConfig,
  policy: LivePolicyStore,
  logger: Logger,
): void {
  const { sinks } = policy.current().data;
  const known = sinkNames(config.decision_log.sinks, directory);
  const unknown = Object.keys(isObject(sinks) ? sinks : {}).filter((name) => !known.includes(name));
  if (unknown.length > 0 && known.length > 0)
    logger.warn(
      { unknown, sinks: known },
      'sinks.yaml of the policy names sinks that decision_log.sinks does not have',
    );
}

export function warnAboutRoutes(loaded: LoadedConfig, policy: LivePolicyStore, logger: Logger): void {
  const { config, fault } = loaded;
  const { catalogs } = policy.current();
  for (const { route, key, message } of routeWarnings(config.routes, catalogs, layoutOf, true))
    logger.warn({}, spellFault(fault(['routes', route, ...key], message)));
  // Operations of MCP servers: other keys of their routes are Sluice's own.
  for (const { route, key, message, severity } of routeWarnings(operationsOf(config), catalogs, layoutOf))
    if (severity === 'fault' || key[0] === 'resource')
      logger.warn({}, spellFault(fault(operationAt(config, route), message)));
}
