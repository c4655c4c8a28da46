/** Warns of a name that no decision has, since an empty result may come from a misspelled name. */
import type { Decision, DecisionQuery, QueryInterface } from '../../decision-log/index/query.ts';
import { didYouMean } from '../../documents/near-name.ts';
import type { Io } from '../io.ts';
import { plain } from './table.ts';

/** The options whose values come from a small vocabulary, and the member of a decision that holds them. */
const NAMES: {
  readonly [key in keyof DecisionQuery]?: readonly [string, (d: Decision) => readonly unknown[]];
} = {
  purpose: ['--purpose', (d) => [d.purpose]],
  recipient: ['--recipient', (d) => [d.recipient]],
  action: ['--action', (d) => [d.action]],
  resource_type: ['--resource', (d) => [d.resource?.type]],
  reason: ['--reason', (d) => d.reasons.map(({ code }) => code)],
  path: [
    '--path',
    (d) => [...(d.disclosure?.released ?? []), ...(d.disclosure?.withheld ?? []).map((w) => w.path)],
  ],
  class: ['--class', (d) => Object.keys(d.disclosure?.by_class ?? {})],
  policy: ['--policy', (d) => [d.policy?.revision]],
  origin: ['--origin', (d) => d.chain.map(({ origin }) => origin)],
};
/** maximum of decisions that are searched for existing names */
const LOOKED_AT = 1000;
const LISTED = 12;

/** Call it after a query without a result. Warnings go to standard error, so that `--json` output stays valid. */
export async function warnOfUnheardNames(query: DecisionQuery, log: QueryInterface, io: Io): Promise<void> {
  const asked = Object.entries(NAMES).filter(([key]) => query[key as keyof DecisionQuery] !== undefined);
  let newest: readonly Decision[] | null = null;
  for (const [key, [option, namesOf]] of asked) {
    const value = String(query[key as keyof DecisionQuery]);
    if ((await log.query({ [key]: value, limit: 1 })).decisions.length > 0) continue;
    newest ??= (await log.query({ limit: LOOKED_AT })).decisions;
    const names = new Set(
      newest.flatMap(namesOf).filter((name): name is string => typeof name === 'string' && name !== ''),
    );
    const meant = didYouMean(value, names);
    const listed = [...names].sort().slice(0, LISTED).map(plain).join(', ');
    const known =
      names.size === 0 ? '' : ` The newest decisions have ${listed}${names.size > LISTED ? ' …' : '.'}`;
    io.stderr.write(`sluice: no decision of this log has ${option} ${plain(value)}${meant || '.'}${known}\n`);
  }
}
