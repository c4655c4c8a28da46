/**
 * Class: an answer that is no message of its protocol once what is withheld has been left out. Root cause: elements around a record were
 * treated as any others, so that an Envelope lost its Body, and a single withheld record in XML was an empty list.
 */
import { SaxesParser } from 'saxes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { exchange, requestText, textOf } from '../support/wire.ts';

const NAMESPACES = {
  '1.1': 'http://schemas.xmlsoap.org/soap/envelope/',
  '1.2': 'http://www.w3.org/2003/05/soap-envelope',
} as const;
type Version = keyof typeof NAMESPACES;

/** Local names under the Envelope and under its Body; fails unless it is a well-formed message of that version. */
function message(text: string, version: Version): { readonly parts: string[]; readonly body: string[] } {
  const found = { parts: [] as string[], body: [] as string[] };
  const open: string[] = [];
  const parser = new SaxesParser({ xmlns: true });
  parser.on('error', (e) => {
    throw new Error(`${e.message} in ${text}`);
  });
  parser.on('opentag', (tag) => {
    if (open.length < 2 && tag.local !== 'Header') expect(tag.uri).toBe(NAMESPACES[version]);
    if (open.length === 0) expect(tag.local).toBe('Envelope');
    if (open.length === 1) found.parts.push(tag.local ?? '');
    if (open.length === 2 && open[1] === 'Body') found.body.push(tag.local ?? '');
    open.push(tag.local ?? '');
  });
  parser.on('closetag', () => void open.pop());
  parser.write(text).close();
  expect(found.parts.filter((name) => name === 'Body')).toHaveLength(1);
  return found;
}

const soap = (match: string, action: string, more: object) => ({
  match,
  upstream: 'crm',
  resource: 'customer',
  action,
  when: { body: { '/operation': 'Call' } },
  request: { format: 'soap', params: ['/namespace', '/arguments', '/arguments/**'] },
  ...more,
});
const one = { data_subject: '{body:/arguments/Id}' };
const CUSTOMER = {
  resource: 'customer',
  data_subject: ['/Id'],
  fields: { '/Id': { category: 'reference', grade: 1 }, '/Name': { category: 'identity', grade: 3 } },
};
const SECRET = 'Zhang-San-4711';

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    dataSubjects: { C9: { flags: ['restricted'] } },
    catalogs: { customer: CUSTOMER },
    answers: {
      customer: {
        '*': {
          disclose: true,
          reasons: [],
          classes: { 'reference/1': { do: 'disclose', because: 'x' } },
          fields: {},
        },
      },
    },
    routes: [
      soap('POST /one', 'read', { ...one, records: '/Envelope/Body/Response/Customer' }),
      soap('POST /whole', 'read', { data_subject: 'C1' }),
      soap('POST /list', 'search', { records: '/Envelope/Body/Response/Customer' }),
      soap('POST /body', 'search', { records: '/Envelope/Body' }),
      soap('POST /elsewhere', 'search', { records: '/Other/Thing' }),
      soap('POST /beside', 'search', { records: '/Envelope/Head/Thing' }),
      soap('POST /write', 'delete', { ...one, records: '/Envelope/Body/Response/Customer' }),
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});

const envelope = (version: Version, inner: string) =>
  `<e:Envelope xmlns:e="${NAMESPACES[version]}"><e:Body>${inner}</e:Body></e:Envelope>`;
const customer = (id: string) => `<Customer><Id>${id}</Id><Name>${SECRET}</Name></Customer>`;
function call(path: string, version: Version, id = 'C9') {
  const type = version === '1.1' ? 'text/xml' : 'application/soap+xml';
  return exchange(
    running.port,
    requestText(
      `POST ${path}`,
      { ...running.caller, 'Content-Type': type },
      envelope(version, `<Call><Id>${id}</Id></Call>`),
    ),
  );
}

describe.each(['1.1', '1.2'] as const)('A SOAP %s answer', (version) => {
  const type = version === '1.1' ? 'text/xml' : 'application/soap+xml';
  const says = (inner: string, status?: string) => {
    upstream.answer = answers(envelope(version, inner), { 'Content-Type': type }, status);
  };

  test('about one record that is withheld is a fault', async () => {
    says(`<Response>${customer('C9')}</Response>`);
    const answer = await call('/one', version);
    expect(answer.status).toBe(version === '1.1' ? 500 : 400);
    expect(message(textOf(answer), version).body).toEqual(['Fault']);
    expect(textOf(answer)).toContain('record_withheld');
    expect(textOf(answer)).not.toContain(SECRET);
    expect(running.records().at(-1)).toMatchObject({ outcome: 'denied' });
  });
  test('about one record that is not withheld is a message', async () => {
    says(`<Response>${customer('C1')}</Response>`);
    const text = textOf(await call('/one', version, 'C1'));
    expect(message(text, version).body).toEqual(['Response']);
    expect(text).toContain('<Id>C1</Id>');
    expect(text).not.toContain(SECRET);
  });

  test.each([
    ['/list', `<Response>${customer('C9')}${customer('C9')}</Response>`],
    ['/list', `<Response>${customer('C9')}${customer('C1')}</Response>`],
    ['/list', '<Other>x</Other>'],
    ['/list', ''],
    ['/body', customer('C9')],
    ['/body', '<Id>C9</Id>'],
    ['/whole', `<Response>${customer('C1')}</Response>`],
    ['/whole', SECRET],
    ['/whole', ''],
    ['/elsewhere', customer('C1')],
    ['/beside', customer('C1')],
  ])('keeps Envelope and Body whatever is withheld: %s %s', async (path, inner) => {
    says(inner);
    const answer = await call(path, version);
    expect(answer.status).toBe(200);
    message(textOf(answer), version);
    expect(textOf(answer)).not.toContain(SECRET);
  });

  test('to a write whose echo is withheld is an empty message', async () => {
    upstream.answer = answers(
      envelope(version, `<Response><Customer><Id>C9</Id><Name>${SECRET}</Name></Customer></Response>`),
      { 'Content-Type': type },
    );
    const answer = await call('/write', version, 'C1');
    expect(answer.status).toBe(200);
    expect(message(textOf(answer), version).body).toEqual([]);
    expect(textOf(answer)).not.toContain(SECRET);
  });

  test('of an upstream that fails is a fault of ours', async () => {
    says(`<e:Fault><faultstring>${SECRET}</faultstring></e:Fault>`, '500 Internal Server Error');
    const answer = await call('/one', version);
    expect(answer.status).toBe(500);
    expect(message(textOf(answer), version).body).toEqual(['Fault']);
    expect(textOf(answer)).not.toContain(SECRET);
  });
});
