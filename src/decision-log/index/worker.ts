/**
 * The thread that copies records from the journal to the index and the sinks, and answers queries. On the main thread,
 * parsing records and SQLite's synchronous calls would delay requests.
 */
import '../../json-parse.ts';
import { parentPort, workerData } from 'node:worker_threads';
import { isSluiceError, SluiceError } from '../../errors.ts';
import type { QueryInterface } from './query.ts';
import { listOrigins, lockPath as journalLock } from '../journal/directory.ts';
import { isHeld } from '../journal/lock.ts';
import { scanQuery } from './scan.ts';
import { Unavailable } from '../sinks/destination.ts';
import { createMasker, type Masker, maskedStore } from '../sinks/masking.ts';
import { openSink } from '../sinks/open.ts';
import { feed } from './feeder.ts';
import { openIndex, placeOf } from './open.ts';
import { createLogKeeper, type KeptLog } from '../tree/keep.ts';
import type { CheckpointSettings, FromWorker, ToWorker, WorkerSettings } from './protocol.ts';
import type { IndexStore, Store } from './store.ts';

const settings = workerData as WorkerSettings;
const port = parentPort!;
const send = (message: FromWorker): void => port.postMessage(message);
const closing = new AbortController();

const index =
  settings.index === null
    ? null
    : openIndex(settings.index, () => send({ type: 'replaced', store: placeOf(settings.index!) }));
const source: QueryInterface = index ?? scanQuery(settings.dir);
const isOwn = (origin: string): boolean => origin === settings.origin;

/** What sinks get. While the policy is awaited they get nothing. */
const first = Promise.withResolvers<Masker | null>();
first.promise.catch(() => undefined);
let masker: Promise<Masker | null> = settings.awaitsRules ? first.promise : Promise.resolve(null);

const loops: Array<{ wake(): void; done: Promise<void>; close(): Promise<void> }> = [];
if (settings.origin !== null) {
  if (index !== null) loops.push(keepFeeding(index, ownAndLeftOver(), pruning(index)));
  for (const sink of settings.sinks) {
    const { store, takesLeftOver } = openSink(settings.dir, settings.origin, sink);
    const masked = maskedStore(
      store,
      () => masker,
      (counts) => send({ type: 'masked', store: store.name, ...counts }),
    );
    loops.push(keepFeeding(masked, ownAndLeftOver(takesLeftOver)));
  }
}

/**
 * A store takes this process's chain and chains without a live process. Chains of live processes are left to them:
 * otherwise each of many workers would copy every record. An index takes the same record twice; of the processes with the
 * same sink, one sends it the chains without a process, and the sinks `file` and `stdout` take only this process's chain.
 */
function ownAndLeftOver(takesLeftOver: () => boolean = () => true): () => (origin: string) => boolean {
  let next = 0;
  return () => {
    if (performance.now() < next) return isOwn;
    next = performance.now() + settings.interval;
    if (!takesLeftOver()) return isOwn;
    return (origin) => isOwn(origin) || !isHeld(journalLock(settings.dir, origin));
  };
}

/** Signs in the main thread, which has the key. */
const signings = new Map<number, (signature: Uint8Array | null) => void>();
let nextSigning = 1;
const sign = (text: string): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const id = nextSigning++;
    signings.set(id, (signature) =>
      signature === null ? reject(new Error('the key cannot sign')) : resolve(Buffer.from(signature)),
    );
    send({ type: 'sign', id, text });
  });

/** Signs checkpoints until `close`, and a last one then, since the sidecar may not come back. */
async function keepLog({ every, name, publicKey, witnesses }: CheckpointSettings): Promise<void> {
  const { dir, origin } = settings;
  const pass = createLogKeeper(
    { dir, name, signer: { publicKey: () => publicKey, sign } },
    witnesses,
    () => new Date(),
  );
  for (;;) {
    const isLast = closing.signal.aborted;
    const problems: string[] = [];
    const covered = (of: string): Promise<KeptLog | null> =>
      pass(of).catch((e: unknown) => {
        problems.push(isSluiceError(e) ? e.message : (e as Error).name);
        return null;
      });
    const log = await covered(origin!);
    // The chains of commands and of processes that have ended have nobody else. One that is damaged stops no other.
    for (const other of await listOrigins(dir).catch(() => []))
      if (other.origin !== origin && !isHeld(journalLock(dir, other.origin))) await covered(other.origin);
    send({ type: 'checkpoint', log, problem: problems[0] ?? null });
    if (isLast) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, every);
      const end = (): void => {
        clearTimeout(timer);
        resolve();
      };
      if (closing.signal.aborted) end();
      else closing.signal.addEventListener('abort', end, { once: true });
    });
  }
}

