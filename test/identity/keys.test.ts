import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Identity } from '../../src/identity/index.ts';
import { systemClock } from '../../src/observability/clock.ts';
import {
  bearer,
  identityWith,
  issuerOf,
  keyServer,
  NOBODY,
  NOW,
  newKey,
  SettableClock,
  type TestKey,
  verdict,
} from './setup.ts';

let one: TestKey;
let two: TestKey;
beforeAll(async () => {
  [one, two] = await Promise.all([newKey('one'), newKey('two')]);
});

const setOf = (...keys: TestKey[]): string => JSON.stringify({ keys: keys.map((k) => k.jwk) });
const fromUrl = (url: string, more: object = {}) => issuerOf([], { jwks: { url, ...more } });

describe('keys at a URL', () => {
  let server: Awaited<ReturnType<typeof keyServer>>;
  let clock: SettableClock;
  beforeEach(async () => {
    server = await keyServer();
    server.answer.body = setOf(one);
    clock = new SettableClock();
  });
  afterEach(() => server.close());
  const open = (more: object = {}): Identity => identityWith({ issuers: [fromUrl(server.url, more)] }, clock);

  test('are fetched when the first token comes, by one request however many tokens come', async () => {
    const all = Promise.withResolvers<void>();
    server.answer.after = all.promise;
    const identity = open();
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, i) => one.sign({ sub: `u-${i}` })));
    const authenticated = tokens.map((t) => identity.authenticate(bearer(t), NOBODY));
    await vi.waitFor(() => expect(server.asked()).toBe(1), 20_000);
    all.resolve();
    await Promise.all(authenticated);
    expect(server.asked()).toBe(1);
  });

  test('are fetched anew for a key that is not known, but not within the cooldown', async () => {
    const identity = open({ cooldown: '30s' });
    expect(await verdict(identity, bearer(await one.sign()))).toBe('accepted');
    server.answer.body = setOf(one, two);
    for (let i = 0; i < 20; i++)
      expect(await verdict(identity, bearer(await two.sign({ sub: `u-${i}` })))).toBe('token_key_unknown');
    expect(server.asked()).toBe(1);
    clock.time += 31_000;
    expect(await verdict(identity, bearer(await two.sign()))).toBe('accepted');
    expect(server.asked()).toBe(2);
  });

  test('that the issuer has withdrawn stop working within their age, for remembered tokens too', async () => {
    const identity = open({ max_age: '60s', cooldown: '1s' });
    const headers = bearer(await one.sign());
    expect(await verdict(identity, headers)).toBe('accepted');
    server.answer.body = setOf(two);
    clock.time += 61_000;
    expect(await verdict(identity, headers)).toBe('token_key_unknown');
  });

  test('are refused when they are too old and cannot be fetched', async () => {
    const identity = open({ max_age: '60s', cooldown: '1s' });
    const headers = bearer(await one.sign());
    expect(await verdict(identity, headers)).toBe('accepted');
    server.answer.status = 500;
    clock.time += 61_000;
    expect(await verdict(identity, headers)).toBe('keys_unavailable');
    expect((await identity.ready()).ok).toBe(false);
  });

  test('serve on past their age while fetching fails, for as long as stale_if_error says', async () => {
    const identity = open({ max_age: '60s', cooldown: '1s', stale_if_error: '30s' });
    const token = await one.sign();
    expect(await verdict(identity, bearer(token))).toBe('accepted');
    server.answer.status = 503;
    clock.time += 80_000;
    expect(await verdict(identity, bearer(await one.sign({ sub: 'new' })))).toBe('accepted');
    clock.time += 11_000;
    expect(await verdict(identity, bearer(token))).toBe('keys_unavailable');
  });

  test.each([
    ['back', -3_600_000],
    ['forward', 3_600_000],
  ])('are no younger and no older after the clock was set %s by an hour', async (_which, by) => {
    const identity = open({ max_age: '60s', cooldown: '1s' });
    const lasting = { iat: NOW / 1000 - 7_200, exp: NOW / 1000 + 7_200 };
    const headers = bearer(await one.sign(lasting));
    expect(await verdict(identity, headers)).toBe('accepted');
    clock.set = by;
    server.answer.status = 500;
    clock.time += 29_000;
    expect(await verdict(identity, bearer(await one.sign({ ...lasting, sub: 'new' })))).toBe('accepted');
    expect(server.asked()).toBe(1);
    clock.time += 32_000;
    expect(await verdict(identity, headers)).toBe('keys_unavailable');
    server.answer.status = 200;
    clock.set = 0;
    clock.time += 2_500;
    expect(await verdict(identity, headers)).toBe('accepted');
  });

  test('are not asked for over and over while the issuer is down, and found again when it is back', async () => {
    server.answer.status = 500;
    const identity = open();
    for (let i = 0; i < 20; i++)
      expect(await verdict(identity, bearer(await one.sign({ sub: `u-${i}` })))).toBe('keys_unavailable');
    expect(server.asked()).toBe(1);
    server.answer.status = 200;
    clock.time += 2_500;
    expect(await verdict(identity, bearer(await one.sign()))).toBe('accepted');
  });

  test('are not waited for longer than their timeout', async () => {
    server.answer.silent = true;
    expect(await verdict(open({ timeout: '200ms' }), bearer(await one.sign()))).toBe('keys_unavailable');
  });

  test.each([
    ['HTML', '<html>'],
    ['an empty set', '{"keys":[]}'],
    ['a list', '[]'],
    ['null', 'null'],
    ['megabytes', `{"keys":[],"padding":"${'x'.repeat(600_000)}"}`],
  ])('that turn out to be %s are none', async (_what, body) => {
    server.answer.body = body;
    expect(await verdict(open(), bearer(await one.sign()))).toBe('keys_unavailable');
  });

  test('are not taken from where a redirect leads', async () => {
    const elsewhere = await keyServer();
    elsewhere.answer.body = setOf(one);
    server.answer.status = 302;
    server.answer.headers = { location: elsewhere.url };
    expect(await verdict(open(), bearer(await one.sign()))).toBe('keys_unavailable');
    expect(elsewhere.asked()).toBe(0);
    await elsewhere.close();
  });

  test('are left out where they are private or shared', async () => {
    const secret = Buffer.from('0'.repeat(32)).toString('base64url');
    server.answer.body = JSON.stringify({
      keys: [{ kty: 'oct', k: secret, kid: 'one', alg: 'HS256' }, two.jwk],
    });
    expect(await verdict(open(), bearer(await one.sign()))).toBe('token_key_unknown');
  });
});

