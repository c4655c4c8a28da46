/** What is said of a data subject, before it is written. */
import { expect, test } from 'vitest';
import type { StoredConsent } from '../../src/consent/schema.ts';
import { checkEdit } from '../../src/consent/statement.ts';

test('a change that adds and removes one flag is refused: an objection would be gone by it', () => {
  const edit = { data_subject: 'C1', addFlags: ['vip', 'opt_out'], removeFlags: ['opt_out'] };
  expect(() => checkEdit(edit)).toThrow('added and removed');
  expect(() => checkEdit({ ...edit, removeFlags: ['restricted'] })).not.toThrow();
});

test.each<[Partial<StoredConsent>, string]>([
  [{ categories: [] }, '/consents/0/categories'],
  [{ from: '2027-01-01t00:00z' }, '/consents/0/from'],
])('of a consent that does not fit its schema, it is said which member does not: %j', (more, member) => {
  const consent: StoredConsent & { readonly at: string } = {
    purpose: 'marketing',
    categories: ['contact'],
    recipient: 'internal',
    status: 'given',
    at: '2026-01-01',
    ...more,
  };
  const edit = { data_subject: 'C1', statements: [{ data_subject: 'C1', consent, evidence: {} }] };
  expect(() => checkEdit(edit)).toThrow(member);
});
