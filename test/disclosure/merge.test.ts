/** A record merged with what a caller sends who was shown a part of it: whatever is hidden, nothing of it is lost. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Exact, isSame, readExact, writeExact } from '../../src/disclosure/guard/exact.ts';
import { mergeRecord } from '../../src/disclosure/guard/merge.ts';

const MASK = '****';

/** What is shown of a record: members dropped and scalars masked by a sequence of choices. */
function shownOf(value: Exact, next: () => number): Exact {
  if (value.kind === 'scalar') return next() % 3 === 0 ? { kind: 'scalar', spelled: `"${MASK}"` } : value;
  if (value.kind === 'list') return { kind: 'list', items: value.items.map((item) => shownOf(item, next)) };
  const members = [...value.members].filter(() => next() % 3 !== 0);
  return { kind: 'object', members: new Map(members.map(([name, of]) => [name, shownOf(of, next)])) };
}

const record = fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 5 });
const merge = (stored: Exact, shown: Exact, sent: Exact, replaces: boolean) =>
  mergeRecord({
    stored,
    shown,
    sent,
    place: [],
    replaces,
    isDisguised: () => false,
    isFixed: () => false,
    isDocument: () => false,
    disguises: () => false,
  });

test('what is sent back as it is shown changes nothing, and nothing of it is being written', () => {
  fc.assert(
    fc.property(record, fc.array(fc.nat(), { minLength: 1, maxLength: 40 }), (value, choices) => {
      const stored = readExact(JSON.stringify(value));
      let n = 0;
      const shown = shownOf(stored, () => choices[n++ % choices.length]!);
      const sent = readExact(writeExact(shown));
      const merged = merge(stored, shown, sent, true);
      expect(isSame(merged.record, stored)).toBe(true);
    }),
  );
});

test('a member that is changed is the only one that is, and a member that is left out stays', () => {
  fc.assert(
    fc.property(record, fc.array(fc.nat(), { minLength: 1, maxLength: 40 }), (value, choices) => {
      const stored = readExact(JSON.stringify({ ...value, 'edited here': 1, 'left out': { a: 1 } }));
      let n = 0;
      const shown = shownOf(stored, () => choices[n++ % choices.length]!);
      const sent = JSON.parse(writeExact(shown)) as Record<string, unknown>;
      delete sent['left out'];
      sent['edited here'] = 'new';
      const merged = merge(stored, shown, readExact(JSON.stringify(sent)), true);
      const wanted = { ...(JSON.parse(writeExact(stored)) as object), 'edited here': 'new' };
      expect(JSON.parse(writeExact(merged.record))).toEqual(wanted);
      expect(merged.kept.has('["edited here"]')).toBe(false);
    }),
  );
});

test('numbers and texts keep the spelling that they are stored in', () => {
  const stored = readExact('{"a":88.0,"b":12345678901234567890,"c":"\\u5317"}');
  const sent = readExact('{"a":88,"c":"北"}');
  expect(writeExact(merge(stored, stored, sent, true).record)).toBe(
    '{"a":88.0,"c":"\\u5317","b":12345678901234567890}',
  );
});
