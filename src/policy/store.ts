/**
 * Holds the live policy and replaces it. A new policy is loaded, checked, tested by the gate (its own unit tests and scenarios), and then
 * swapped in atomically. If any step fails, the last good policy stays live, and the error is reported. Requests in progress keep the
 * snapshot they took.
 */
import { dirname, resolve } from 'node:path';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Announce } from '../model/invalidation.ts';
import type { PolicyStore } from '../model/policy.ts';
import type { Clock } from '../observability/clock.ts';
import type { Logger } from '../observability/logger.ts';
import { stampOf } from '../observability/stable.ts';
import { type Approval, type ApprovalConfig, type ApprovalKey, approvalOf } from './bundle/approval.ts';
import type { ArchiveLimits } from './bundle/archive.ts';
import { DEFAULT_LIMITS as ARCHIVE_LIMITS } from './bundle/archive.ts';
import {
  type CacheLimits,
  DEFAULT_CACHE,
  DEFAULT_LIMITS,
  type PolicyConfig,
  type PolicyLimits,
  settle,
} from './settings.ts';
import type { PolicyBundle } from './bundle/bundle.ts';
import type { Gate } from './gate.ts';
import type { Opa } from './opa/opa.ts';
import type { SigningConfig, SigningKey } from './bundle/signatures.ts';
import { createSnapshot, type LivePolicy } from './snapshot/index.ts';
import { createDirectorySource } from './sources/directory.ts';
import { createFileSource } from './sources/file.ts';
import type { Loaded, PolicySource } from './sources/source.ts';
import { createUrlSource } from './sources/url.ts';
import { watchPath } from './sources/watching.ts';

/** the names of a policy, for records of its approval */
export type Candidate = Pick<PolicyBundle, 'name' | 'revision'>;

export interface StoreDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  /** base of relative paths */
  readonly baseDir: string;
  readonly metrics?: { count(name: 'policy_reload_failures', by?: number): void };
  /** What other parts need of a policy. @throws SluiceError what keeps it from going live */
  readonly check?: (candidate: Pick<LivePolicy, 'data'>) => void;
  /** @throws SluiceError `policy_unit_test_failed`, `policy_scenario_failed` */
  readonly gate?: Gate;
  readonly opa?: () => Promise<Opa>;
  readonly announce?: Announce;
  /** Records which policies `policy.require_approval` admitted or refused. A policy whose record cannot be written does not go live. */
  readonly approvals?: {
    approved(candidate: Candidate, approval: Approval): Promise<void>;
    refused(candidate: Candidate, why: string): Promise<void>;
  };
}

export interface LivePolicyStore extends PolicyStore {
  current(): LivePolicy;
  status(): ReturnType<PolicyStore['status']> & {
    /** set while the source cannot be reached; the live policy is the last one that was loaded */
    readonly unavailable: { readonly code: string; readonly message: string; readonly at: string } | null;
  };
  /**
   * Checks the source now; resolves when a changed policy is live or refused.
   * @param anew loads and activates the policy even if nothing changed
   */
  reload(anew?: boolean): Promise<void>;
}

