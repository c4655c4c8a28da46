import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answer, catalogOf, disclosed, type Setting } from './support.ts';

const catalog = catalogOf(
  { '/id': 'reference/1', '/name': 'identity/3' },
  { attributes: { vip: '/vip', dated: '/at', region: '/region' } },
);
const NAMES = ['vip', 'dated', 'region'];

test('attributes that no answer depends on make no difference but the number of questions', async () => {
  const flag = fc.constantFrom(true, false, undefined);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ vip: flag, at: fc.integer(), region: fc.constantFrom('A', 'B', undefined) })),
      fc.subarray(NAMES),
      async (rows, read) => {
        let asked = 0;
        const setting: Setting = {
          catalog,
          records: '/*',
          answer: (_resource, _state, attributes) => {
            asked += 1;
            const hides = read.some((name) => attributes[name] === true || attributes[name] === 'A');
            return answer({ 'reference/1': 'disclose', 'identity/3': hides ? 'mask' : 'disclose' });
          },
        };
        const body = JSON.stringify(rows.map((row, id) => ({ id, name: 'N', ...row })));
        const all = await disclosed(body, setting);
        const questions = asked;
        asked = 0;
        expect(await disclosed(body, { ...setting, attributesRead: read })).toBe(all);
        expect(asked).toBeLessThanOrEqual(questions);
        if (read.length === 0) expect(asked).toBe(Math.min(1, rows.length));
      },
    ),
  );
});
