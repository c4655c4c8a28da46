/** Signs a checkpoint at intervals and shows it to the witnesses. */
import { isSluiceError } from '../../errors.ts';
import type { WitnessConfig } from '../section.ts';
import { addSignatures, grow, type LogSettings, type Place } from './log.ts';
import { splitNote } from './note.ts';
import { openWitness, type WitnessState } from './witnesses.ts';

export interface KeptLog {
  /** records that the newest checkpoint covers */
  readonly size: number;
  readonly witnesses: readonly WitnessState[];
}

/**
 * @returns one pass over the log of a chain; null: another process writes it, or there is no record
 */
export function createLogKeeper(
  settings: LogSettings,
  witnesses: readonly WitnessConfig[],
  now: () => Date,
): (origin: string) => Promise<KeptLog | null> {
  const all = witnesses.map((config) => openWitness(config, now));
  const places = new Map<string, Place>();
  const states = new Map<string, WitnessState>();
  return async (origin) => {
    const grown = await grow(origin, settings, places.get(origin) ?? null);
    if (grown === null) return null;
    if (grown.place !== null) places.set(origin, grown.place);
    const { size } = grown.checkpoint;
    const open = all.filter(({ name }) => {
      const state = states.get(`${origin} ${name}`);
      return state === undefined || state.problem !== null || state.size < size;
    });
    const lines = await Promise.all(
      open.map(async (witness) => {
        const name = `${origin} ${witness.name}`;
        try {
          const line = await witness.show(settings.dir, origin, grown.note);
          states.set(name, { name: witness.name, size, problem: null });
          return line === null ? [] : [{ name, line }];
        } catch (e) {
          if (!isSluiceError(e)) throw e;
          states.set(name, { name: witness.name, size: states.get(name)?.size ?? 0, problem: e.message });
          return [];
        }
      }),
    );
    const added = lines.flat();
    const { text } = splitNote(grown.note);
    if (
      added.length > 0 &&
      !addSignatures(
        settings.dir,
        origin,
        text,
        added.map(({ line }) => line),
      )
    )
      // Another process has the checkpoint: the witness is asked again in the next pass.
      for (const { name } of added) states.delete(name);
    return {
      size,
      witnesses: all.map(
        ({ name }) =>
          states.get(`${origin} ${name}`) ?? { name, size: 0, problem: 'its cosignature is not kept yet' },
      ),
    };
  };
}