/** @throws SluiceError if the first policy cannot be activated */
export const createPolicyStore = async (
  config: PolicyConfig,
  deps: StoreDependencies,
): Promise<LivePolicyStore> => {
  const source = sourceOf(config, deps, deps.gate !== undefined);
  const limits: PolicyLimits = settle(DEFAULT_LIMITS, config.limits);
  const cache: CacheLimits = settle(DEFAULT_CACHE, config.cache);
  let live: LivePolicy | undefined;
  let activatedAt: string | null = null;
  let error: Failure | null = null;
  let unavailable: Failure | null = null;
  const closing = new AbortController();

  const approving = approvingOf(config, deps.baseDir);
  /** Checks the approval before anything of the candidate is run. @returns null if no approval is required */
  const approved = async (bundle: PolicyBundle): Promise<Approval | null> => {
    if (approving === undefined) return null;
    try {
      return await approvalOf(bundle, approving, deps.clock.now());
    } catch (e) {
      if (isSluiceError(e, 'policy_unapproved'))
        await deps.approvals?.refused(bundle, e.message).catch((err: unknown) => {
          deps.logger.error({ err }, 'the refusal of an unapproved policy could not be recorded');
        });
      throw e;
    }
  };

  const activate = async (loaded: Loaded): Promise<void> => {
    const approval = await approved(loaded.bundle);
    const candidate = await createSnapshot(loaded.bundle, { limits, cache });
    deps.check?.(candidate);
    const isFirst = live === undefined;
    const { signal } = closing;
    const tried = await deps.gate?.(candidate, { isFirst, limits, cache, signal });
    if (approval !== null) await deps.approvals?.approved(loaded.bundle, approval);
    if (signal.aborted) return;
    live = candidate;
    activatedAt = deps.clock.now().toISOString();
    error = null;
    deps.logger.info(
      { revision: candidate.revision, bundle: candidate.bundle, ...tried },
      'policy activated',
    );
    if (loaded.bundle.unoptimized !== undefined)
      deps.logger.info(
        { bundle: candidate.bundle },
        `the policy was compiled without OPA's optimizer, so decisions may take longer: ${loaded.bundle.unoptimized}`,
      );
    if (!isFirst) deps.announce?.({ kind: 'policy', scope: 'all' });
    try {
      await loaded.accepted();
    } catch (err) {
      deps.logger.warn({ err }, 'the policy is live, but could not be stored for the next start');
    }
  };

  const fail = (e: unknown): void => {
    // What was broken off by the end says nothing about the policy.
    if (closing.signal.aborted) return;
    const failure = failureOf(e, deps.clock);
    if (UNAVAILABLE.has(failure.code)) {
      unavailable = failure;
      again();
    } else error = failure;
    deps.metrics?.count('policy_reload_failures');
    deps.logger.error(
      { code: failure.code, message: failure.message },
      'policy not activated; the last good one stays',
    );
  };

  const watches = config.watch !== false || config.url !== undefined;
  let timer: NodeJS.Timeout | undefined;
  /** A source that is back unchanged does not report a change, so it is polled. */
  const again = (): void => {
    if (!watches || closing.signal.aborted) return;
    clearTimeout(timer);
    timer = setTimeout(() => void reload(), RETRY_MS);
    timer.unref();
  };

  const start = async (): Promise<void> => {
    try {
      await activate((await source.load())!);
    } catch (e) {
      const stored = isSluiceError(e, 'bundle_unavailable') ? await source.fallback?.() : null;
      if (stored === null || stored === undefined) throw e;
      await activate(stored);
      fail(e);
    }
  };

  const once = async (anew: boolean): Promise<void> => {
    if (closing.signal.aborted) return;
    try {
      const loaded = await source.load(anew);
      unavailable = null;
      if (loaded !== null) await activate(loaded);
    } catch (e) {
      fail(e);
    }
  };
  // One load at a time. Changes during a load cause one further load after it.
  let running: Promise<void> | undefined;
  let waiting: Promise<void> | undefined;
  let waitingAnew = false;
  const reload = (anew = false): Promise<void> => {
    if (running === undefined) {
      running = once(anew).finally(() => {
        running = undefined;
      });
      return running;
    }
    waitingAnew ||= anew;
    waiting ??= running.then(() => {
      waiting = undefined;
      const wanted = waitingAnew;
      waitingAnew = false;
      return reload(wanted);
    });
    return waiting;
  };

  await start();
  const stops = watches ? [source.watch(() => void reload())] : [];
  // The source does not report a change when a policy receives its approval, so the approvals are watched, too.
  const approvals = approving?.file;
  if (watches && approvals !== undefined)
    stops.push(
      watchPath(
        { path: dirname(approvals), recursive: false, fingerprint: async () => stampOf(approvals) },
        async () => {
          // A load in progress may have read the approvals before they changed; wait for its result.
          await running;
          if (error?.code === 'policy_unapproved') await reload(true);
        },
      ),
    );
  const stop = (): void => {
    for (const end of stops) end();
  };
  return {
    current() {
      if (live === undefined) throw new SluiceError('policy_unavailable', 'No policy was activated yet.');
      return live;
    },
    status: () => ({
      ok: live !== undefined,
      revision: live?.revision ?? null,
      activated_at: activatedAt,
      error,
      unavailable,
    }),
    reload,
    async close() {
      closing.abort();
      clearTimeout(timer);
      stop();
      await (waiting ?? running);
    },
  };
};

