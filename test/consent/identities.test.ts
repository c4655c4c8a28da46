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
  const { promise, reject } = Promise.withResolvers<string>();
  const identities = createIdentities(
    {
      alias: (type) => {
        if (type === 'login') throw failed('the consents cannot be read');
        return undefined;
      },
    },
    { has: (type) => type === 'card', find: () => promise },
  );
  const identified = (async () =>
    identities.identify(DATA, [
      { type: 'card', text: '00000001' },
      { type: 'login', text: 'zhangsan' },
    ]))();
  await expect(identified).rejects.toThrow('the consents cannot be read');
  reject(failed('the upstream did not answer'));
  // Node.js announces unhandled rejections after the microtasks of a turn.
  await setImmediate();
  expect(unhandled).toEqual([]);
});
