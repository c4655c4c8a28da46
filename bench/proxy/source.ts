/**
 * `node source.ts <MiB>`: an upstream that generates answers of the given length, and prints its port. A block of records is serialized once.
 * Only the ids change from block to block, so that each record belongs to another data subject.
 */
import '../../src/json-parse.ts';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPeople } from '../../src/cli/demo/people.ts';

const BLOCK = 256 * 1024;
const ID = 'C10000001';
const total = Number(process.argv[2] ?? 1024) * 1024 * 1024;

interface Body {
  readonly type: string;
  readonly head: string;
  readonly record: string;
  readonly between: string;
  readonly tail: string;
}

const person = createPeople(20261122, 1).customers[0]?.record.replace(/C100001/g, ID) ?? '';
const JSON_BODY: Body = { type: 'application/json', head: '[', record: person, between: ',', tail: ']' };
const CSV_BODY: Body = {
  type: 'text/csv; charset=utf-8',
  head: 'id,name,id_number,gender,birth_date,phone,email,bank_card,notes,vip,created_at\r\n',
  record: `${ID},张三丰,110101199003074514,男,1990-03-07,13812345678,zhang@wudang.example,6222021234567890123,"来电, ""回拨"" 13812345678",false,2018-01-18T08:15:00Z\r\n`,
  between: '',
  tail: '',
};

/** an object as elements, an array as an element for each of its values */
const elements = (value: unknown): string => {
  if (Array.isArray(value)) return value.map((each) => `<item>${elements(each)}</item>`).join('');
  if (typeof value !== 'object' || value === null) return String(value).replaceAll('&', '&amp;');
  return Object.entries(value)
    .map(([name, inner]) => `<${name}>${elements(inner)}</${name}>`)
    .join('');
};
const XML_BODY: Body = {
  type: 'application/xml; charset=utf-8',
  head: '<?xml version="1.0" encoding="UTF-8"?>\n<customers>\n',
  record: `<customer>${elements(JSON.parse(person))}</customer>`,
  between: '\n',
  tail: '\n</customers>\n',
};
const bodyOf = (path = ''): Body =>
  path.endsWith('.csv') ? CSV_BODY : path.endsWith('.xml') ? XML_BODY : JSON_BODY;

async function send(response: ServerResponse, { type, head, record, between, tail }: Body): Promise<void> {
  const one = record + between;
  const times = Math.max(1, Math.floor(BLOCK / Buffer.byteLength(one)));
  const block = Buffer.from(one.repeat(times));
  const places: number[] = [];
  for (let at = block.indexOf(ID); at >= 0; at = block.indexOf(ID, at + 1)) places.push(at + 1);
  response.writeHead(200, { 'content-type': type });
  response.write(head);
  let id = 10_000_000;
  for (let sent = 0; sent < total; sent += block.length) {
    const copy = Buffer.from(block);
    for (const at of places) copy.write(String(id++), at, 'latin1');
    if (sent + block.length >= total) {
      // what stands between two records does not stand behind the last
      response.write(copy.subarray(0, copy.length - between.length));
    } else if (!response.write(copy)) await new Promise((resolve) => response.once('drain', resolve));
    if (response.destroyed) return;
  }
  response.end(tail);
}

const server = createServer((request, response) => {
  void send(response, bodyOf(request.url));
}).listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