describe('keys in a file', () => {
  let dir: string;
  let identity: Identity;
  const path = (): string => join(dir, 'keys.json');
  const replace = (text: string): void => {
    writeFileSync(`${path()}.new`, text);
    renameSync(`${path()}.new`, path());
  };
  const eventually = async (check: () => Promise<boolean>): Promise<boolean> => {
    await vi.waitFor(async () => expect(await check()).toBe(true), 20_000);
    return true;
  };
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
    replace(setOf(one));
    const clock = { now: () => new SettableClock().now(), micros: systemClock.micros };
    let offset = 0;
    // Real time passes for the file, the token's time stands still but for that.
    const started = Date.now();
    identity = identityWith(
      { issuers: [issuerOf([], { jwks: { file: path() } })] },
      {
        ...clock,
        now: () => {
          offset = Date.now() - started;
          return new Date(new SettableClock().time + offset);
        },
      },
    );
  });
  afterEach(async () => {
    await identity.close();
    rmSync(dir, { recursive: true });
  });

  test('that can no longer be read serve for stale_if_error, for a token that was verified meanwhile too', async () => {
    const clock = new SettableClock();
    const jwks = { file: path(), stale_if_error: '60s' };
    const stale = identityWith({ issuers: [issuerOf([], { jwks })] }, clock);
    const headers = bearer(await one.sign());
    expect(await verdict(stale, headers)).toBe('accepted');
    replace('no keys');
    expect(await eventually(async () => !(await stale.ready()).ok)).toBe(true);
    expect(await verdict(stale, headers)).toBe('accepted');
    clock.set = -3_600_000;
    clock.time += 61_000;
    expect(await verdict(stale, headers)).toBe('keys_unavailable');
    await stale.close();
  });

  test('that change while a signature is checked leave nothing of the check behind', async () => {
    const headers = bearer(await one.sign());
    const before = verdict(identity, headers);
    replace(setOf(two));
    identity.refresh();
    const after = verdict(identity, headers);
    // The first check had begun with the key that has just been withdrawn.
    expect([await before, await after, await verdict(identity, headers)]).toEqual([
      'accepted',
      'token_key_unknown',
      'token_key_unknown',
    ]);
  });

  test('are read at the start', async () => {
    expect(await verdict(identity, bearer(await one.sign()))).toBe('accepted');
  });
  test('are read again when the file is replaced, and old ones forgotten with what they signed', async () => {
    const headers = bearer(await one.sign());
    expect(await verdict(identity, headers)).toBe('accepted');
    replace(setOf(two));
    expect(await eventually(async () => (await verdict(identity, headers)) === 'token_key_unknown')).toBe(
      true,
    );
    expect(await verdict(identity, bearer(await two.sign()))).toBe('accepted');
  });
  test('are refused while the file is broken, and taken again when it is whole', async () => {
    const headers = bearer(await one.sign());
    expect(await verdict(identity, headers)).toBe('accepted');
    replace('{"keys":');
    expect(await eventually(async () => (await verdict(identity, headers)) === 'keys_unavailable')).toBe(
      true,
    );
    expect((await identity.ready()).ok).toBe(false);
    replace(setOf(one));
    expect(await eventually(async () => (await verdict(identity, headers)) === 'accepted')).toBe(true);
  });
  test('that are not there keep Sluice from starting', () => {
    expect(() =>
      identityWith({ issuers: [issuerOf([], { jwks: { file: join(dir, 'none.json') } })] }),
    ).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });
});
