/** Calls of the admin listener without a valid credential: limited for each address, and never at the cost of somebody who has one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/observability/clock.ts';
import { recordsOf } from '../support/journals.ts';
import { policyWith } from '../support/policy.ts';
import { type Running, startSluice } from '../support/sluice.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-failures-'));
let running: Running;
let offset = 0;
beforeAll(async () => {
  running = await startSluice({
    dir,
    policy: await policyWith({}),
    identity: {
      api_keys_in_store: true,
      revocations_in_store: true,
      security_events: [
        {
          issuer: 'https://events.example',
          audience: 'sluice-events',
          jwks: { file: './keys.json' },
          algorithms: ['ES256'],
          subjects_of: ['https://idp.sluice.example'],
        },
      ],
    },
    config: { store: { sqlite: './data/store.db' }, admin: { scim: {} } },
    parts: { clock: { ...systemClock, micros: () => systemClock.micros() + offset * 1000 } },
  });
});
afterAll(async () => {
  await running.close();
  rmSync(dir, { recursive: true });
});

const send = (method: string, path: string, token: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${running.adminPort}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    ...(method === 'POST' ? { body: '{}' } : {}),
  });

const PLACES = [
  ['GET', '/v1/keys'],
  ['POST', '/v1/grants'],
  ['GET', '/scim/v2/Users/u-1'],
  ['POST', '/v1/detokenize'],
  ['POST', '/v1/security-events'],
] as const;

test('after 30 failures in a minute one record tells of all further ones, and a valid credential is answered', async () => {
  const before = recordsOf(running.journal).length;
  const statuses: number[] = [];
  for (let i = 0; i < 100; i++) {
    const [method, path] = PLACES[i % PLACES.length]!;
    const response = await send(method, path, `slk_${i}`);
    statuses.push(response.status);
    if (response.status === 429) {
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await response.json()).toMatchObject({ code: 'authentication_limited' });
    } else await response.text();
  }
  // RFC 8935 has 400 where the others have 401.
  const failed = Array.from({ length: 30 }, (_, i) => (i % PLACES.length === 4 ? 400 : 401));
  expect(statuses).toEqual([...failed, ...Array<number>(70).fill(429)]);
  const added = recordsOf(running.journal).slice(before);
  expect(added).toHaveLength(31);
  expect(added.at(-1)).toMatchObject({ outcome: 'denied', reasons: [{ code: 'authentication_limited' }] });

  const valid = await running.issuer.sign({ sub: 'u-admin', roles: ['access_admin'], org: 'internal' });
  expect((await send('GET', '/v1/keys', valid)).status).toBe(200);
  // What is refused to somebody who is known is refused as ever, and recorded.
  const known = await running.issuer.sign({ sub: 'u-9', roles: [], org: 'internal' });
  expect((await send('GET', '/v1/keys', known)).status).toBe(403);
  expect(recordsOf(running.journal).slice(before)).toHaveLength(33);

  offset += 60_000;
  expect((await send('GET', '/v1/keys', 'slk_x')).status).toBe(401);
});
