/**
 * The decision log: masks a draft, appends it to the chain, and resolves when it is durable. A worker thread then copies
 * the record from the journal to the index and the sinks, so a slow database never delays a request.
 */
import type { DecisionLog, DecisionRecordDraft } from '../model/record.ts';
import { type Clock, systemClock } from '../observability/clock.ts';
import type { CopyRules } from '../model/policy.ts';
import type { NoteSigner } from '../model/signing.ts';
import type { Logger } from '../observability/logger.ts';
import { checkpointsOf, type DecisionLogInput, indexOf, settings, sinksOf } from './settings.ts';
import { type DataSubjectHasher, dataSubjectHasher } from './data-subject.ts';
import { headPath, listOrigins } from './journal/directory.ts';
import { readHead } from './journal/head.ts';
import { newDecisionId } from './ids.ts';
import type { MaskCounts } from './sinks/masking.ts';
import { type Answer, AuditThread } from './index/audit.ts';
import { Copies, type LogStatus, REPLACED, type StoreStatus } from './index/copies.ts';
import { countSpec } from './index/count.ts';
import { openIndex, placeOf } from './index/open.ts';
import { Journal, type JournalHooks } from './journal/journal.ts';
import { compileMask, DEFAULT_MASK } from './mask.ts';
import { type DecisionQuery, pseudonymous, type QueryInterface } from './index/query.ts';
import { generateKey, keyBytes } from './secret.ts';

export interface DecisionLogDeps {
  readonly logger: Logger;
  readonly clock?: Clock;
  /** base of relative paths in the configuration: the directory of sluice.yaml */
  readonly baseDir?: string;
  readonly hooks?: JournalHooks;
  /** signs checkpoints; needed if they are configured */
  readonly notes?: NoteSigner;
  /** sinks get nothing before `maskCopies` was called */
  readonly awaitsRules?: boolean;
}

/** What auditors ask. Answers are JSON. They come from the index, or from the journal's directory if there is none. */
export interface AuditQueries {
  /** The query with ids as the log has them: what a record says of the query. @throws SluiceError `input_invalid` */
  asLogged(query: DecisionQuery): DecisionQuery;
  /** @throws SluiceError `input_invalid`, `overloaded`, `query_too_large` */
  list(query: DecisionQuery): Promise<Answer>;
  /** @throws SluiceError also `record_not_found` */
  view(decisionId: string): Promise<Answer>;
  /** @param by comma-separated @param limit of the rows */
  counts(query: DecisionQuery, by: string, distinct: string | null, limit: number): Promise<Answer>;
}

export interface OpenDecisionLog extends DecisionLog, QueryInterface {
  /** this process's chain */
  readonly origin: string;
  readonly dir: string;
  /** the keyed HMAC of a data subject's id, as in `disclosure.data_subjects` */
  readonly dataSubject: DataSubjectHasher;
  /** What sinks get from now on. @param rules null: each record as it is */
  maskCopies(rules: CopyRules | null): void;
  readonly audit: AuditQueries;
  /** `lag`: durable records that the slowest of the index and the sinks does not have yet */
  status(): {
    ok: boolean;
    detail?: string;
    lag: number;
    copies: { readonly [store: string]: StoreStatus };
    /** lines of the journal that could not be read and have not been copied, once for each store */
    unreadable: number;
    /** by sink, what the policy has done to copies */
    masked: ReadonlyMap<string, MaskCounts>;
    /** the checkpoints of this process's chain; null: none yet, or none are configured */
    checkpoints: LogStatus | null;
    /** durable records of this process's chain that no checkpoint covers */
    unsigned: number;
  };
}

/**
 * @throws SluiceError `journal_unwritable` or `journal_full` if records cannot be written; `config_invalid` if a key is
 *   missing or a value is out of bounds.
 */
