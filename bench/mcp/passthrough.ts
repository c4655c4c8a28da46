/** What a plain Node proxy costs: node:http in, undici out, every byte passed through. `node passthrough.ts <upstream>`; prints its port. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';

const pool = new Pool(process.argv[2]!, { connections: 64, pipelining: 1 });
const server = createServer((request, response) => {
  const { accept = '*/*', 'content-type': type = 'application/json' } = request.headers;
  pool
    .request({
      path: request.url ?? '/',
      method: 'POST',
      headers: { accept, 'content-type': type, 'content-length': request.headers['content-length'] ?? '0' },
      body: request,
    })
    .then(({ statusCode, headers, body }) => {
      response.writeHead(statusCode, {
        'content-type': String(headers['content-type']),
        'content-length': String(headers['content-length']),
      });
      body.pipe(response);
    })
    .catch(() => {
      response.writeHead(502).end();
    });
}).listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
