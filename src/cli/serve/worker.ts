/**
 * One worker: a whole sidecar that shares its two listeners with the others. Signals are the primary's business, except that
 * a SIGTERM to one worker alone makes it finish its requests and leave; the primary starts another.
 */
import cluster from 'node:cluster';
import { type LoadedConfig, parseConfig } from '../../config/index.ts';
import { isSluiceError } from '../../errors.ts';
import { createLogger } from '../../observability/logger.ts';
import type { Question, Respond, WorkerReport, Workers } from '../../server/workers.ts';
import type { Io } from '../io.ts';
import { type FromWorker, type Ports, type ToWorker, WORKER } from './messages.ts';
import { reread, start } from './sidecar.ts';

export async function serveWorker(file: string, io: Io): Promise<void> {
  // A terminal sends these to every process of the group: the primary says what is to be done.
  process.on('SIGINT', () => undefined).on('SIGHUP', () => undefined);
  const primary = new Primary();
  const { text, ports } = await primary.configuration();
  const worker = Number(io.env[WORKER]);
  try {
    const loaded = parseConfig(text, file, io.env);
    const logger = createLogger({ level: loaded.config.observability.log_level, worker });
    const sluice = await start(at(loaded, ports), { logger, env: io.env, workers: primary });
    primary.onReread = () => void reread(sluice, logger);
    const stopped = Promise.race([untilTerminated(), primary.stopped]);
    logger.info({ origin: sluice.log.origin, pid: process.pid }, 'serving');
    primary.say({ say: 'ready', proxy: sluice.proxy, admin: sluice.admin, policy: sluice.revision() });
    await stopped;
    logger.info({}, 'stopping');
    await sluice.close();
    cluster.worker?.disconnect();
  } catch (e) {
    if (!isSluiceError(e)) throw e;
    primary.say({ say: 'failed', code: e.code, message: e.message, at: e.at });
  }
}

function at(loaded: LoadedConfig, ports: Ports | null): LoadedConfig {
  if (ports === null) return loaded;
  const { listen } = loaded.config;
  const proxy = { ...listen.proxy, port: listen.proxy.port || ports.proxy };
  const admin = { ...listen.admin, port: listen.admin.port || ports.admin };
  return { ...loaded, config: { ...loaded.config, listen: { ...listen, proxy, admin } } };
}

const untilTerminated = (): Promise<void> =>
  new Promise((resolve) => process.once('SIGTERM', () => resolve()));

type Configuration = Extract<ToWorker, { readonly say: 'configuration' }>;

/** The worker's end of the channel to the primary. */
class Primary implements Workers {
  readonly #asked = new Map<number, (reports: readonly WorkerReport<Question>[]) => void>();
  #nextId = 1;
  #respond: Respond | null = null;
  #configured: (configuration: Configuration) => void = () => undefined;
  #stop: () => void = () => undefined;
  onReread: () => void = () => undefined;
  closing = false;
  readonly stopped = new Promise<void>((resolve) => {
    this.#stop = resolve;
  });

  constructor() {
    process.on('message', (message: ToWorker) => this.#heard(message));
  }

  say(message: FromWorker): void {
    // A primary that has just ended takes its workers with it: there is nobody to tell of that.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }

  configuration(): Promise<Configuration> {
    return new Promise((resolve) => {
      this.#configured = resolve;
      this.say({ say: 'hello' });
    });
  }

  responds(respond: Respond): void {
    this.#respond = respond;
  }

  gather<Q extends Question>(question: Q): Promise<readonly WorkerReport<Q>[]> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve as (reports: readonly WorkerReport<Question>[]) => void);
      this.say({ say: 'gather', id, question });
    });
  }

  #heard(message: ToWorker): void {
    switch (message.say) {
      case 'configuration':
        this.#configured(message);
        return;
      case 'asked':
        this.#respond?.(message.question).then(
          (answer) => this.say({ say: 'answer', id: message.id, answer }),
          // Not answered in time is what the primary then says of this worker.
          () => undefined,
        );
        return;
      case 'gathered':
        this.#asked.get(message.id)?.(message.reports);
        this.#asked.delete(message.id);
        return;
      case 'reread':
        this.onReread();
        return;
      case 'stop':
        this.closing = true;
        this.#stop();
    }
  }
}
