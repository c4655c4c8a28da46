import { expect, test } from 'vitest';
import { type Change, createInvalidation } from '../../src/model/invalidation.ts';

const CHANGE: Change = { kind: 'consents', scope: { data_subject: 'C1' } };

test('every subscriber is told of every change, until it ends its subscription', () => {
  const { announce, subscribe } = createInvalidation();
  const told: Change[][] = [[], []];
  const [end] = told.map((list) => subscribe((change) => list.push(change)));
  announce(CHANGE);
  end!();
  announce({ kind: 'policy', scope: 'all' });
  expect(told).toEqual([[CHANGE], [CHANGE, { kind: 'policy', scope: 'all' }]]);
});

test('a subscriber that throws fails neither the announcement nor the other subscribers', () => {
  const failures: unknown[] = [];
  const { announce, subscribe } = createInvalidation((e) => failures.push(e));
  const error = new Error('of the subscriber');
  const told: Change[] = [];
  subscribe(() => {
    throw error;
  });
  subscribe((change) => told.push(change));
  announce(CHANGE);
  expect([failures, told]).toEqual([[error], [CHANGE]]);
});
