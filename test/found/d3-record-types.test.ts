/**
 * Class D3: a response held records of several types, or said whose they are by the name in a map, and one catalog with one place for the id was held
 * to be true of all of them. Root cause: catalog and data subject were chosen by route alone.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { answer as says, type Running, startSluice } from '../support/sluice.ts';
import { exchange, requestText, textOf } from '../support/wire.ts';

const REFERENCE = { category: 'reference', grade: 1 };
const IDENTITY = { category: 'identity', grade: 3 };
const HEALTH = { category: 'health', grade: 4 };
const catalog = (data_subject: unknown, fields: Record<string, object>, more: object = {}) => ({
  data_subject,
  attributes: {},
  fields,
  envelope: {},
  ...more,
});
const DISCLOSED = says({ 'reference/1': 'disclose', 'identity/3': 'disclose', 'contact/3': 'mask' });
const SEES_HEALTH = says({ 'reference/1': 'disclose', 'identity/3': 'disclose', 'health/4': 'disclose' });

const CATALOGS = {
  // FHIR R4
  fhir: {
    variants: { by: '/resourceType', of: { Patient: 'patient', Observation: 'observation' } },
    envelope: { '/resourceType': { is: 'status' }, '/type': { is: 'status' }, '/total': { is: 'total' } },
  },
  patient: catalog(
    { at: '/id', type: 'patient_no' },
    { '/resourceType': REFERENCE, '/id': REFERENCE, '/name/*/family': IDENTITY, '/birthDate': HEALTH },
  ),
  observation: catalog(
    { at: '/subject/reference', type: 'patient_no', pattern: 'Patient/(.+)' },
    {
      '/resourceType': REFERENCE,
      '/id': REFERENCE,
      '/subject/reference': REFERENCE,
      '/valueQuantity/value': HEALTH,
    },
  ),
  // JSON:API
  api: {
    variants: { by: '/type', of: { customers: 'api_customer', orders: 'api_order' } },
    envelope: { '/included/*': { is: 'record' }, '/links': { is: 'link' } },
  },
  api_customer: catalog('/id', { '/type': REFERENCE, '/id': REFERENCE, '/attributes/name': IDENTITY }),
  api_order: catalog('/relationships/customer/data/id', {
    '/type': REFERENCE,
    '/id': REFERENCE,
    '/attributes/total': REFERENCE,
    '/relationships/customer/data/id': REFERENCE,
  }),
  // OData
  odata: {
    variants: { by: '/@odata.type', of: { '#Crm.Person': 'person', '#Crm.Company': 'company' } },
    envelope: { '/@odata.context': { is: 'drop' } },
  },
  person: catalog('/Id', { '/@odata.type': REFERENCE, '/Id': REFERENCE, '/Name': IDENTITY }),
  company: catalog([], { '/@odata.type': REFERENCE, '/Id': REFERENCE, '/Trade': REFERENCE }),
  // SOAP with elements of several names
  soap: { variants: { by: '/{key}', of: { Person: 'soap_person', Company: 'soap_company' } }, envelope: {} },
  soap_person: catalog('/Id', { '/Id': REFERENCE, '/Name': IDENTITY, '/@status': REFERENCE }),
  soap_company: catalog([], { '/Id': REFERENCE, '/Trade': REFERENCE }),
  // an attribute says it
  xsi: { variants: { by: '/@type', of: { Person: 'xsi_person' } }, envelope: {} },
  xsi_person: catalog('/Id', { '/@type': REFERENCE, '/Id': REFERENCE, '/Name': IDENTITY }),
  // within a record
  folder: catalog([], {
    '/no': REFERENCE,
    '/entries/*/resource': { resource: 'fhir' },
    '/by_kind/*': { resource: 'soap' },
  }),
  // a map keyed by data subject
  keyed: catalog(
    { at: '/{key}', type: 'patient_no' },
    { '/{key}': REFERENCE, '/name': IDENTITY, '/{key}x': REFERENCE },
  ),
  keyed_secret: catalog(
    { at: '/{key}', type: 'patient_no' },
    { '/{key}': { category: 'contact', grade: 3 }, '/name': IDENTITY },
  ),
  book: catalog([], { '/title': REFERENCE, '/people/*': { resource: 'keyed' } }),
};

