/**
 * One worker: a complete sidecar on listening sockets shared with the others. The primary handles signals, except that
 * a SIGTERM to a single worker makes it finish its requests and end; the primary then starts another.
 */
import type { SendHandle } from 'node:child_process';
import cluster from 'node:cluster';
import type { Server } from 'node:http';
import { parseConfig } from '../../config/index.ts';
import { isSluiceError } from '../../errors.ts';
import { createLogger } from '../../observability/logger.ts';
import { type Address, listen, listenOn } from '../../endpoints/listening.ts';
import type { Listener, ReportKind, Respond, WorkerReport, Workers } from '../../endpoints/admin/workers.ts';
import type { Io } from '../io.ts';
import { type FromWorker, type ToWorker, WORKER } from './messages.ts';
import { reread, start } from './sidecar.ts';
import { Asked } from './signals.ts';

export async function serveWorker(file: string, io: Io): Promise<void> {
  // A terminal sends these signals to every process of the group; the primary decides what to do.
  process.on('SIGINT', () => undefined).on('SIGHUP', () => undefined);
  const primary = new Primary();
  const { text } = await primary.configuration();
  const worker = Number(io.env[WORKER]);
  try {
    const loaded = parseConfig(text, file, io.env);
    const logger = createLogger({ level: loaded.config.observability.log_level, worker });
    const sluice = await start(loaded, { logger, workers: primary });
    primary.rereads.to(() => void reread(sluice, logger));
    const stopped = Promise.race([untilTerminated(), primary.stopped]);
    logger.info({ origin: sluice.log.origin, pid: process.pid }, 'serving');
    primary.say({ say: 'ready', policy: sluice.revision() });
    await stopped;
    primary.say({ say: 'leaving' });
    logger.info({}, 'stopping');
    await sluice.close();
    cluster.worker?.disconnect();
  } catch (e) {
    if (!isSluiceError(e)) throw e;
    primary.say({ say: 'failed', code: e.code, message: e.message, at: e.at });
  }
}

/** never changes: to wait for it is to wait */
const NOTHING = new Int32Array(new SharedArrayBuffer(4));

/**
 * The kernel gives a connection to the worker that asks first, and a worker that is awake asks before the others. It would get most of the
 * connections that a proxy opens at once and keeps. So it waits as long as another needs to wake up, 0.05 ms.
 */
const giveWay = (): void => void Atomics.wait(NOTHING, 0, 0, 0.05);

/** Unchanged: a sent server would become a server in the other process, and accept there, too. */
const socketOf = (server: Server): SendHandle =>
  (server as unknown as { readonly _handle: SendHandle })._handle;

const untilTerminated = (): Promise<void> =>
  new Promise((resolve) => process.once('SIGTERM', () => resolve()));

type Configuration = Extract<ToWorker, { readonly say: 'configuration' }>;

/** The worker's end of the channel to the primary. */
class Primary implements Workers {
  readonly #asked = new Map<number, (reports: readonly WorkerReport<ReportKind>[]) => void>();
  readonly #listens = new Map<Listener, (port: number | null, socket: unknown) => void>();
  #nextId = 1;
  #respond: Respond | null = null;
  #configured: (configuration: Configuration) => void = () => undefined;
  #stop: () => void = () => undefined;
  readonly rereads = new Asked();
  readonly stopped = new Promise<void>((resolve) => {
    this.#stop = resolve;
  });

  constructor() {
    process.on('message', (message: ToWorker, socket?: unknown) => this.#heard(message, socket));
  }

  say(message: FromWorker, socket?: SendHandle): void {
    // If the primary has just ended, its workers end with it, and nobody receives the message.
    if (process.connected) process.send?.(message, socket, undefined, () => undefined);
  }

  configuration(): Promise<Configuration> {
    return new Promise((resolve) => {
      this.#configured = resolve;
      this.say({ say: 'hello' });
    });
  }

  async listen(listener: Listener, server: Server, address: Address): Promise<number> {
    server.on('connection', giveWay);
    const [shared, socket] = await new Promise<[number | null, unknown]>((resolve) => {
      this.#listens.set(listener, (...told) => resolve(told));
      this.say({ say: 'listens?', listener });
    });
    if (shared !== null) return listenOn(server, socket, shared);
    const port = await listen(server, address);
    this.say({ say: 'opened', listener, port }, socketOf(server));
    return port;
  }

  responds(respond: Respond): void {
    this.#respond = respond;
  }

  gather<Q extends ReportKind>(question: Q): Promise<readonly WorkerReport<Q>[]> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve as (reports: readonly WorkerReport<ReportKind>[]) => void);
      this.say({ say: 'gather', id, question });
    });
  }

  #heard(message: ToWorker, socket: unknown): void {
    switch (message.say) {
      case 'listen':
        this.#listens.get(message.listener)?.(message.port, socket);
        return;
      case 'configuration':
        this.#configured(message);
        return;
      case 'asked':
        this.#respond?.(message.question).then(
          (answer) => this.say({ say: 'answer', id: message.id, answer }),
          // If it takes too long, the primary reports this worker.
          () => undefined,
        );
        return;
      case 'gathered':
        this.#asked.get(message.id)?.(message.reports);
        this.#asked.delete(message.id);
        return;
      case 'reread':
        this.rereads.come();
        return;
      case 'stop':
        this.#stop();
    }
  }
}
