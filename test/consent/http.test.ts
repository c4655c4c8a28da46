/** A service of consents: one question, one answer that can be trusted, or a refusal. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createConsentSource } from '../../src/consent/index.ts';
import type { ConsentSource } from '../../src/model/consent.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { SETTINGS } from './sources.ts';

const AT = new Date('2026-11-22T08:00:00Z');
const answer = (response: ServerResponse, body: string, status = 200): void => {
  response.statusCode = status;
  response.end(body);
};

describe('a service of consents', () => {
  let server: Server;
  let source: ConsentSource;
  let received: { readonly body: unknown; readonly authorization: string | undefined }[];
  let handle: (response: ServerResponse) => void;
  const open = async (more: object = {}, cache: object = { ttl: 0, entries: 0 }): Promise<void> => {
    source = await createConsentSource(
      {
        http: {
          url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
          timeout: 30_000,
          max_answer: 10_000,
          headers: { authorization: 'Bearer secret' },
          ...more,
        },
        ...SETTINGS,
        cache: { ...SETTINGS.cache, ...cache },
      },
      { clock: systemClock, logger: silentLogger },
    );
  };
  const ask = async (...ids: string[]) =>
    [...(await source.lookup(ids, AT))].map(([id, { flags }]) => `${id} ${flags.join()}`);
  beforeEach(async () => {
    received = [];
    handle = (response) => answer(response, '{"data_subjects":{"C1":{"flags":["vip"]}}}');
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      received.push({
        body: JSON.parse(Buffer.concat(chunks).toString()),
        authorization: request.headers.authorization,
      });
      handle(response);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  });
  afterEach(async () => {
    await source.close();
    server.closeAllConnections();
    server.close();
  });

  test('is asked once for a page, with its credential', async () => {
    await open();
    expect(await ask('C1', 'C2', 'C1')).toEqual(['C1 vip']);
    expect(received).toEqual([{ body: { data_subjects: ['C1', 'C2'] }, authorization: 'Bearer secret' }]);
  });

  test('is not asked again within the time of the cache', async () => {
    await open({}, { ttl: 30_000 });
    await ask('C1', 'C2');
    expect(await ask('C2', 'C1')).toEqual(['C1 vip']);
    expect(received).toHaveLength(1);
    expect(source.cache?.().bound).toBe(30_000);
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ['another status', (r) => answer(r, '{"data_subjects":{}}', 404)],
    ['a redirection', (r) => r.writeHead(302, { location: '/elsewhere' }).end()],
    ['no JSON', (r) => answer(r, '<html>')],
    ['no people', (r) => answer(r, '{}')],
    ['a list of people', (r) => answer(r, '{"data_subjects":[]}')],
    ['more bytes than it may have', (r) => answer(r, `{"data_subjects":{"x":"${'y'.repeat(10_000)}"}}`)],
    [
      'half a body',
      (r) => void r.writeHead(200, { 'content-length': '100' }).write('{"data', () => r.destroy()),
    ],
    ['bytes that are not UTF-8', (r) => r.end(Buffer.from([0x7b, 0xff, 0x7d]))],
    ['the end of the connection', (r) => r.destroy()],
  ])('that answers with %s is no answer', async (_what, behave) => {
    await open();
    handle = behave;
    await expect(ask('C1')).rejects.toMatchObject({ code: 'consent_unavailable' });
  });

  test('that does not answer in time is no answer', async () => {
    await open({ timeout: 20 });
    handle = () => undefined;
    await expect(ask('C1')).rejects.toMatchObject({ code: 'consent_unavailable' });
  });

  test('of which one entry cannot be trusted withholds that person alone, and says nothing of others', async () => {
    await open();
    handle = (r) =>
      answer(
        r,
        '{"data_subjects":{"C1":{"flag":["opt_out"]},"C2":{"flags":["vip"]},"C9":{},"__proto__":{}}}',
      );
    const states = await source.lookup(['C1', 'C2', 'C3'], AT);
    expect([...states.keys()]).toEqual(['C1', 'C2']);
    expect(states.get('C1')?.consents.map(({ status }) => status)).toEqual(['unknown']);
  });

  test('that fails five times in a row is left alone for a moment, and then one question decides', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      await open();
      handle = (r) => answer(r, '', 500);
      const failed = async () => expect(ask('C1')).rejects.toMatchObject({ code: 'consent_unavailable' });
      for (let i = 0; i < 5; i++) await failed();
      expect(await source.ready()).toMatchObject({ ok: false });
      await failed();
      expect(received).toHaveLength(5);
      vi.advanceTimersByTime(2_000);
      await failed();
      await failed();
      expect(received).toHaveLength(6);
      vi.advanceTimersByTime(2_000);
      handle = (r) => answer(r, '{"data_subjects":{}}');
      expect(await ask('C1')).toEqual([]);
      expect(await source.ready()).toEqual({ ok: true });
      await ask('C1');
      expect(received).toHaveLength(8);
    } finally {
      vi.useRealTimers();
    }
  });
});
