/** `node upstream.ts`: answers every request with one customer record from memory, and prints its port. */
import '../../src/json-parse.ts';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPeople } from '../../src/cli/demo/people.ts';

const record = Buffer.from(createPeople(20261122, 1).customers[0]?.record ?? '{}');
const headers = { 'content-type': 'application/json', 'content-length': String(record.length) };
const server = createServer((_, response) => {
  response.writeHead(200, headers).end(record);
}).listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
