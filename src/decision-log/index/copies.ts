/** The main thread's side of the copy worker: reports commits to it, tracks its progress, and sends it queries. */
import { Worker } from 'node:worker_threads';
import { type ErrorCode, SluiceError } from '../../errors.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Decision } from './decision.ts';
import type { DecisionPage, QueryInterface } from './query.ts';
import type { CopyRules } from '../../model/policy.ts';
import type { NoteSigner } from '../../model/signing.ts';
import type { MaskCounts } from '../sinks/masking.ts';
import type { KeptLog } from '../tree/keep.ts';
import type { FromWorker, ToWorker, WorkerSettings } from './protocol.ts';

/** A message that expects a result; `#request` adds the id. */
type WorkerRequest =
  | { readonly type: 'query'; readonly query: object }
  | { readonly type: 'get'; readonly decisionId: string };

export const REPLACED =
  'the index was made by an earlier version of Sluice: it is built again from the journal';

export interface StoreStatus {
  readonly ok: boolean;
  /** records of this process's chain that have been copied */
  readonly seq: number;
  /** records of this process's chain that it does not have yet */
  readonly lag: number;
  /** the last error; absent after a success */
  readonly detail?: string;
  /** present: it has refused a record, and is not tried again before the next start */
  readonly stopped?: true;
}

export interface LogStatus extends KeptLog {
  /** why a chain got no checkpoint in the last pass */
  readonly problem: string | null;
}

export class Copies implements QueryInterface {
  readonly #settings: WorkerSettings;
  readonly #logger: Logger;
  readonly #signer: NoteSigner | null;
  #log: LogStatus | null = null;
  readonly #stores = new Map<string, Omit<StoreStatus, 'lag'>>();
  readonly #masked = new Map<string, MaskCounts>();
  /** undefined: none are known yet */
  #rules: CopyRules | null | undefined;
  #unreadable = 0;
  readonly #requests = new Map<number, { resolve(value: unknown): void; reject(e: Error): void }>();
  #worker: Worker | null = null;
  #nextId = 1;
  #isNotified = false;
  #closed = false;

  constructor(settings: WorkerSettings, logger: Logger, signer: NoteSigner | null) {
    this.#settings = settings;
    this.#logger = logger;
    this.#signer = signer;
    if (settings.index !== null || settings.sinks.length > 0 || settings.checkpoints !== null) this.#start();
  }

