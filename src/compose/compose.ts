/** Starts a sidecar: builds its parts and opens its listeners. */
import type { LoadedConfig } from '../config/index.ts';
import type { Workers } from '../endpoints/admin/workers.ts';
import { type BuildDependencies, build, type Parts } from './build.ts';
import { listen } from './listen.ts';

export interface ComposeDependencies extends BuildDependencies {
  /** where this process is one of several: its listeners are theirs too, and the admin listener answers for all */
  readonly workers?: Workers;
}

/** A running sidecar. */
export interface Sluice
  extends Pick<Parts, 'log' | 'policy' | 'consents' | 'identity' | 'metrics' | 'invalidation'> {
  /** URLs of the listeners, with the ports that were really taken */
  readonly proxy: string;
  readonly admin: string;
  /** of the page of data subjects; absent: the configuration has none */
  readonly data_subjects?: string;
  revision(): string;
  close(): Promise<void>;
}

/**
 * @throws SluiceError whatever keeps a part from starting: `policy_compile_failed`, `journal_unwritable`, `consent_invalid`,
 *   `address_in_use` …; what had been opened by then is closed again
 */
export async function compose(loaded: LoadedConfig, deps: ComposeDependencies): Promise<Sluice> {
  const parts = await build(loaded, deps);
  try {
    const listening = await listen(parts, loaded.config, deps.workers);
    const { log, policy, consents, identity, metrics, invalidation } = parts;
    return {
      proxy: listening.proxy,
      admin: listening.admin,
      ...(listening.data_subjects === undefined ? {} : { data_subjects: listening.data_subjects }),
      log,
      policy,
      consents,
      identity,
      metrics,
      invalidation,
      revision: () => policy.current().revision,
      async close() {
        await listening.close();
        await parts.close();
      },
    };
  } catch (e) {
    await parts.close();
    throw e;
  }
}
