/** Members of a decision as cells of a table for spreadsheets. */
import type { DecisionRecordDraft } from '../../model/record.ts';

type Cells = ReadonlyArray<
  readonly [string, (d: Omit<DecisionRecordDraft, 'part'>) => string | number | null | undefined]
>;

export const DECISION_COLUMNS: Cells = [
  ['timestamp', (d) => d.timestamp],
  ['decision_id', (d) => d.decision_id],
  ['kind', (d) => d.kind],
  ['outcome', (d) => d.outcome],
  ['subject', (d) => d.subject?.id],
  ['roles', (d) => d.subject?.properties.roles?.join(' ')],
  ['action', (d) => d.action],
  ['resource_type', (d) => d.resource?.type],
  ['resource_id', (d) => d.resource?.id],
  ['purpose', (d) => d.purpose],
  ['tier', (d) => d.tier],
  ['recipient', (d) => d.recipient],
  ['justification', (d) => d.justification],
  ['grant_id', (d) => d.grant_id],
  ['agent', (d) => d.agent?.id],
  ['claimed', (d) => d.claimed?.join(' ')],
  ['reasons', (d) => d.reasons.map((x) => x.code).join(' ')],
  ['records', (d) => d.disclosure?.records],
  ['records_withheld', (d) => d.disclosure?.records_withheld],
  ['released', (d) => d.disclosure?.released.join(' ')],
  ['withheld', (d) => d.disclosure?.withheld.map((w) => `${w.path}=${w.do}`).join(' ')],
  ['consents', (d) => d.disclosure?.consents?.join(' ')],
  ['data_subjects', (d) => d.disclosure?.data_subjects.join(' ')],
  ['policy_revision', (d) => d.policy?.revision],
];
