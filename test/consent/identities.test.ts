import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createIdentities } from '../../src/consent/index.ts';
import { SluiceError } from '../../src/errors.ts';

const DATA = {
  identifiers: {
    customer_no: { pattern: 'C[0-9]{6}' },
    card: { pattern: '[0-9]{8}', resolves_to: 'customer_no' },
    login: { pattern: '[a-z]+', resolves_to: 'customer_no' },
  },
};
const failed = (what: string): SluiceError => new SluiceError('consent_unavailable', what);

test('reports consents that cannot be read while an earlier value is looked up, and leaves no rejection without a handler', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): unknown => unhandled.push(reason);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  const pending = Promise.withResolvers<string>();
  const asked: string[] = [];
  const identities = createIdentities(
    {
      aliases: (values) => {
        if (values.some(({ type }) => type === 'login')) throw failed('the consents cannot be read');
        return new Map();
      },
    },
    {
      has: (type) => type === 'card',
      find: async (_, value) => {
        asked.push(value);
        if (value === '00000002') throw failed('the upstream did not answer');
        return pending.promise;
      },
    },
  );
  const identify = async (...values: (readonly [string, string])[]) =>
    identities.identify(
      DATA,
      values.map(([type, text]) => ({ type, text })),
    );
  await expect(identify(['card', '00000001'], ['login', 'zhangsan'])).rejects.toThrow(
    'the consents cannot be read',
  );
  expect(asked).toEqual([]);
  await expect(identify(['card', '00000001'], ['card', '00000002'])).rejects.toThrow(
    'the upstream did not answer',
  );
  pending.reject(failed('the upstream did not answer'));
  // Node.js announces unhandled rejections after the microtasks of a turn.
  await setImmediate();
  expect(unhandled).toEqual([]);
});
