/**
 * Which changes are in force: each leaves the id of its decision in its own transaction. A process that is killed between the record of a change and
 * its commit cannot say so in the decision log any more, and neither can a database that has lost its last commits. A comparison finds these changes.
 */
import type { Database, Migration, Queries } from '../model/database.ts';
import type { DecisionRecordDraft } from '../model/record.ts';

export const CHANGE_MIGRATIONS: readonly Migration[] = [
  {
    name: 'changes/1',
    isAdditive: true,
    sql: 'CREATE TABLE sluice_changes (decision_id text PRIMARY KEY)',
  },
];

/** Label of the record of a change that is noted so: the call of an operation that changed nothing has none, and neither has an older record. */
export const NOTED = { commit: 'in_store' } as const;

/** A call may make several changes under one decision. */
export const noteMade = async (queries: Queries, decision_id: string): Promise<void> => {
  await queries.query('INSERT INTO sluice_changes (decision_id) VALUES ($1) ON CONFLICT DO NOTHING', [
    decision_id,
  ]);
};

type Recorded = Pick<DecisionRecordDraft, 'labels' | 'reasons'> & { readonly decision_id: string };

export interface Comparison<D> {
  /** recorded as made, and not in the store */
  readonly missing: readonly D[];
  /** recorded as unconfirmed, and in the store */
  readonly confirmed: readonly D[];
  readonly compared: number;
}

/** What the decision log says of changes, compared with the store. @throws SluiceError `store_unavailable` */
export async function compareChanges<D extends Recorded>(
  decisions: readonly D[],
  database: Pick<Database, 'query'>,
): Promise<Comparison<D>> {
  const changes = decisions.filter(({ labels }) => labels['commit'] === NOTED.commit);
  const rows = await database.query<{ decision_id: string }>(
    'SELECT decision_id FROM sluice_changes WHERE decision_id = ANY($1)',
    [changes.map(({ decision_id }) => decision_id)],
  );
  const made = new Set(rows.map(({ decision_id }) => decision_id));
  const isUnconfirmed = ({ reasons }: D): boolean =>
    reasons.some(({ code }) => code === 'change_unconfirmed');
  return {
    missing: changes.filter((d) => !made.has(d.decision_id) && !isUnconfirmed(d)),
    confirmed: changes.filter((d) => made.has(d.decision_id) && isUnconfirmed(d)),
    compared: changes.length,
  };
}
