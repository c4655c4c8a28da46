import { expect, test } from 'vitest';
import { newDecisionId } from '../../src/decision-log/ids.ts';

test('a decision id is a UUIDv7 of the present millisecond', () => {
  const before = Date.now();
  const id = newDecisionId();
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const at = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  expect(at).toBeGreaterThanOrEqual(before);
  // more than four thousand in one millisecond borrow from the next
  expect(at).toBeLessThanOrEqual(Date.now() + 10);
});

test('ids sort in the order in which they were given, within a millisecond too', () => {
  const ids = Array.from({ length: 20_000 }, newDecisionId);
  expect([...ids].sort()).toEqual(ids);
});

test('no two decisions have the same id', () => {
  expect(new Set(Array.from({ length: 10_000 }, newDecisionId)).size).toBe(10_000);
});
