/** `sluice decisions index`: how far the index is, and how it is built again. */
import { headPath, listOrigins } from '../../decision-log/journal/directory.ts';
import { readHead } from '../../decision-log/journal/head.ts';
import { feed } from '../../decision-log/index/feeder.ts';
import { placeOf } from '../../decision-log/index/open.ts';
import type { IndexStore } from '../../decision-log/index/store.ts';
import { indexOf } from '../../decision-log/settings.ts';
import { SluiceError } from '../../errors.ts';
import type { Io } from '../io.ts';
import { counted } from '../text.ts';
import { progressBar } from './check.ts';
import { openIndexOf, place, type SourceOptions } from './source.ts';
import { table, width } from './table.ts';

export interface IndexCommandOptions extends SourceOptions {
  readonly rebuild?: boolean;
}

interface Chain {
  readonly origin: string;
  /** seq of its last record here; null: its journal is on another machine */
  readonly journal: number | null;
  readonly index: number;
  /** seq of the first record that the journal still has */
  readonly first: number;
}

/** @throws SluiceError `usage_invalid` if no index is configured */
export async function indexCommand(options: IndexCommandOptions, io: Io): Promise<void> {
  const at = await place(options, io);
  const settings = indexOf(at.config.index, at.baseDir);
  if (settings === null)
    throw new SluiceError(
      'usage_invalid',
      'No index is configured (decision_log.index): queries read the journal itself.',
    );
  const store = openIndexOf(settings, io);
  try {
    if (options.rebuild) await rebuild(at.dir, store, io);
    const chains = await chainsOf(at.dir, store);
    const { version, bytes, records, days } = await store.status();
    const behind = chains.reduce((sum, chain) => sum + lagOf(chain), 0);
    if (options.json) {
      const status = { index: placeOf(settings), version, bytes, records, days, behind, chains };
      io.stdout.write(`${JSON.stringify(status)}\n`);
      return;
    }
    const span = days === null ? '' : ` from ${days[0]} to ${days[1]}`;
    io.stdout.write(
      `${placeOf(settings)}, version ${version}: ${counted(records, 'record')}${span}, ${(bytes / (1 << 20)).toFixed(1)} MiB\n`,
    );
    if (chains.length > 0)
      io.stdout.write(
        table(
          ['chain', 'in the journal', 'in the index', 'behind'],
          chains.map((chain) => [
            chain.origin,
            chain.journal === null ? 'on another machine' : String(chain.journal),
            String(chain.index),
            chain.journal === null ? '' : String(lagOf(chain)),
          ]),
          width(io),
        ),
      );
  } finally {
    await store.close();
  }
}

const lagOf = ({ journal, index }: Chain): number => Math.max(0, (journal ?? 0) - index);

async function chainsOf(dir: string, store: IndexStore): Promise<Chain[]> {
  const positions = new Map(await store.positions());
  const chains: Chain[] = [];
  for (const { origin, segments } of await listOrigins(dir)) {
    const journal = readHead(headPath(dir, origin), null)?.latest?.head.seq ?? 0;
    chains.push({ origin, journal, index: positions.get(origin)?.seq ?? 0, first: segments[0]?.first ?? 1 });
    positions.delete(origin);
  }
  for (const [origin, { seq }] of positions) chains.push({ origin, journal: null, index: seq, first: 1 });
  return chains;
}

async function rebuild(dir: string, store: IndexStore, io: Io): Promise<void> {
  const before = await chainsOf(dir, store);
  await store.clear();
  const total = before.reduce((sum, { journal }) => sum + (journal ?? 0), 0);
  const done = new Map<string, number>();
  const bar = progressBar(io, 'indexing', 'records');
  try {
    const { refused } = await feed(dir, store, undefined, undefined, (origin, { seq }) => {
      done.set(origin, seq);
      bar.update(
        [...done.values()].reduce((sum, n) => sum + n, 0),
        total,
      );
    });
    bar.stop();
    if (refused > 0) io.stderr.write(`sluice: ${counted(refused, 'line')} of the journal cannot be read\n`);
  } finally {
    bar.stop();
  }
  for (const { origin, first } of before)
    if (first > 1)
      io.stderr.write(
        `sluice: the records of ${origin} before ${first} are archived, and not in the index\n`,
      );
  const others = before.filter(({ journal }) => journal === null).length;
  if (others > 0)
    io.stderr.write(
      `sluice: ${counted(others, 'chain')} on other machines: their sidecars copy them again\n`,
    );
}
