/**
 * Class: a change of an issuer's keys that only a failed signature shows. Root cause: keys were asked for again only when a token named an
 * id that none of them had.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Identity } from '../../src/identity/index.ts';
import {
  bearer,
  identityWith,
  issuerOf,
  keyServer,
  newKey,
  NOW,
  SettableClock,
  verdict,
} from '../identity/setup.ts';

describe('A key replaced', () => {
  let server: Awaited<ReturnType<typeof keyServer>>;
  let clock: SettableClock;
  beforeEach(async () => {
    server = await keyServer();
    clock = new SettableClock();
  });
  afterEach(() => server.close());
  const open = (): Identity =>
    identityWith({ issuers: [issuerOf([], { jwks: { url: server.url, cooldown: '30s' } })] }, clock);
  const publish = (...keys: { jwk: object }[]): void => {
    server.answer.body = JSON.stringify({ keys: keys.map((k) => k.jwk) });
  };

  test.each([
    ['under the same id', 'k', 1],
    ['in a set without ids', null, 1],
    ['in a set of several without ids', null, 3],
  ])('%s is found by one fetch, within the cooldown', async (_what, kid, count) => {
    const old = await Promise.all(Array.from({ length: count }, () => newKey(kid)));
    const next = await newKey(kid);
    publish(...old);
    const identity = open();
    expect(await verdict(identity, bearer(await old[0]!.sign()))).toBe('accepted');
    publish(next, ...old.slice(1));
    clock.time += 31_000;
    const all = Promise.withResolvers<void>();
    server.answer.after = all.promise;
    const tokens = await Promise.all(Array.from({ length: 10 }, (_, i) => next.sign({ sub: `u-${i}` })));
    const verdicts = tokens.map((t) => verdict(identity, bearer(t)));
    await vi.waitFor(() => expect(server.asked()).toBe(2), 20_000);
    all.resolve();
    expect(new Set(await Promise.all(verdicts))).toEqual(new Set(['accepted']));
    expect(server.asked()).toBe(2);
    // what the old key signed is no longer taken, remembered or not
    expect(await verdict(identity, bearer(await old[0]!.sign()))).toBe('token_signature_invalid');
    await identity.close();
  });

  test('is not asked for more often than the cooldown allows, whatever signatures come', async () => {
    const key = await newKey('k');
    const forger = await newKey('k');
    publish(key);
    const identity = open();
    for (let i = 0; i < 10; i++)
      expect(await verdict(identity, bearer(await forger.sign({ sub: `u-${i}` })))).toBe(
        'token_signature_invalid',
      );
    expect(server.asked()).toBe(1);
    clock.time += 31_000;
    for (let i = 0; i < 10; i++)
      expect(await verdict(identity, bearer(await forger.sign({ sub: `u-${i}` })))).toBe(
        'token_signature_invalid',
      );
    expect(server.asked()).toBe(2);
    expect(await verdict(identity, bearer(await key.sign()))).toBe('accepted');
    await identity.close();
  });

  test.each([
    ['first', 0, 'accepted'],
    ['eighth', 7, 'accepted'],
    ['ninth', 8, 'token_signature_invalid'],
  ])('among many without an id: what the %s has signed is %s', async (_which, n, expected) => {
    const keys = await Promise.all(Array.from({ length: 9 }, () => newKey(null)));
    // a key of another algorithm fits no token, and is not counted
    publish(await newKey(null, 'RS256'), ...keys);
    const identity = open();
    expect(await verdict(identity, bearer(await keys[n]!.sign()))).toBe(expected);
    await identity.close();
  });

  test('in a file is found by the first token that it signed', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-'));
    const file = join(dir, 'keys.json');
    const [old, next] = await Promise.all([newKey('k'), newKey('k')]);
    writeFileSync(file, JSON.stringify({ keys: [old.jwk] }));
    const identity = identityWith({ issuers: [issuerOf([], { jwks: { file } })] }, clock);
    const token = await next.sign();
    expect(await verdict(identity, bearer(token))).toBe('token_signature_invalid');
    writeFileSync(file, JSON.stringify({ keys: [next.jwk] }));
    expect(await verdict(identity, bearer(token))).toBe('accepted');
    await identity.close();
    rmSync(dir, { recursive: true });
  });
});

describe('A token issued in the future', () => {
  test.each([
    [11, 'token_not_yet_valid'],
    [9, 'accepted'],
    [86_400, 'token_not_yet_valid'],
  ])('by %i seconds, with a tolerance of 10, is answered %s', async (seconds, expected) => {
    const key = await newKey();
    for (const more of [{}, { max_token_age: '1h' }]) {
      const identity = identityWith({ issuers: [issuerOf([key.jwk], more)] });
      expect(await verdict(identity, bearer(await key.sign({ iat: NOW / 1000 + seconds })))).toBe(expected);
      await identity.close();
    }
  });
  test.each(['1', null, {}, true])('that says %j is refused for its claims', async (iat) => {
    const key = await newKey();
    const identity = identityWith({ issuers: [issuerOf([key.jwk])] });
    expect(await verdict(identity, bearer(await key.sign({ iat })))).toBe('token_claims_invalid');
    await identity.close();
  });
});