export async function createDecisionLog(
  config: DecisionLogInput,
  deps: DecisionLogDeps,
): Promise<OpenDecisionLog> {
  const clock = deps.clock ?? systemClock;
  const baseDir = deps.baseDir ?? process.cwd();
  const options = settings(config, baseDir);
  const key = config.journal?.key ? keyBytes(config.journal.key, 'decision_log.journal.key') : null;
  const named = config.data_subject_key
    ? keyBytes(config.data_subject_key, 'decision_log.data_subject_key')
    : null;
  const index = indexOf(config.index, baseDir);
  const sinks = sinksOf(config.sinks, baseDir);
  const checkpoints = checkpointsOf(config.checkpoints, deps.notes);
  // A server that is down may come back, so the worker retries. A file that cannot be a database is a configuration error.
  if (index !== null && 'sqlite' in index)
    await openIndex(index, () => deps.logger.warn({ index: placeOf(index) }, REPLACED)).close();

  let copies: Copies | null = null;
  let ownKey: Buffer | null = null;
  const journal = await Journal.open({
    ...options,
    key,
    logger: deps.logger,
    hooks: {
      ...deps.hooks,
      committed(commit) {
        copies?.committed();
        deps.hooks?.committed?.(commit);
      },
      recovered() {
        // The directory may have been replaced, so the key file may be gone.
        if (ownKey !== null) generateKey(options.dir, ownKey.toString());
        deps.hooks?.recovered?.();
      },
    },
  });
  try {
    if (named === null) ownKey = generated(options.dir, deps.logger);
    const dataSubject = dataSubjectHasher((named ?? ownKey)!);
    const rules = { ...DEFAULT_MASK, ...config.mask };
    const mask = compileMask(rules, dataSubject);
    await recordOpening(journal, clock, deps.logger);
    const working = new Copies(
      {
        dir: options.dir,
        origin: journal.origin,
        index,
        sinks,
        awaitsRules: deps.awaitsRules === true,
        checkpoints,
        interval: 1000,
      },
      deps.logger,
      deps.notes ?? null,
    );
    copies = working;
    const auditors = new AuditThread({ dir: options.dir, index });
    const asLogged = (query: DecisionQuery): DecisionQuery => pseudonymous(query, dataSubject, rules);
    return {
      origin: journal.origin,
      dir: journal.dir,
      dataSubject,
      append: async (draft) => journal.append(mask(draft)),
      check() {
        if (journal.fault !== null) throw journal.fault;
      },
      status: () => ({
        ok: journal.fault === null,
        ...(journal.fault === null ? {} : { detail: journal.fault.message }),
        lag: working.lag(journal.tip.seq),
        copies: working.stores(journal.tip.seq),
        unreadable: working.unreadable,
        masked: working.masked,
        checkpoints: working.log,
        unsigned: Math.max(0, journal.tip.seq - (working.log?.size ?? 0)),
      }),
      maskCopies: (rules) => working.mask(rules),
      audit: {
        asLogged,
        list: async (query) => auditors.ask({ type: 'list', query: asLogged(query) }),
        view: (decisionId) => auditors.ask({ type: 'view', decisionId }),
        async counts(query, by, distinct, limit) {
          const spec = countSpec(by === '' ? [] : by.split(','), distinct);
          return auditors.ask({ type: 'counts', query: asLogged(query), spec, limit });
        },
      },
      query: async (query) => working.query(asLogged(query)),
      get: (decisionId) => working.get(decisionId),
      async close() {
        await auditors.close();
        await journal.close();
        await working.close();
      },
    };
  } catch (e) {
    await journal.close();
    throw e;
  }
}

function generated(dir: string, logger: Logger): Buffer {
  const { key, created, path } = generateKey(dir);
  if (created)
    logger.warn(
      { path },
      'decision_log.data_subject_key is not set: a key was generated beside the journal; keep it as long as the records',
    );
  return key;
}

/** Maximum of other chains that one record names. */
const PEERS = 64;

/**
 * Records what was unusual at the start: a torn tail that was quarantined, a damaged chain that was skipped. It also
 * records the heads of the other chains in the directory, so that `verify` detects the removal of a chain.
 */
async function recordOpening(journal: Journal, clock: Clock, logger: Logger): Promise<void> {
  if (journal.fault !== null) return;
  const { torn, damaged } = journal.acquired;
  const labels: { [key: string]: string } = {};
  const reasons: { code: string; message: string }[] = [];
  for (const { origin } of await listOrigins(journal.dir)) {
    if (origin === journal.origin || Object.keys(labels).length >= PEERS) continue;
    const head = readHead(headPath(journal.dir, origin), null)?.latest?.head;
    if (head !== undefined && head.seq > 0) labels[`peer.${origin}`] = `${head.seq}:${head.hash}`;
  }
  if (torn !== null) {
    const message = `A half-written tail of ${torn.bytes} bytes was moved to ${torn.file}, SHA-256 ${torn.sha256}.`;
    reasons.push({ code: 'journal_torn_tail', message });
    logger.warn(
      { origin: journal.origin, bytes: torn.bytes, file: torn.file },
      'a half-written record was moved to the quarantine directory',
    );
  }
  for (const { origin, detail } of damaged) {
    reasons.push({ code: 'chain_broken', message: `The chain ${origin} was skipped: ${detail}.` });
    logger.error({ origin, detail }, 'a chain is damaged; run `sluice decisions verify`');
  }
  // A chain that continues normally needs no record.
  if (reasons.length === 0 && (Object.keys(labels).length === 0 || journal.tip.seq > 0)) return;
  await journal.append(opening(clock, [{ code: 'journal_opened' }, ...reasons], labels));
}

const opening = (
  clock: Clock,
  reasons: DecisionRecordDraft['reasons'],
  labels: { readonly [key: string]: string },
): DecisionRecordDraft => ({
  decision_id: newDecisionId(),
  timestamp: clock.now().toISOString(),
  kind: 'admin',
  outcome: 'observed',
  subject: null,
  action: null,
  resource: null,
  purpose: null,
  tier: null,
  recipient: null,
  justification: null,
  grant_id: null,
  claimed: [],
  reasons,
  disclosure: null,
  request: null,
  upstream: null,
  response: null,
  policy: null,
  input: null,
  timings_us: {},
  trace_id: null,
  labels,
  part: { number: 1, last: true },
});

export { newDecisionId };
