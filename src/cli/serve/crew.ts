/** The worker processes: starts, watches, restarts and stops them. */
import type { SendHandle } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';
import { SluiceError } from '../../errors.ts';
import type { Logger } from '../../observability/logger.ts';
import type { ReportKind } from '../../endpoints/admin/workers.ts';
import type { Listeners, ListeningSocket } from './listeners.ts';
import { type FromWorker, type ToWorker, WORKER } from './messages.ts';

/**
 * Milliseconds before an ended worker is restarted: the first delay and the maximum; it doubles. A worker that has served gets a short
 * delay, because callers wait meanwhile.
 */
const DELAY = { first: 100, most: 30_000, served: 1_000 };
/** milliseconds after which a worker counts as stable: its next end starts again with the first delay */
const WELL = 60_000;

export interface Slot {
  /** from 1; a replacement process keeps the number */
  readonly number: number;
  worker: Worker | null;
  state: 'starting' | 'up' | 'leaving' | 'down';
  /** it has served before, so it is restarted when it ends */
  served: boolean;
  /** monotonic milliseconds */
  upSince: number;
  /** consecutive ends */
  ends: number;
  /** how often the process was replaced */
  restarts: number;
  /** why it is not running */
  detail: string;
  timer: NodeJS.Timeout | undefined;
}

/** It serves requests and answers messages. */
export const serves = ({ state }: Slot): boolean => state === 'up' || state === 'leaving';

export interface CrewOptions {
  readonly size: number;
  /** module that the processes run, and its arguments */
  readonly exec: string;
  readonly args: readonly string[];
  /** path of sluice.yaml */
  readonly text: string;
  readonly logger: Logger;
  readonly listeners: Listeners;
  onAnswer(id: number, answer: unknown): void;
  onGather(question: ReportKind, reply: (message: ToWorker) => void, id: number): void;
  /** its process has ended */
  onEnd(slot: Slot): void;
}

export class Crew {
  readonly slots: readonly Slot[];
  readonly #o: CrewOptions;
  #stopping: PromiseWithResolvers<void> | null = null;
  /** a worker ended with an error while all were stopped */
  #badly = false;

  constructor(options: CrewOptions) {
    this.#o = options;
    this.slots = Array.from({ length: options.size }, (_, i) => ({
      number: i + 1,
      worker: null,
      state: 'down',
      served: false,
      upSince: 0,
      ends: 0,
      restarts: 0,
      detail: 'not started yet',
      timer: undefined,
    }));
    cluster.setupPrimary({ exec: options.exec, args: [...options.args] });
  }

  /**
   * Starts the first worker alone, then the others at once: an error that affects all is reported once.
   * @returns the revision of their policy
   * @throws SluiceError of the first worker that could not start; the others are then stopped
   */
  async start(): Promise<string> {
    const [first, ...others] = this.slots as [Slot, ...Slot[]];
    try {
      const policy = await this.#launch(first);
      // Stopped while the first one was becoming ready: nobody would stop the others.
      if (this.#stopping !== null) return policy;
      await Promise.all(others.map((slot) => this.#launch(slot)));
      return policy;
    } catch (e) {
      await this.stop();
      throw e;
    }
  }

  tell(slot: Slot, message: ToWorker, socket?: SendHandle): void {
    // The exit event handles a worker that has just ended.
    if (slot.worker?.isConnected()) slot.worker.send(message, socket, {}, () => undefined);
  }

  /** Lets every worker finish its requests. Resolves once all processes have ended: to false if one ended with an error. */
  async stop(): Promise<boolean> {
    this.#stopping ??= Promise.withResolvers();
    const gone = this.#stopping.promise;
    for (const slot of this.slots) {
      clearTimeout(slot.timer);
      if (serves(slot) && slot.worker?.isConnected()) this.tell(slot, { say: 'stop' });
      else slot.worker?.process.kill('SIGTERM');
    }
    this.#whenAllGone();
    await gone;
    return !this.#badly;
  }

  kill(): void {
    for (const { worker } of this.slots) worker?.process.kill('SIGKILL');
  }

  #launch(slot: Slot): Promise<string> {
    const worker = cluster.fork({ [WORKER]: String(slot.number) });
    slot.worker = worker;
    slot.state = 'starting';
    slot.detail = 'starting';
    const { listeners } = this.#o;
    return new Promise((resolve, reject) => {
      let fault: SluiceError | null = null;
      worker.on('message', (message: FromWorker, socket?: ListeningSocket) => {
        switch (message.say) {
          case 'hello':
            return this.tell(slot, { say: 'configuration', text: this.#o.text });
          case 'ready':
            slot.state = 'up';
            slot.served = true;
            slot.upSince = performance.now();
            if (this.#stopping !== null) this.tell(slot, { say: 'stop' });
            return resolve(message.policy);
          case 'listens?':
            return listeners.give(message.listener, (reply, socket) => this.tell(slot, reply, socket));
          case 'opened':
            return listeners.keep(message.listener, message.port, socket!);
          case 'leaving':
            if (slot.worker === worker) slot.state = 'leaving';
            return;
          case 'failed':
            fault = new SluiceError(message.code, {
              message: message.message,
              ...(message.at ? { at: message.at } : {}),
            });
            return void worker.process.kill('SIGKILL');
          case 'answer':
            return this.#o.onAnswer(message.id, message.answer);
          case 'gather':
            return this.#o.onGather(message.question, (reply) => this.tell(slot, reply), message.id);
        }
      });
      const ended = (how: string, well: boolean): void => {
        if (slot.worker !== worker) return;
        const served = serves(slot);
        slot.worker = null;
        slot.state = 'down';
        slot.detail = fault === null ? `ended ${how}` : `${fault.message} [${fault.code}]`;
        this.#o.onEnd(slot);
        reject(fault ?? new SluiceError('internal', `Worker ${slot.number} ended ${how} while it started.`));
        if (this.#stopping !== null) {
          if (served && !well) this.#badly = true;
          this.#whenAllGone();
        } else if (slot.served) this.#again(slot, served, well);
      };
      worker.on('exit', (code, signal) => ended(signal ? `by ${signal}` : `with code ${code}`, code === 0));
      worker.on('error', (e) => {
        if (worker.process.pid === undefined) ended(`(${(e as NodeJS.ErrnoException).code})`, false);
      });
    });
  }

  #again(slot: Slot, wasUp: boolean, well: boolean): void {
    if (wasUp && performance.now() - slot.upSince >= WELL) slot.ends = 0;
    const delay = Math.min(DELAY.first * 2 ** slot.ends, wasUp ? DELAY.served : DELAY.most);
    slot.ends += 1;
    this.#o.logger[well ? 'warn' : 'error'](
      { worker: slot.number, detail: slot.detail, restart_in_ms: delay },
      wasUp ? 'a worker ended; it is started again' : 'a worker could not start; it is tried again',
    );
    slot.timer = setTimeout(() => {
      slot.restarts += 1;
      this.#launch(slot).then(
        () => this.#o.logger.info({ worker: slot.number }, 'a worker serves again'),
        // Reported, and retried, by the exit handler.
        () => undefined,
      );
    }, delay);
  }

  #whenAllGone(): void {
    if (this.slots.every(({ worker }) => worker === null)) this.#stopping?.resolve();
  }
}
