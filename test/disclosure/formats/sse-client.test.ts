/** A client of the platform's API, `EventSource`, reads a stream of an upstream process through Sluice, and takes it up again where it ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Agent, EventSource, type MessageEvent } from 'undici';
import { expect, test } from 'vitest';
import { CUSTOMER_ROUTES, startSluice } from '../../support/sluice.ts';

/** Ends each answer after two events, and goes on after the last one that the client has. */
const UPSTREAM = `
  require('node:http').createServer((request, response) => {
    const last = Number(request.headers['last-event-id'] ?? 0);
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(': secret\\nretry: 10\\n\\n');
    for (const n of [last + 1, last + 2])
      response.write('id: ' + n + '\\nevent: customer\\ndata: {"id":"C' + n + '",\\ndata: "phone":"13812345678","secret":"x"}\\n\\n');
    response.end();
  }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;

test('EventSource gets each event once, with what is released of it, over three connections', async () => {
  const upstream = spawn(process.execPath, ['-e', UPSTREAM], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(createInterface(upstream.stdout), 'line')) as [string];
  const [, list] = CUSTOMER_ROUTES;
  const options = { events: ['customer'], ids: 'keep', retry: 'keep' };
  const sluice = await startSluice({
    upstream: `http://127.0.0.1:${port}`,
    crm: { request_headers: ['last-event-id'] },
    routes: [{ ...list, records: undefined, match: 'GET /events', response: { format: 'sse', options } }],
  });
  const agent = new Agent();
  // The API has no way to state headers.
  const dispatcher = agent.compose((dispatch) => (asked, handler) => {
    const headers = { ...(asked.headers as Record<string, string>), ...sluice.caller };
    return dispatch({ ...asked, headers }, handler);
  });
  const client = new EventSource(`http://127.0.0.1:${sluice.port}/events`, { dispatcher });
  const got: [string, unknown][] = [];
  await new Promise<void>((resolve) => {
    client.addEventListener('customer', (event) => {
      const { data, lastEventId } = event as unknown as MessageEvent<string>;
      got.push([lastEventId, JSON.parse(data)]);
      if (got.length === 5) resolve();
    });
  });
  client.close();
  expect(got).toEqual([1, 2, 3, 4, 5].map((n) => [String(n), { id: `C${n}`, phone: '138****5678' }]));
  await sluice.close();
  await agent.close();
  upstream.kill();
}, 60_000);
