/** A format that is added as CONTRIBUTING.md says: one file (`ini.ts`) and one line in the table of formats. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../../support/hostile.ts';
import type { Running } from '../../support/sluice.ts';
import { exchange, headerOf, jsonOf, requestText } from '../../support/wire.ts';

const TABLE = '../../../src/disclosure/formats/formats.ts';

/** Loads Sluice anew with one more line in the table of formats: modules are shared by the test files of a process. */
async function sluiceWithIni(): Promise<typeof import('../../support/sluice.ts')> {
  vi.resetModules();
  vi.doMock(TABLE, async (original) => {
    const { FORMATS } = await original<typeof import('../../../src/disclosure/formats/formats.ts')>();
    const { ini } = await import('./ini.ts');
    return { FORMATS: [...FORMATS, ini] };
  });
  return import('../../support/sluice.ts');
}

let upstream: HostileUpstream;
let sluice: Running;
beforeAll(async () => {
  const { CUSTOMER_ROUTES, startSluice } = await sluiceWithIni();
  upstream = await startHostile();
  const [one] = CUSTOMER_ROUTES;
  sluice = await startSluice({
    upstream: upstream.url,
    dataSubjects: { C9: { flags: ['restricted'] } },
    routes: [
      { ...one, match: 'GET /by-type/{id}' },
      { ...one, match: 'GET /by-route/{id}', response: { format: 'ini' } },
    ],
  });
});
afterAll(async () => {
  await sluice.close();
  await upstream.close();
  vi.doUnmock(TABLE);
  vi.resetModules();
});
const ask = (path: string) => exchange(sluice.port, requestText(`GET ${path}`, sluice.caller));

const BODY = 'id=C1\nname =  张三\nphone = 13812345678\nid_number = 110101199003074514\nunknown = x\n';

test('a body is disclosed field by field, by its Content-Type or because the route names the format', async () => {
  for (const [path, type] of [
    ['/by-type/C1', 'text/x-ini'],
    ['/by-route/C1', 'text/plain'],
  ] as const) {
    upstream.answer = answers(BODY, { 'Content-Type': type });
    const got = await ask(path);
    expect([got.status, headerOf(got, 'content-type')]).toEqual([200, 'text/x-ini']);
    expect(got.body.toString()).toBe('id=C1\nname =  张三\nphone = 138****5678\n');
    expect(sluice.records().at(-1)).toMatchObject({ outcome: 'modified', disclosure: { records: 1 } });
  }
});

test('a record of a restricted person is withheld', async () => {
  upstream.answer = answers(BODY.replace('C1', 'C9'), { 'Content-Type': 'text/x-ini' });
  expect((await ask('/by-type/C9')).body.toString()).not.toContain('张三');
});

test('a malformed body is refused', async () => {
  upstream.answer = answers('id=C1\n[section]\n', { 'Content-Type': 'text/x-ini' });
  expect(jsonOf(await ask('/by-type/C1'))).toMatchObject({ status: 502, code: 'response_malformed' });
});
