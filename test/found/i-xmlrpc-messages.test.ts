/**
 * Class: an answer that is no message of its protocol once what is withheld has been left out, in XML-RPC. Root cause: a `methodResponse`
 * without a result or a fault is no message to any client, and only SOAP's envelope was kept whole: an empty list that was searched, an echo
 * that is withheld and a fault of the upstream could not be read.
 */
import { SaxesParser } from 'saxes';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { exchange, requestText, textOf } from '../support/wire.ts';

const SECRET = 'Zhang-San-4711';
const call = (id: string) =>
  `<methodCall><methodName>get</methodName><params><param><value>${id}</value></param></params></methodCall>`;
const struct = (id: string) =>
  `<value><struct><member><name>id</name><value>${id}</value></member><member><name>x</name><value>${SECRET}</value></member></struct></value>`;
const list = (...ids: string[]) => `<value><array><data>${ids.map(struct).join('')}</data></array></value>`;
const result = (value: string) =>
  `<?xml version="1.0"?><methodResponse><params><param>${value}</param></params></methodResponse>`;
const FAULT = `<methodResponse><fault><value><struct><member><name>faultString</name><value>${SECRET}</value></member></struct></value></fault></methodResponse>`;

const VALUE = '/methodResponse/params/param/value';
const route = (
  match: string,
  action: string,
  more: object,
  request: object = { params: ['/params/**'] },
) => ({
  match,
  upstream: 'crm',
  resource: 'customer',
  action,
  when: { body: { '/methodName': 'get' } },
  request: { format: 'xmlrpc', ...request },
  response: { format: 'xml', options: { dialect: 'xmlrpc' } },
  ...more,
});
const one = { data_subject: '{body:/params/0}' };

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    dataSubjects: { C9: { flags: ['restricted'] } },
    routes: [
      route('POST /one', 'read', { ...one, records: VALUE }),
      route('POST /whole', 'read', one),
      route('POST /list', 'search', { records: `${VALUE}/array/data/value` }),
      route(
        'POST /search',
        'search',
        { records: `${VALUE}/array/data/value` },
        { fields: { '/params/0': '/city' } },
      ),
      route('POST /elsewhere', 'search', { records: '/other/thing' }),
      route('POST /write', 'delete', { ...one, records: VALUE }),
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

/** What it answers with; fails unless it is a message of XML-RPC. */
function kindOf(text: string): 'params' | 'fault' {
  const open: string[] = [];
  const paths: string[] = [];
  const parser = new SaxesParser({});
  parser.on('error', (e) => {
    throw new Error(`${e.message} in ${text}`);
  });
  parser.on('opentag', ({ name }) => {
    open.push(name);
    paths.push(open.join('/'));
  });
  parser.on('closetag', () => void open.pop());
  parser.write(text).close();
  const kinds = paths.filter((p) => p.split('/').length === 2).map((p) => p.split('/')[1]);
  expect(paths[0], text).toBe('methodResponse');
  expect(kinds, text).toHaveLength(1);
  const kind = kinds[0] as 'params' | 'fault';
  const value = kind === 'params' ? 'methodResponse/params/param/value' : 'methodResponse/fault/value';
  expect(
    paths.filter((p) => p === value),
    text,
  ).toHaveLength(1);
  return kind;
}
async function ask(path: string, id: string, answer: string): Promise<string> {
  upstream.answer = answers(answer, { 'Content-Type': 'text/xml' });
  const request = requestText(`POST ${path}`, { ...running.caller, 'Content-Type': 'text/xml' }, call(id));
  const got = await exchange(running.port, request);
  expect(got.status).toBe(200);
  expect(textOf(got)).not.toContain(SECRET);
  return textOf(got);
}

test.each([
  ['/one', 'C1', result(struct('C1')), 'params'],
  ['/one', 'C9', result(struct('C9')), 'fault'],
  ['/one', 'C1', FAULT, 'fault'],
  ['/one', 'C1', result(`<value>${SECRET}</value>`), 'params'],
  ['/whole', 'C9', result(struct('C9')), 'fault'],
  ['/whole', 'C1', FAULT, 'fault'],
  ['/list', 'C1', result(list('C9')), 'params'],
  ['/list', 'C1', result('<value><nil/></value>'), 'params'],
  ['/list', 'C1', FAULT, 'fault'],
  ['/search', 'C1', result(list('C1', 'C9')), 'params'],
  ['/search', 'C1', FAULT, 'fault'],
  ['/elsewhere', 'C1', result(list('C1')), 'params'],
  ['/elsewhere', 'C1', FAULT, 'params'],
  ['/write', 'C1', result(struct('C9')), 'params'],
])(
  'An answer of XML-RPC stays a message whatever is withheld: %s of %s, answered %s, is %s',
  async (path, id, answer, kind) => {
    expect(kindOf(await ask(path, id, answer))).toBe(kind);
  },
);

test('a searched list without records is one message, whatever the upstream calls it', async () => {
  const bodies = [
    list(),
    list('C9'),
    list('C9', 'C9'),
    '<value><nil/></value>',
    '<value><boolean>0</boolean></value>',
    '<value/>',
  ].map(result);
  bodies.push(
    '<?xml version="1.0"?><methodResponse/>',
    '<?xml version="1.0"?><methodResponse><params/></methodResponse>',
  );
  const texts = new Set<string>();
  for (const body of bodies) texts.add(await ask('/search', 'C1', body));
  expect(texts.size).toBe(1);
  expect(kindOf([...texts][0]!)).toBe('params');
});