  /** Without an index or a sink the thread starts at the first query. */
  #start(): Worker {
    const file = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
    const worker = new Worker(file, { workerData: this.#settings, name: 'decision-copies' });
    worker.unref();
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('error', (e) => this.#ended(e));
    worker.on('exit', () => this.#ended(null));
    this.#worker = worker;
    if (this.#rules !== undefined) this.#send({ type: 'rules', rules: this.#rules });
    return worker;
  }

  #ended(e: unknown): void {
    if (this.#worker === null) return;
    this.#worker = null;
    for (const { reject } of this.#requests.values())
      reject(
        new SluiceError('internal', { message: 'The thread that answers queries has ended.', cause: e }),
      );
    this.#requests.clear();
    if (this.#closed) return;
    this.#logger.error({ err: e }, 'the thread that copies decision records has ended; it is started again');
    setTimeout(() => {
      if (!this.#closed && this.#worker === null) this.#start();
    }, 1000).unref();
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'copied':
        if (this.#stores.get(message.store)?.ok === false)
          this.#logger.info({ store: message.store }, 'decision records are copied again');
        this.#stores.set(message.store, { ok: true, seq: message.seq });
        return;
      case 'failed': {
        const before = this.#stores.get(message.store);
        if (before?.ok !== false)
          this.#logger.warn(
            { store: message.store, detail: message.message },
            'decision records are not copied',
          );
        if (message.stopped)
          this.#logger.error(
            { store: message.store, detail: message.message },
            'a sink has refused decision records and is stopped',
          );
        this.#stores.set(message.store, {
          ok: false,
          seq: before?.seq ?? 0,
          detail: message.message,
          ...(message.stopped ? { stopped: true } : {}),
        });
        return;
      }
      case 'replaced':
        this.#logger.warn({ index: message.store }, REPLACED);
        return;
      case 'pruned':
        this.#logger.info(
          { store: message.store, days: message.days },
          'old decisions were deleted from the index',
        );
        return;
      case 'unreadable':
        this.#unreadable += message.count;
        return;
      case 'masked': {
        const known = this.#masked.get(message.store);
        if (message.failed > 0 && (known?.failed ?? 0) === 0)
          this.#logger.error(
            { store: message.store },
            'the policy cannot say what a sink may have of decision records (sluice/log); they are sent without what tells of the request',
          );
        this.#masked.set(message.store, {
          dropped: (known?.dropped ?? 0) + message.dropped,
          masked: (known?.masked ?? 0) + message.masked,
          failed: (known?.failed ?? 0) + message.failed,
        });
        return;
      }
      case 'sign':
        void this.#sign(message.id, message.text);
        return;
      case 'checkpoint':
        if (message.log !== null || message.problem !== null)
          this.#kept(message.log ?? this.#log ?? { size: 0, witnesses: [] }, message.problem);
        return;
      case 'result':
        this.#settle(message.id)?.resolve(message.value);
        return;
      case 'error':
        this.#settle(message.id)?.reject(new SluiceError(message.code as ErrorCode, message.message));
    }
  }

  async #sign(id: number, text: string): Promise<void> {
    let signature: Uint8Array | null = null;
    try {
      signature = await this.#signer!.sign(text);
    } catch (e) {
      this.#logger.error({ err: e }, 'a checkpoint cannot be signed');
    }
    this.#send({ type: 'signed', id, signature });
  }

  /** Says once what fails, and once that it works again. */
  #kept(log: KeptLog, problem: string | null): void {
    const before = this.#log;
    this.#log = { size: log.size, witnesses: log.witnesses, problem };
    if (problem !== null && problem !== before?.problem)
      this.#logger.error({ detail: problem }, 'a chain of the decision log gets no checkpoint');
    else if (problem === null && before !== null && before.problem !== null)
      this.#logger.info({ size: log.size }, 'checkpoints of the decision log are signed again');
    for (const witness of log.witnesses) {
      const known = before?.witnesses.find(({ name }) => name === witness.name)?.problem ?? null;
      if (witness.problem !== null && witness.problem !== known)
        this.#logger.error(
          { witness: witness.name, detail: witness.problem },
          'a witness has not taken a checkpoint',
        );
      else if (witness.problem === null && known !== null)
        this.#logger.info({ witness: witness.name }, 'a witness takes checkpoints again');
    }
  }

  /** null: none was made yet, or none are configured */
  get log(): LogStatus | null {
    return this.#log;
  }

  #settle(id: number) {
    const pending = this.#requests.get(id);
    this.#requests.delete(id);
    if (this.#requests.size === 0) this.#worker?.unref();
    return pending;
  }

  /** Tells the worker that there are new records, at most once a turn of the event loop. */
  committed(): void {
    if (this.#worker === null || this.#isNotified || this.#settings.origin === null) return;
    this.#isNotified = true;
    setImmediate(() => {
      this.#isNotified = false;
      this.#send({ type: 'committed' });
    }).unref();
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #request<T>(request: WorkerRequest): Promise<T> {
    if (this.#closed) return Promise.reject(new SluiceError('internal', 'The decision log is closed.'));
    const worker = this.#worker ?? this.#start();
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      this.#requests.set(id, { resolve: resolve as (value: unknown) => void, reject });
      worker.ref();
      worker.postMessage({ ...request, id });
    });
  }

  query: QueryInterface['query'] = (query) => this.#request<DecisionPage>({ type: 'query', query });
  get: QueryInterface['get'] = (decisionId) => this.#request<Decision | null>({ type: 'get', decisionId });

  /** @param seq of the last durable record */
  stores(seq: number): { readonly [store: string]: StoreStatus } {
    return Object.fromEntries(
      [...this.#stores].map(([name, s]) => [name, { ...s, lag: Math.max(0, seq - s.seq) }]),
    );
  }

  /** Sinks get records as these rules say, from the next batch on. @param rules null: as they are */
  mask(rules: CopyRules | null): void {
    if (this.#settings.sinks.length === 0) return;
    this.#rules = rules;
    this.#send({ type: 'rules', rules });
  }

  /** by sink, what the policy has done to copies since the start */
  get masked(): ReadonlyMap<string, MaskCounts> {
    return this.#masked;
  }

  /** lines of the journal that could not be read, counted once for each store that has not got them */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Records up to `seq` that the slowest store does not have yet; 0 if there is no store. */
  lag(seq: number): number {
    if (this.#settings.index === null && this.#settings.sinks.length === 0) return 0;
    const expected = (this.#settings.index === null ? 0 : 1) + this.#settings.sinks.length;
    if (this.#stores.size < expected) return seq;
    return Math.max(0, ...[...this.#stores.values()].map((s) => seq - s.seq));
  }

  /** Copies the remaining records for at most five seconds, then stops. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    if (worker === null) return;
    worker.ref();
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage({ type: 'close' });
    const timer = setTimeout(() => void worker.terminate(), 5000);
    await ended;
    clearTimeout(timer);
  }
}
