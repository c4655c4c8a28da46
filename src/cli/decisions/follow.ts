/** `sluice decisions tail`: prints one line for each record as it is written. */
import { merge } from '../../decision-log/index/decision.ts';
import { headPath, listOrigins } from '../../decision-log/journal/directory.ts';
import { readHead } from '../../decision-log/journal/head.ts';
import { feed } from '../../decision-log/index/feeder.ts';
import type { Copy, Position, Store } from '../../decision-log/index/store.ts';
import { type Decision, type DecisionQuery, matches, readyQuery } from '../../decision-log/index/query.ts';
import { isSluiceError } from '../../errors.ts';
import type { Io } from '../io.ts';
import { counted } from '../text.ts';
import { plain, resourceOf } from './table.ts';

export function line(d: Decision): string {
  const what = d.disclosure;
  const words = [
    d.timestamp.slice(11, 23),
    d.outcome.padEnd(8),
    d.subject?.id ?? '–',
    d.action ?? d.kind,
    resourceOf(d),
    d.purpose ?? '–',
    what === null ? '' : counted(what.records, 'record'),
    what === null || what.withheld.length === 0
      ? ''
      : `withheld ${what.withheld
          .map((w) => w.path)
          .slice(0, 5)
          .join(' ')}${what.withheld.length > 5 ? ' …' : ''}`,
    d.reasons.map((r) => r.code).join(' '),
    d.decision_id,
  ];
  return `${plain(words.filter((w) => w !== '').join('  '))}\n`;
}

const EVERY = 250;

/** Ends when `signal` is aborted. Starts after the records that the heads cover at the first pass. */
export async function follow(
  dir: string,
  query: DecisionQuery,
  json: boolean,
  io: Io,
  signal: AbortSignal,
): Promise<void> {
  const q = readyQuery(query);
  const positions = await ends(dir);
  const begun = new Map([...positions].map(([origin, p]) => [origin, p.seq]));
  const printer: Store = {
    name: 'tail',
    positions: async () => positions,
    async take(origin: string, copies: readonly Copy[], position: Position) {
      for (const { record, line: text } of copies) {
        if (record.seq <= (begun.get(origin) ?? 0)) continue;
        const decision = merge([record]);
        if (matches(decision, q)) io.stdout.write(json ? `${text}\n` : line(decision));
      }
      positions.set(origin, position);
    },
    close: async () => undefined,
  };
  while (!signal.aborted) {
    // A segment may be archived between the listing and the read.
    await feed(dir, printer, signal).catch((e) => {
      if (isSluiceError(e)) throw e;
    });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, EVERY);
      signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });
  }
}

async function ends(dir: string): Promise<Map<string, Position>> {
  const positions = new Map<string, Position>();
  for (const { origin, segments } of await listOrigins(dir)) {
    const seq = readHead(headPath(dir, origin), null)?.latest?.head.seq ?? 0;
    const last = segments.findLast((s) => s.first <= seq + 1);
    positions.set(origin, { segment: last?.first ?? 0, offset: 0, seq });
  }
  return positions;
}
