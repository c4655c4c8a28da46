/** The feeder copies each record once, also of a chain whose end is cut off and written again between its passes. */
import { appendFileSync, cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { feed, MOST_PLACES, placesOf } from '../../src/decision-log/index/feeder.ts';
import type { Position, Store } from '../../src/decision-log/index/store.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { draft } from '../support/decision-records.ts';
import { isRecord, linesOf, openJournal, temporaryDirectory, writeJournal } from '../support/journals.ts';

function memoryStore(positions = new Map<string, Position>()) {
  const seqs = new Map<string, number[]>();
  const store: Store = {
    name: 'memory',
    positions: async () => positions,
    async take(origin, copies, position) {
      seqs.set(origin, [...(seqs.get(origin) ?? []), ...copies.map(({ record }) => record.seq)]);
      positions.set(origin, position);
    },
    close: async () => undefined,
  };
  return { store, positions, seqs };
}

const segment = (dir: string): string => join(dir, readdirSync(dir).find((f) => f.endsWith('.jsonl'))!);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

describe('a feeder', () => {
  /** What a crash may leave behind the last record that the head covers, of the lines of the next record. */
  const tails: { [what: string]: (lines: readonly string[]) => string } = {
    'half a record': (lines) => lines.findLast(isRecord)!.slice(0, 300),
    'half a record with an end': (lines) => `${lines.findLast(isRecord)!.slice(0, 300)}\n`,
    'zeros with an end': () => `${'\0'.repeat(500)}\n`,
    'shared documents without their record': (lines) => `${lines.slice(0, -1).join('\n')}\n`,
    'shared documents and half a record with an end': (lines) =>
      `${lines.slice(0, -1).join('\n')}\n${lines.at(-1)!.slice(0, 400)}\n`,
  };

  test.each(Object.keys(tails))('does not go on behind %s, which the next start cuts off', async (what) => {
    for (const isSame of [true, false]) {
      const dir = temporaryDirectory();
      const origin = await writeJournal(dir, 5);
      // The lines of a next record, whose subject is new.
      const other = temporaryDirectory();
      cpSync(dir, other, { recursive: true });
      const lines = linesOf(segment(dir)).length;
      const next = await openJournal(other);
      await next.append(draft(5));
      await next.close();
      const tail = tails[what]!(linesOf(segment(other)).slice(lines));
      appendFileSync(segment(dir), tail);
      const first = memoryStore();
      expect(await feed(dir, first.store)).toMatchObject({ lag: 0, refused: 0 });
      expect(first.seqs.get(origin)).toEqual(upTo(5));
      const { offset } = first.positions.get(origin)!;
      expect(offset).toBe(readFileSync(segment(dir)).length - Buffer.byteLength(tail));

      const journal = await openJournal(dir);
      expect(journal.origin).toBe(origin);
      for (let i = 5; i < 12; i++) await journal.append(draft(i));
      await journal.close();
      expect(await verify({ dir, key: null })).toMatchObject({ ok: true, records: 12 });
      const second = isSame ? first : memoryStore(new Map(first.positions));
      expect(await feed(dir, second.store)).toMatchObject({ lag: 0, refused: 0 });
      expect(second.seqs.get(origin)).toEqual(isSame ? upTo(12) : upTo(12).slice(5));
    }
  });

  test('remembers shared documents of few chains, and copies the others all the same', async () => {
    const dir = temporaryDirectory();
    const chains = MOST_PLACES + 3;
    const { store, seqs } = memoryStore();
    for (let pass = 1; pass <= 3; pass++) {
      for (let i = 0; i < chains; i++) {
        const journal = await openJournal(dir, { instance: `chain-${i}` });
        await journal.append(draft(1));
        await journal.close();
      }
      expect(await feed(dir, store)).toMatchObject({ lag: 0, refused: 0 });
      expect(seqs.size).toBe(chains);
      for (const [origin, copied] of seqs) expect(copied, origin).toEqual(upTo(pass));
      expect(placesOf(store).size).toBe(MOST_PLACES);
    }
  });
});