/** milliseconds between looks for days that are too old */
const PRUNE_EVERY = 3_600_000;

function pruning(store: IndexStore): () => Promise<void> {
  let next = 0;
  return async () => {
    if (store.oldest === 0 || performance.now() < next) return;
    const days = await store.prune();
    next = performance.now() + PRUNE_EVERY;
    if (days.length > 0) send({ type: 'pruned', store: store.name, days });
  };
}

/** Feeds a store until `close`. After a failure it retries with exponential backoff. */
function keepFeeding<Held>(
  store: Store<Held>,
  wanted: () => (origin: string) => boolean,
  afterwards: () => Promise<void> = async () => undefined,
) {
  let wake: () => void = () => undefined;
  let woken = false;
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (closing.signal.aborted) wake();
    });
  const run = async () => {
    let delay = 100;
    for (;;) {
      const last = closing.signal.aborted;
      woken = false;
      try {
        const result = await feed(settings.dir, store, undefined, wanted(), (origin, { seq }) => {
          // The next failure is a new one: the store has answered.
          delay = 100;
          if (isOwn(origin)) send({ type: 'copied', store: store.name, seq });
        });
        send({ type: 'copied', store: store.name, seq: result.seq.get(settings.origin!) ?? 0 });
        if (result.refused > 0) send({ type: 'unreadable', store: store.name, count: result.refused });
        delay = 100;
        if (last) return;
        await afterwards();
        // There may be hundreds of commits a second; the pause copies them in one batch.
        await pause(woken ? 20 : settings.interval);
        if (woken && !closing.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 20));
      } catch (e) {
        send({
          type: 'failed',
          store: store.name,
          message: isSluiceError(e) ? e.message : (e as Error).name,
          stopped: isSluiceError(e, 'sink_refused'),
        });
        if (last || isSluiceError(e, 'sink_refused')) return;
        delay = Math.min(delay * 2, 30_000);
        const wait = Math.max(delay, e instanceof Unavailable ? e.wait : 0);
        await new Promise((resolve) => {
          setTimeout(resolve, wait);
          closing.signal.addEventListener('abort', resolve, { once: true });
        });
      }
    }
  };
  return {
    wake: () => {
      woken = true;
      wake();
    },
    done: run(),
    close: () => store.close(),
  };
}

const keeping =
  settings.checkpoints === null || settings.origin === null ? null : keepLog(settings.checkpoints);

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'committed':
      for (const loop of loops) loop.wake();
      return;
    case 'rules':
      masker = message.rules === null ? Promise.resolve(null) : createMasker(message.rules);
      // Batches that wait for the first rules go by these.
      first.resolve(masker);
      return;
    case 'query':
      return respond(message.id, () => source.query(message.query));
    case 'get':
      return respond(message.id, () => source.get(message.decisionId));
    case 'signed':
      signings.get(message.id)?.(message.signature);
      signings.delete(message.id);
      return;
    case 'close':
      void close();
  }
});

function respond(id: number, work: () => Promise<unknown>): void {
  work().then(
    (value) => send({ type: 'result', id, value }),
    (e) =>
      send({
        type: 'error',
        id,
        code: isSluiceError(e) ? e.code : 'internal',
        message: isSluiceError(e) ? e.message : `The query failed (${(e as Error).name}).`,
      }),
  );
}

async function close(): Promise<void> {
  closing.abort();
  first.reject(new SluiceError('policy_unavailable', 'No policy has said what sinks may have.'));
  for (const loop of loops) loop.wake();
  await Promise.all([...loops.map((loop) => loop.done), keeping]);
  await Promise.all(
    [...loops, ...(index !== null && loops.length === 0 ? [index] : [])].map((s) => s.close()),
  );
  port.close();
}