/** Errors of a source that cannot be read at the moment. They say nothing about the policy, and end when it can be read again. */
const UNAVAILABLE: ReadonlySet<string> = new Set(['bundle_unavailable', 'policy_unavailable']);

/** milliseconds until a source that could not be read is tried again */
const RETRY_MS = 2000;

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly at: string;
}

const failureOf = (e: unknown, clock: Clock): Failure => {
  const at = clock.now().toISOString();
  return isSluiceError(e)
    ? { code: e.code, message: e.message, at }
    : {
        code: 'internal',
        message: 'The policy could not be loaded for a reason that is a fault of Sluice.',
        at,
      };
};

/** poll interval in milliseconds */
const DEFAULT_POLL = 60_000;

/** @throws SluiceError `config_invalid` */
const sourceOf = (
  config: PolicyConfig,
  { baseDir, opa }: Pick<StoreDependencies, 'baseDir' | 'opa'>,
  tests: boolean,
): PolicySource => {
  const named = [config.dir, config.bundle, config.url].filter((v) => v !== undefined);
  if (named.length !== 1)
    throw new SluiceError('config_invalid', 'policy: give exactly one of dir, bundle and url.');
  const settled = settle(DEFAULT_LIMITS, config.limits);
  const limits: ArchiveLimits = {
    ...ARCHIVE_LIMITS,
    compressed: settled.bundle_bytes,
    expanded: settled.expanded_bytes,
    ratio: settled.ratio,
  };
  const signing = signingOf(config.signing, baseDir);
  if (config.dir !== undefined)
    return createDirectorySource({ dir: resolve(baseDir, config.dir), opa, tests });
  if (config.bundle !== undefined)
    return createFileSource({ file: resolve(baseDir, config.bundle), limits, signing });
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(config.headers ?? {}))
    if (value !== undefined) headers[name] = value;
  return createUrlSource({
    url: config.url!,
    poll: config.poll ?? DEFAULT_POLL,
    headers,
    cacheDir: config.cache_dir === undefined ? undefined : resolve(baseDir, config.cache_dir),
    limits,
    signing,
  });
};

export const approvingOf = (
  { require_approval: approval, signing }: Pick<PolicyConfig, 'require_approval' | 'signing'>,
  baseDir: string,
): ApprovalConfig | undefined => {
  if (approval === undefined) return undefined;
  const keys: { [kid: string]: ApprovalKey } = Object.create(null);
  for (const [kid, k] of Object.entries(approval.keys ?? {}))
    if (k?.algorithm !== undefined)
      keys[kid] = {
        algorithm: k.algorithm,
        key: k.key,
        file: k.file === undefined ? undefined : resolve(baseDir, k.file),
        until: k.until,
      };
  return {
    keys,
    file: approval.file === undefined ? undefined : resolve(baseDir, approval.file),
    signing: signingOf(signing, baseDir)?.keys ?? {},
  };
};

export const signingOf = (signing: PolicyConfig['signing'], baseDir: string): SigningConfig | undefined => {
  if (signing === undefined) return undefined;
  const keys: { [kid: string]: SigningKey } = Object.create(null);
  for (const [kid, k] of Object.entries(signing.keys ?? {}))
    if (k?.algorithm !== undefined)
      keys[kid] = {
        algorithm: k.algorithm,
        key: k.key,
        file: k.file === undefined ? undefined : resolve(baseDir, k.file),
      };
  return { keys, required: signing.required ?? true };
};
