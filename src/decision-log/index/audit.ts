/**
 * Queries of auditors, one at a time, in a thread of their own: a long one delays neither requests nor the copies of records. The thread
 * is ended where a query takes too long or too much memory, and the next query starts another.
 */
import { Worker } from 'node:worker_threads';
import { type ErrorCode, SluiceError } from '../../errors.ts';
import type { CountSpec } from './count.ts';
import type { WorkerSettings } from './protocol.ts';
import type { DecisionQuery } from './query.ts';

export type Question =
  | { readonly type: 'list'; readonly query: DecisionQuery }
  | { readonly type: 'view'; readonly decisionId: string }
  | {
      readonly type: 'counts';
      readonly query: DecisionQuery;
      readonly spec: CountSpec;
      readonly limit: number;
    };

export interface Answer {
  /** JSON in UTF-8, so that the main thread serializes nothing */
  readonly body: Uint8Array;
  /** decisions, or rows of counts */
  readonly results: number;
}

export type FromAuditWorker =
  | ({ readonly type: 'answer' } & Answer)
  | { readonly type: 'error'; readonly code: ErrorCode; readonly message: string };

export interface AuditSettings extends Pick<WorkerSettings, 'dir' | 'index'> {}

export interface AuditWorkerSettings extends AuditSettings {
  /** milliseconds: a database ends a statement then, too, though the thread is gone */
  readonly time: number;
}

export interface AuditLimits {
  /** milliseconds for one query */
  readonly time: number;
  /** MiB of heap */
  readonly memory: number;
  /** queries that wait for the one before */
  readonly waiting: number;
  /** milliseconds after which a thread without a query is ended */
  readonly idle: number;
}

const LIMITS: AuditLimits = { time: 60_000, memory: 512, waiting: 16, idle: 60_000 };

interface Task {
  readonly question: Question;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

export class AuditThread {
  readonly #settings: AuditSettings;
  readonly #limits: AuditLimits;
  readonly #waiting: Task[] = [];
  #running: Task | null = null;
  #worker: Worker | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(settings: AuditSettings, limits: Partial<AuditLimits> = {}) {
    this.#settings = settings;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** @throws SluiceError `overloaded`, `query_too_large`, and what the query throws */
  ask(question: Question): Promise<Answer> {
    if (this.#closed) return Promise.reject(new SluiceError('internal', 'The decision log is closed.'));
    if (this.#waiting.length >= this.#limits.waiting)
      return Promise.reject(
        new SluiceError('overloaded', 'Too many queries of the decision log are waiting. Try again later.'),
      );
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#running !== null) return;
    clearTimeout(this.#timer);
    const task = this.#waiting.shift();
    if (task === undefined) {
      this.#worker?.unref();
      this.#timer = setTimeout(() => this.#end(), this.#limits.idle).unref();
      return;
    }
    this.#running = task;
    this.#timer = setTimeout(() => {
      this.#end();
      this.#settle((t) => t.reject(tooLarge(`takes longer than ${this.#limits.time / 1000} s`)));
    }, this.#limits.time);
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(task.question);
  }

  #start(): Worker {
    const file = new URL(
      import.meta.url.endsWith('.ts') ? './audit-worker.ts' : './audit-worker.js',
      import.meta.url,
    );
    const worker = new Worker(file, {
      workerData: { ...this.#settings, time: this.#limits.time } satisfies AuditWorkerSettings,
      name: 'decision-audit',
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.memory },
    });
    worker.on('message', (message: FromAuditWorker) => {
      if (worker !== this.#worker) return;
      if (message.type === 'answer')
        this.#settle((t) => t.resolve({ body: message.body, results: message.results }));
      else if (message.type === 'error')
        this.#settle((t) => t.reject(new SluiceError(message.code, message.message)));
    });
    const ended = (cause: unknown): void => {
      if (worker !== this.#worker) return;
      this.#worker = null;
      const isFull = (cause as { code?: string } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
      this.#settle((t) =>
        t.reject(
          isFull
            ? tooLarge(`needs more than ${this.#limits.memory} MiB of memory`)
            : new SluiceError('internal', { message: 'The thread that answers queries has ended.', cause }),
        ),
      );
    };
    worker.on('error', ended);
    worker.on('exit', () => ended(null));
    return worker;
  }

  #settle(how: (task: Task) => void): void {
    const task = this.#running;
    this.#running = null;
    if (task !== null) how(task);
    if (!this.#closed) this.#next();
  }

  #end(): void {
    const worker = this.#worker;
    this.#worker = null;
    void worker?.terminate();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const worker = this.#worker;
    this.#worker = null;
    for (const task of [...(this.#running === null ? [] : [this.#running]), ...this.#waiting.splice(0)])
      task.reject(new SluiceError('internal', 'The decision log is closed.'));
    this.#running = null;
    await worker?.terminate();
  }
}

const tooLarge = (what: string): SluiceError =>
  new SluiceError(
    'query_too_large',
    `The query ${what}. Narrow it (since, until), or configure an index of the decision log.`,
  );
