/** What the commands of grants work on: the store, and for changes the decision log, where each is recorded before it is in force. */
import { openStore } from '../../compose/store.ts';
import { type LoadedConfig, loadConfig } from '../../config/index.ts';
import { createDecisionLog, newDecisionId } from '../../decision-log/decision-log.ts';
import { SluiceError } from '../../errors.ts';
import { type Change, createGrants, type GrantStore } from '../../grants/index.ts';
import { systemClock } from '../../observability/clock.ts';
import { silentLogger } from '../../observability/logger.ts';
import { grantRecord } from '../../pipeline/event-records.ts';
import { createReviews } from '../../reviews/index.ts';
import type { Io } from '../io.ts';

interface Opened {
  readonly grants: GrantStore;
  readonly loaded: LoadedConfig;
}

export async function withGrants(
  { config: file }: { readonly config: string },
  io: Io,
  work: (opened: Opened) => Promise<void>,
): Promise<void> {
  const loaded = await loadConfig(file, io.env);
  const { config } = loaded;
  if (config.grants === undefined)
    throw new SluiceError(
      'grants_unconfigured',
      `${file} has no section grants, which says who approves (docs/grants.md).`,
    );
  const now = (): Date => systemClock.now();
  const store = await openStore(config.store, systemClock, silentLogger);
  try {
    const reviews = createReviews(store, config.reviews.due, now);
    await work({
      grants: createGrants(store, config.grants, { reviews, newId: newDecisionId, now }),
      loaded,
    });
  } finally {
    await store.close();
  }
}

/** For a change: with a chain of its own in the journal. */
export const withChange = (
  options: { readonly config: string },
  by: string,
  note: string | null,
  io: Io,
  work: (opened: Opened & { readonly change: Change }) => Promise<void>,
): Promise<void> =>
  withGrants(options, io, async (opened) => {
    const { config, directory } = opened.loaded;
    const log = await createDecisionLog(config.decision_log, { logger: silentLogger, baseDir: directory });
    try {
      const record = grantRecord({ log, clock: systemClock });
      const decision_id = newDecisionId();
      const change: Change = {
        by,
        note,
        decision_id,
        journaled: (what, grant) => record({ decision_id, what, by, note, grant }),
      };
      await work({ ...opened, change });
    } finally {
      await log.close();
    }
  });