let upstream: HostileUpstream;
let running: Running;
beforeAll(async () => {
  upstream = await startHostile();
  const list = (resource: string, records: string, more: object = {}) => ({
    match: `GET /${resource}`,
    upstream: 'crm',
    resource,
    action: 'search',
    records,
    ...more,
  });
  const xml = { response: { format: 'xml' } };
  running = await startSluice({
    upstream: upstream.url,
    data: {
      identifiers: { patient_no: { title: 'Patient', pattern: 'P[0-9]+' } },
      flags: { restricted: {} },
    },
    catalogs: CATALOGS,
    answers: Object.fromEntries(
      Object.keys(CATALOGS).map((name) => [name, { '*': name === 'observation' ? SEES_HEALTH : DISCLOSED }]),
    ),
    dataSubjects: { P2: { flags: ['restricted'] } },
    routes: [
      list('fhir', '/entry/*/resource', {
        query_fields: { name: '/name/*/family', subject: '/subject/reference' },
      }),
      {
        match: 'GET /fhir/{id}',
        upstream: 'crm',
        resource: 'fhir',
        action: 'read',
        id: '{id}',
        data_subject: '{id}',
      },
      {
        match: 'PUT /fhir/{id}',
        upstream: 'crm',
        resource: 'fhir',
        action: 'update',
        id: '{id}',
        data_subject: '{body:/subject/reference}',
        request: { replaces: false },
      },
      { match: 'POST /fhir', upstream: 'crm', resource: 'fhir', action: 'create' },
      list('api', '/data/*'),
      list('odata', '/value/*'),
      list('soap', '/Envelope/Body/*', xml),
      list('xsi', '/Envelope/Body/Item', xml),
      { match: 'GET /folder', upstream: 'crm', resource: 'folder', action: 'read' },
      list('keyed', '/*'),
      list('keyed_secret', '/*'),
      { match: 'GET /book', upstream: 'crm', resource: 'book', action: 'read' },
      {
        match: 'GET /fhir.ndjson',
        upstream: 'crm',
        resource: 'fhir',
        action: 'export',
        response: { format: 'ndjson' },
      },
    ],
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
const ask = (target: string, body = '') =>
  exchange(
    running.port,
    requestText(
      target,
      body === '' ? running.caller : { ...running.caller, 'Content-Type': 'application/json' },
      body,
    ),
  );
const got = async (path: string, body: string, type = 'application/json'): Promise<string> => {
  upstream.answer = answers(body, { 'Content-Type': type });
  const answer = await ask(`GET ${path}`);
  return answer.status === 200 ? textOf(answer) : String(answer.status);
};

const PATIENT = (id: string) =>
  `{"resourceType":"Patient","id":"${id}","name":[{"family":"Chalmers"}],"birthDate":"1974-12-25"}`;
const SEEN = (id: string) => `{"resourceType":"Patient","id":"${id}","name":[{"family":"Chalmers"}]}`;
const OBSERVATION = (subject: string) =>
  `{ "resourceType": "Observation", "id": "o-1", "subject": {"reference": "${subject}"}, "valueQuantity": {"value": 6.30} }`;

describe('a FHIR bundle', () => {
  test('discloses each entry by the catalog of its type, and withholds those of a restricted patient', async () => {
    const entry = (resource: string) => `{"resource":${resource}}`;
    const body = `{"resourceType":"Bundle","type":"searchset","total":5,"entry":[${[
      PATIENT('P1'),
      OBSERVATION('Patient/P1'),
      PATIENT('P2'),
      OBSERVATION('Patient/P2'),
      OBSERVATION('Group/P1'),
      '{"resourceType":"Practitioner","id":"P1","name":[{"family":"SECRET"}]}',
      '{"id":"P1","name":[{"family":"SECRET"}]}',
      '{"resourceType":["Patient"],"id":"P1","name":[{"family":"SECRET"}]}',
      '{"resourceType":"constructor","id":"P1","name":[{"family":"SECRET"}]}',
    ].map(entry)}]}`;
    expect(await got('/fhir', body)).toBe(
      `{"resourceType":"Bundle","type":"searchset","total":null,"entry":[${entry(SEEN('P1'))},${entry(OBSERVATION('Patient/P1'))}]}`,
    );
    expect(running.records().at(-1)?.disclosure?.withheld_reasons).toMatchObject({
      record_type_unknown: 4,
      restricted: 2,
      data_subject_unknown: 1,
    });
  });
  test('is refused where it says its type twice', async () => {
    const twice = '{"resourceType":"Patient","id":"P1","resourceType":"Observation"}';
    expect(await got('/fhir', `{"entry":[{"resource":${twice}}]}`)).toBe('502');
  });
  test('may be one record, whose data subject the request says', async () => {
    expect(await got('/fhir/P1', '{"resourceType":"Patient","name":[{"family":"Chalmers"}]}')).toBe(
      '{"resourceType":"Patient","name":[{"family":"Chalmers"}]}',
    );
    expect(await got('/fhir/P2', '{"resourceType":"Patient","name":[{"family":"Chalmers"}]}')).toBe('403');
    expect(await got('/fhir/P1', '{"resourceType":"Device","name":[{"family":"Chalmers"}]}')).toBe('403');
  });
  test('may come as lines', async () => {
    const lines = [PATIENT('P2'), PATIENT('P1'), '{"resourceType":"Device"}', OBSERVATION('Patient/P1')].join(
      '\n',
    );
    expect(await got('/fhir.ndjson', lines, 'application/x-ndjson')).toBe(
      `${SEEN('P1')}\n${OBSERVATION('Patient/P1')}`,
    );
  });
  test('is searched by fields that every type with the field shows', async () => {
    const body = `{"entry":[{"resource":${PATIENT('P1')}},{"resource":${OBSERVATION('Patient/P1')}}]}`;
    expect(await got('/fhir?name=Chalmers', body)).toBe(`{"entry":[{"resource":${SEEN('P1')}}]}`);
  });
  test.each([
    [
      `{"resourceType":"Observation","id":"o-1","subject":{"reference":"Patient/P1"},"valueQuantity":{"value":7}}`,
      200,
    ],
    [
      `{"resourceType":"Observation","id":"o-1","subject":{"reference":"Patient/P2"},"valueQuantity":{"value":7}}`,
      403,
    ],
    [
      `{"resourceType":"Patient","id":"o-1","subject":{"reference":"Patient/P1"},"valueQuantity":{"value":7}}`,
      403,
    ],
    [`{"resourceType":"Device","id":"o-1","subject":{"reference":"Patient/P1"}}`, 403],
    [`{"id":"o-1","subject":{"reference":"Patient/P1"}}`, 403],
  ])('is written by the catalog of its type: %s', async (body, status) => {
    upstream.answer = answers('{}');
    // the route says the patient by the whole reference
    const answer = await ask('POST /fhir', body.replace('"id":"o-1",', ''));
    expect([status, answer.status >= 400]).toEqual([status, status >= 400]);
  });
});

test('JSON:API: data and what it includes are records, each by its type', async () => {
  const order = (id: string, customer: string) =>
    `{"type":"orders","id":"${id}","attributes":{"total":12.50},"relationships":{"customer":{"data":{"type":"customers","id":"${customer}"}}}}`;
  const seen = (id: string, customer: string) =>
    `{"type":"orders","id":"${id}","attributes":{"total":12.50},"relationships":{"customer":{"data":{"id":"${customer}"}}}}`;
  const customer = (id: string) => `{"type":"customers","id":"${id}","attributes":{"name":"Ada","ssn":"1"}}`;
  const body = `{"data":[${order('1', 'P1')},${order('2', 'P2')}],"included":[${customer('P1')},${customer('P2')},{"type":"secrets","id":"3"}]}`;
  expect(await got('/api', body)).toBe(
    `{"data":[${seen('1', 'P1')}],"included":[{"type":"customers","id":"P1","attributes":{"name":"Ada"}}]}`,
  );
});

test('OData: entities of several types in one collection', async () => {
  const body =
    '{"@odata.context":"$metadata#All","value":[{"@odata.type":"#Crm.Person","Id":"P1","Name":"Ada"},{"@odata.type":"#Crm.Person","Id":"P2","Name":"Bob"},{"@odata.type":"#Crm.Company","Id":"P2","Trade":"tea","Name":"SECRET"},{"Id":"P1","Name":"SECRET"},{"@odata.type":"#Crm.person","Id":"P1","Name":"SECRET"}]}';
  expect(await got('/odata', body)).toBe(
    '{"value":[{"@odata.type":"#Crm.Person","Id":"P1","Name":"Ada"},{"@odata.type":"#Crm.Company","Id":"P2","Trade":"tea"}]}',
  );
});

describe('SOAP', () => {
  const envelope = (inside: string) =>
    `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>${inside}</e:Body></e:Envelope>`;
  test('tells records apart by the names of their elements', async () => {
    const body = envelope(
      '<Person status="1"><Id>P1</Id><Name>Ada</Name></Person><Person><Id>P2</Id><Name>Bob</Name></Person><Company><Id>P2</Id><Trade>tea</Trade><Name>SECRET</Name></Company><Secret><Id>P1</Id><Name>SECRET</Name></Secret>',
    );
    expect(await got('/soap', body, 'text/xml')).toBe(
      envelope(
        '<Person status="1"><Id>P1</Id><Name>Ada</Name></Person><Company><Id>P2</Id><Trade>tea</Trade></Company>',
      ),
    );
  });
  test('tells them apart by an attribute', async () => {
    const body = envelope(
      '<Item type="Person"><Id>P1</Id><Name>Ada</Name></Item><Item type="Person"><Id>P2</Id><Name>Bob</Name></Item><Item type="Other"><Id>P1</Id><Name>SECRET</Name></Item><Item><Id>P1</Id><Name>SECRET</Name></Item>',
    );
    expect(await got('/xsi', body, 'text/xml')).toBe(
      envelope('<Item type="Person"><Id>P1</Id><Name>Ada</Name></Item>'),
    );
  });
});

test('records of several types within a record are disclosed by their types, and dropped where that is unknown', async () => {
  const body = `{"no":7,"entries":[{"resource":${PATIENT('P1')}},{"resource":${PATIENT('P2')}},{"resource":{"resourceType":"Device","id":"x"}},{"resource":"text"}],"by_kind":{"Person":{"Id":"P1","Name":"Ada"},"Company":{"Trade":"tea"},"Other":{"Name":"SECRET"}}}`;
  expect(await got('/folder', body)).toBe(
    `{"no":7,"entries":[{"resource":${SEEN('P1')}},{},{},{}],"by_kind":{"Person":{"Id":"P1","Name":"Ada"},"Company":{"Trade":"tea"}}}`,
  );
});

describe('a map keyed by data subject', () => {
  const MAP =
    '{"P1":{"name":"Ada","x":1},"P2":{"name":"Bob"},"\\u00503":{"name":"Eve"},"zhangsan":{"name":"SECRET"},"":{"name":"SECRET"},"P4":"SECRET"}';
  test('withholds the entry of a restricted person, and one whose name is nobody', async () => {
    expect(await got('/keyed', MAP)).toBe('{"P1":{"name":"Ada"},"\\u00503":{"name":"Eve"},"P4":null}');
    const { disclosure } = running.records().at(-1)!;
    expect(disclosure?.released).toContain('/{key}');
    expect(disclosure?.data_subjects).toHaveLength(3);
  });
  test('withholds every entry where its name is a field that the caller does not see as it is', async () => {
    expect(await got('/keyed_secret', MAP)).toBe('{}');
    expect(JSON.stringify(running.records().at(-1))).not.toContain('"P1"');
  });
  test('within a record loses the same entries', async () => {
    expect(
      await got(
        '/book',
        '{"title":"x","people":{"P1":{"name":"Ada"},"P2":{"name":"Bob"},"lisi":{"name":"SECRET"}}}',
      ),
    ).toBe('{"title":"x","people":{"P1":{"name":"Ada"}}}');
  });
  test.each(['[{"name":"Ada"}]', '[]', '[1]', '[[]]'])(
    'within a record does not leave a name behind where a list stands (%s)',
    async (list) => {
      expect(await got('/book', `{"title":"x","people":{"P2":${list}}}`)).toBe('502');
      expect(running.records().at(-1)?.reasons[0]?.code).toBe('response_malformed');
    },
  );
  test('whose records stand in a list names nobody', async () => {
    expect(await got('/keyed', '[{"name":"Ada"}]')).toBe('[]');
  });
});
