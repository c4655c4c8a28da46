/** Whoever may no longer read a stream gets nothing more of it. */
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startHostile } from '../../support/hostile.ts';
import { CUSTOMER_ROUTES, startSluice } from '../../support/sluice.ts';
import { requestText, Wire } from '../../support/wire.ts';
test('an expired token ends a stream at the next event, with a record', async () => {
  const upstream = await startHostile();
  let ahead = 0;
  const [, list] = CUSTOMER_ROUTES;
  const sluice = await startSluice({
    upstream: upstream.url,
    routes: [{ ...list, records: undefined, match: 'GET /events', response: { format: 'sse' } }],
    parts: {
      clock: { now: () => new Date(Date.now() + ahead), micros: () => (performance.now() + ahead) * 1000 },
    },
  });
  let socket: Socket | undefined;
  upstream.answer = (_r, s) => {
    socket = s;
    s.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
  };
  const wire = await Wire.open(sluice.port);
  wire.write(requestText('GET /events', sluice.caller));
  await wire.until(':\n\n');
  socket!.write('data: {"id":"C1"}\n\n');
  await wire.until('C1');
  ahead = 100 * 86_400_000;
  socket!.write('data: {"id":"C2"}\n\n');
  await wire.untilClosed();
  expect(wire.received.toString()).not.toContain('C2');
  expect(sluice.records().at(-1)).toMatchObject({ reasons: [{ code: 'token_expired' }] });
  await sluice.close();
  await upstream.close();
});
