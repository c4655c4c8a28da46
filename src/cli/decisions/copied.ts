/** What commands that change segments need of the index and the sinks: how far their copies are. */
import type { IndexStore } from '../../decision-log/index/store.ts';
import { indexOf, sinksOf } from '../../decision-log/settings.ts';
import { openSink } from '../../decision-log/sinks/open.ts';
import { publishedCheckpoint } from '../../decision-log/tree/log.ts';
import type { Io } from '../io.ts';
import { openIndexOf, type Place } from './source.ts';

/** null: there is none */
export function openIndex(at: Place, io: Io): IndexStore | null {
  const index = indexOf(at.config.index, at.baseDir);
  if (index === null) return null;
  return openIndexOf(index, io);
}

/** @returns seq up to which the index, every sink and the checkpoints have the records of a chain */
export async function copiedBy(
  at: Place,
  index: IndexStore | null,
): Promise<(origin: string) => Promise<number>> {
  const inIndex = index === null ? null : await index.positions();
  const sinks = sinksOf(at.config.sinks, at.baseDir);
  return async (origin) => {
    // What a checkpoint does not cover yet is needed for the next one.
    const published = publishedCheckpoint(at.dir, origin);
    const signed =
      published === null && at.config.checkpoints === undefined ? [] : [published?.checkpoint.size ?? 0];
    const positions = [
      inIndex,
      ...(await Promise.all(sinks.map((s) => openSink(at.dir, origin, s).store.positions()))),
    ];
    return Math.min(
      Number.POSITIVE_INFINITY,
      ...signed,
      ...positions.map((p) => (p === null ? Number.POSITIVE_INFINITY : (p.get(origin)?.seq ?? 0))),
    );
  };
}
