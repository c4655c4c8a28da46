/** What the commands of consents need: the store, and the journal in which every change is on record before it is in force. */
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { openStore } from '../../compose/store.ts';
import { type Config, loadConfig } from '../../config/index.ts';
import { type ConsentEvent, type ConsentRecords, createConsentRecords } from '../../consent/index.ts';
import { createDecisionLog, newDecisionId, type OpenDecisionLog } from '../../decision-log/decision-log.ts';
import { isObject, readYaml } from '../../documents/yaml.ts';
import { SluiceError } from '../../errors.ts';
import { systemClock } from '../../observability/clock.ts';
import { silentLogger } from '../../observability/logger.ts';
import { consentRecords } from '../../pipeline/event-records.ts';
import type { Io } from '../io.ts';

export interface StoreOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly by?: string;
}

export interface OpenConsents {
  readonly config: Config;
  readonly records: ConsentRecords;
  readonly actor: string;
  /**
   * Runs a change whose events are journaled before it is in force. Where the change fails after that, its failure is journaled, too.
   */
  changed<T>(
    change: (journaled: (events: readonly ConsentEvent[]) => Promise<void>) => Promise<T>,
  ): Promise<T>;
}

/** @throws SluiceError `usage_invalid` where the configuration keeps consents elsewhere */
export async function withConsents<T>(
  options: StoreOptions,
  io: Io,
  work: (consents: OpenConsents) => Promise<T>,
): Promise<T> {
  const { config, directory } = await loadConfig(options.config, io.env);
  if (config.consent.store === undefined)
    throw new SluiceError(
      'usage_invalid',
      `${options.config} keeps consents in ${config.consent.file === undefined ? 'a service (consent.http): change them there' : 'a file (consent.file): edit it'}. These commands are for "consent: { store: true }".`,
    );
  const clock = systemClock;
  const database = await openStore(config.store, clock, silentLogger);
  let log: OpenDecisionLog | null = null;
  try {
    const terms = termsOf(config, directory);
    const records = createConsentRecords(database, {
      now: () => clock.now(),
      termOf: (purpose) => terms.get(purpose),
    });
    const actor = options.by ?? userInfo().username;
    return await work({
      config,
      records,
      actor,
      async changed(change) {
        // Opened for a change alone: whoever reads needs no journal.
        log ??= await createDecisionLog(config.decision_log, {
          logger: silentLogger,
          clock,
          baseDir: directory,
        });
        const record = consentRecords({ log, newDecisionId, clock });
        let pending: readonly ConsentEvent[] = [];
        try {
          return await change(async (events) => {
            await record('allowed', actor, events);
            pending = events;
          });
        } catch (e) {
          if (pending.length > 0) await record('error', actor, pending);
          throw e;
        }
      },
    });
  } finally {
    await (log as OpenDecisionLog | null)?.close();
    await database.close();
  }
}

/** DPV terms by purpose, where the policy is a directory that can be read. */
function termsOf({ policy }: Config, _directory: string): ReadonlyMap<string, string> {
  const terms = new Map<string, string>();
  if (policy.dir === undefined) return terms;
  const file = join(policy.dir, 'data/purposes.yaml');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return terms;
  }
  const yaml = readYaml(file, text, { dialect: 'sluice' });
  const value = 'faults' in yaml ? null : yaml.document.value;
  const purposes = isObject(value) && isObject(value['purposes']) ? value['purposes'] : value;
  for (const [name, settings] of Object.entries(isObject(purposes) ? purposes : {}))
    if (isObject(settings) && typeof settings['dpv'] === 'string') terms.set(name, settings['dpv']);
  return terms;
}
