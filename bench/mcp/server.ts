/** An MCP server that costs little: one customer of about 1 KB for each call of a tool. `node server.ts json|sse`; prints its port. */
import '../../src/json-parse.ts';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPeople } from '../../src/cli/demo/people.ts';

const inEvents = process.argv[2] === 'sse';
const { record } = createPeople(20261122, 1).customers[0]!;
const result = `{"structuredContent":${record},"content":[{"type":"text","text":${JSON.stringify(record)}}]}`;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { id } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly id: unknown };
    const message = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
    const body = Buffer.from(inEvents ? `event: message\ndata: ${message}\n\n` : message);
    response
      .writeHead(200, {
        'content-type': inEvents ? 'text/event-stream' : 'application/json',
        'content-length': body.byteLength,
      })
      .end(body);
  });
}).listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
