/** One of several processes that do the same thing at the same moment: reads `{what, dir, n}` lines on the channel, answers each. */
import '../../src/json-parse.ts';
import { indexable } from '../../src/decision-log/index/entry.ts';
import { createDecisionLog, type OpenDecisionLog } from '../../src/decision-log/decision-log.ts';
import { openSqliteIndex } from '../../src/decision-log/index/sqlite.ts';
import { generateKey } from '../../src/decision-log/secret.ts';
import { openSink } from '../../src/decision-log/sinks/open.ts';
import type { Copy, Store } from '../../src/decision-log/index/store.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from './decision-records.ts';

export interface Task {
  readonly what: 'key' | 'make' | 'index' | 'stdout' | 'file' | 'log' | 'close';
  readonly dir: string;
  /** which of the processes this is */
  readonly me: number;
}

/** Longer than a pipe takes at once, so that a writer has to wait in the middle. */
const LINE = 100_000;
const LINES = 20;
const START = { segment: 1, offset: 0, seq: 0 };

let log: OpenDecisionLog | undefined;
const work: { readonly [what in Task['what']]: (task: Task) => Promise<unknown> } = {
  key: async ({ dir }) => generateKey(dir).key.toString(),
  make: async ({ dir }) => openSqliteIndex(`${dir}/decisions.db`).close(),
  async index({ dir, me }) {
    const index = openSqliteIndex(`${dir}/decisions.db`);
    for (let seq = 1; seq <= LINES; seq++)
      await index.take(
        `o-${me}`,
        [indexable(copy(`o-${me}`, seq))!],
        { segment: 1, offset: seq, seq },
        START,
      );
    await index.close();
    return null;
  },
  stdout: ({ dir, me }) => fill(openSink(dir, `o-${me}`, { stdout: true }).store, me),
  file: ({ dir, me }) => fill(openSink(dir, `o-${me}`, { file: `${dir}/copies.jsonl` }).store, me),
  async log({ dir }) {
    log = await createDecisionLog({ journal: { dir, instance: 'test' } }, { logger: silentLogger });
    await Promise.all(Array.from({ length: LINES }, (_, i) => log?.append(draft(i))));
    return log.origin;
  },
  close: async () => log?.close(),
};

async function fill(sink: Store, me: number): Promise<null> {
  for (let seq = 1; seq <= LINES; seq++) {
    const line = JSON.stringify({ me, seq, of: 'x'.repeat(LINE) });
    await sink.take(`o-${me}`, [{ ...copy(`o-${me}`, seq), line }], { segment: 1, offset: seq, seq }, START);
  }
  await sink.close();
  return null;
}

const copy = (origin: string, seq: number): Copy => {
  const record = { ...draft(seq), origin, seq, prev_hash: '', hash: '' };
  return { record, line: JSON.stringify(record) };
};

process.on('message', (task: Task) => {
  work[task.what](task).then(
    (value) => process.send?.({ value }),
    (e: Error) => process.send?.({ error: e.message }),
  );
});
process.send?.('here');
