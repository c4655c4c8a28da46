/**
 * The first process if there are several. It reads the configuration, keeps the workers and their listening sockets running,
 * forwards signals and queries to them, and handles no request.
 */
import { fileURLToPath } from 'node:url';
import type { LoadedConfig } from '../../config/index.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Io } from '../io.ts';
import { Crew } from './crew.ts';
import { urlOf } from '../../endpoints/listening.ts';
import { Gathering } from './gathering.ts';
import { Listeners } from './listeners.ts';
import { readyLine } from './messages.ts';
import { hangups, untilSignalled } from './signals.ts';

const MAIN = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../main.ts' : '../../main.js', import.meta.url),
);

/** @throws SluiceError the error that prevented a worker from starting */
export async function servePrimary(
  loaded: LoadedConfig,
  size: number,
  logger: Logger,
  io: Io,
): Promise<void> {
  const rereads = hangups();
  const listeners = new Listeners();
  const gathering = new Gathering(() => crew);
  const crew: Crew = new Crew({
    size,
    exec: MAIN,
    args: ['serve', '--config', loaded.file],
    text: loaded.text,
    logger,
    listeners,
    onAnswer: (id, answer) => gathering.answered(id, answer),
    onGather: (question, reply, id) =>
      void gathering.gather(question).then((reports) => reply({ say: 'gathered', id, reports })),
    onEnd: (slot) => gathering.ended(slot),
  });
  const stop = async (message: string): Promise<void> => {
    listeners.close();
    logger.info({}, message);
    if (!(await crew.stop())) io.exitCode = 3;
  };
  const signalled = untilSignalled((signal) => {
    crew.kill();
    // End by the same signal, as a single process would.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
  const starting = crew.start();
  const policy = await Promise.race([starting, signalled.then(() => null)]);
  if (policy === null) {
    starting.catch(() => undefined);
    return stop('stopped while it started');
  }
  const { listen } = loaded.config;
  const proxy = urlOf(listen.tls ? 'https' : 'http', { ...listen.proxy, port: listeners.port('proxy') });
  const admin = urlOf('http', { ...listen.admin, port: listeners.port('admin') });
  io.stdout.write(readyLine({ proxy, admin, policy, workers: size }));
  rereads.to(() => {
    for (const slot of crew.slots) crew.tell(slot, { say: 'reread' });
  });
  await signalled;
  await stop('stopping');
}
