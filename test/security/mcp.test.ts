/**
 * MCP against a server and callers that do what they like. No token that is withheld reaches a caller, whatever the server's message is; what is
 * malformed is refused in the protocol's form, and recorded.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type HostileUpstream, type Received, reply, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';

const RUNS = Number(process.env['CANARY_RUNS'] ?? 200);

let upstream: HostileUpstream;
let running: Running;

beforeAll(async () => {
  upstream = await startHostile();
  running = await startSluice({
    upstream: upstream.url,
    crm: { timeout: '2s' },
    config: {
      mcp: [
        {
          path: '/mcp',
          upstream: 'crm',
          max_result: '64KiB',
          tools: {
            get: { resource: 'customer', action: 'read', id: '/id', data_subject: '/id' },
            ...Object.fromEntries(
              ['name', 'phone', 'id_number'].map((field) => [
                `say_${field}`,
                { resource: 'customer', action: 'read', id: '/id', data_subject: '/id', text: `/${field}` },
              ]),
            ),
            search: {
              resource: 'customer',
              action: 'search',
              records: '/items/*',
              query_fields: { '/city': '/city' },
            },
          },
          resources: [
            {
              uri: 'crm://customers/{id}',
              resource: 'customer',
              action: 'read',
              id: '{id}',
              data_subject: '{id}',
            },
          ],
        },
      ],
    },
  });
});
afterAll(async () => {
  await running?.close();
  await upstream?.close();
});
beforeEach(() => {
  upstream.answer = (_request, socket) => socket.write(reply('{}'));
});

interface Answered {
  readonly status: number;
  readonly raw: string;
  readonly body: {
    readonly id?: unknown;
    readonly result?: Record<string, unknown>;
    readonly error?: { readonly code: number; readonly data: { readonly code: string } };
  };
}

async function send(body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answered> {
  const response = await fetch(`http://127.0.0.1:${running.port}/mcp`, {
    method: 'POST',
    headers: { ...running.caller, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const raw = `${JSON.stringify([...response.headers])}\n${text}`;
  return { status: response.status, raw, body: text === '' ? {} : (JSON.parse(text) as Answered['body']) };
}

const request = (method: string, params: object = {}, id: unknown = 7): object => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});
const getting = request('tools/call', { name: 'get', arguments: { id: 'C1' } });

const idOf = ({ body }: Received): string => (JSON.parse(body.toString('utf8')) as { id: string }).id;

/** The server answers a call with this text, in which `$ID` is the id of the call. */
const answering = (text: string, type = 'application/json'): void => {
  upstream.answer = (received, socket) =>
    socket.write(reply(text.replaceAll('$ID', idOf(received)), { 'content-type': type }));
};
const result = (value: string): string => `{"jsonrpc":"2.0","id":"$ID","result":${value}}`;

let serial = 0;
const token = (): string => `tok${(serial++).toString(36).padStart(6, '0')}z`;

interface Spoken {
  readonly text: string;
  readonly type: string;
  readonly withheld: readonly string[];
  readonly free: readonly string[];
}

/** A message of a server, with tokens in every place. */
function spoken(choices: readonly number[]): Spoken {
  const withheld: string[] = [];
  const free: string[] = [];
  let at = 0;
  const choose = (n: number): number => choices[at++ % choices.length]! % n;
  const secret = (): string => {
    const made = token();
    withheld.push(made);
    return made;
  };
  const open = (): string => {
    const made = token();
    free.push(made);
    return made;
  };
  const escaped = (text: string): string =>
    choose(3) === 0
      ? `"${[...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`
      : JSON.stringify(text);
  const record = (isFree: boolean): string => {
    const of = isFree ? open : secret;
    const members = [
      `${escaped('id')}:"C1"`,
      `"city":${escaped(of())}`,
      `"name":"${of()}"`,
      `${escaped('id_number')}:"${secret()}"`,
      `"unknown":{"a":["${secret()}",${escaped(JSON.stringify({ city: secret() }))}]}`,
    ];
    return `{${(choose(2) === 0 ? members : members.reverse()).join(choose(2) === 0 ? ',' : ' ,\n')}}`;
  };
  const text = (said: string): string =>
    `{"type":"text","text":${JSON.stringify(said)},"_meta":{"m":"${secret()}"}}`;
  const structured = choose(2) === 0;
  const failed = choose(6) === 0;
  const blocks: string[] = [];
  const said = record(!failed);
  const readable = structured ? 0 : 1;
  if (readable === 1) blocks.push(text(said));
  const others = [
    () => text(`Found ${secret()}`),
    () => text(structured ? record(false) : `"${secret()}"`),
    () => `{"type":"image","data":"${secret()}","mimeType":"${secret()}"}`,
    () => `{"type":"audio","data":"${secret()}","mimeType":"audio/wav"}`,
    () => `{"type":"resource","resource":{"uri":"x:${secret()}","text":"${secret()}"}}`,
    () => `{"type":"resource_link","uri":"x:${secret()}","name":"${secret()}"}`,
    () => `{"type":"${secret()}","text":"${secret()}"}`,
    () => `"${secret()}"`,
  ];
  for (let n = choose(5); n > 0; n--) blocks.push(others[choose(others.length)]!());
  const members = [
    `"content":[${blocks.join(',')}]`,
    ...(structured ? [`"structuredContent":${said}`] : []),
    ...(failed ? ['"isError":true'] : []),
    `"_meta":{"x":"${secret()}"}`,
    `"${secret()}":"${secret()}"`,
  ];
  const isRefusal = choose(8) === 0;
  if (isRefusal) withheld.push(...free.splice(0));
  const message = isRefusal
    ? `{"jsonrpc":"2.0","id":"$ID","error":{"code":-32000,"message":"${secret()}","data":{"d":"${secret()}"}}}`
    : result(`{${(choose(2) === 0 ? members : members.reverse()).join(',')}}`);
  if (choose(2) === 0) return { text: message, type: `application/json; p="${secret()}"`, withheld, free };
  const end = ['\n', '\r\n', '\r'][choose(3)]!;
  const lines = [
    `: ${secret()}`,
    `id: ${secret()}`,
    `retry: 3`,
    `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"${secret()}"}}`,
    '',
    `event: ${choose(2) === 0 ? 'message' : secret()}`,
    'data:',
    '',
    'event: message',
    ...message.split('\n').map((line) => `data: ${line}`),
    '',
    `data: ${secret()}`,
    '',
  ];
  return { text: lines.join(end) + end, type: 'text/event-stream', withheld, free };
}

/** Also within a text of JSON within a text of JSON. */
const unescaped = (text: string): string =>
  text.replace(/\\+u([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

test('no token that is withheld reaches a caller, wherever the server says it', async () => {
  let arrived = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(1_000), { minLength: 8, maxLength: 40 }), async (choices) => {
      const said = spoken(choices);
      answering(said.text, said.type);
      const { raw } = await send(getting);
      const seen = raw + unescaped(raw);
      expect(said.withheld.filter((t) => seen.includes(t))).toEqual([]);
      arrived += said.free.filter((t) => seen.includes(t)).length;
      expect(said.free.filter((t) => !seen.includes(t))).toEqual(
        raw.includes('"isError":true') ? said.free : [],
      );
    }),
    { numRuns: RUNS, seed: 15, endOnFailure: true },
  );
  expect(arrived).toBeGreaterThan(RUNS);
  const kept = `${running.log()}${running.journalText()}${(await running.admin('/metrics')).text}`;
  expect([...kept.matchAll(/tok[0-9a-z]{6}z/g)].map(([found]) => found)).toEqual([]);
});

describe('answers of a server', () => {
  const SECRET = 'tok-secret';
  const RECORD = `{"id":"C1","name":"Ann","id_number":"${SECRET}"}`;

  test.each([
    ['is no JSON', 'no json', 'response_malformed'],
    ['is cut', result(`{"structuredContent":${RECORD}`), 'response_malformed'],
    [
      'has a name twice',
      result(`{"structuredContent":{"name":"${SECRET}","name":"Ann"}}`),
      'response_malformed',
    ],
    [
      'has a name twice in a text',
      result(`{"content":[{"type":"text","text":"{\\"id\\":1,\\"\\\\u0069d\\":2}"}]}`),
      'response_malformed',
    ],
    [
      'belongs to another call',
      `{"jsonrpc":"2.0","id":7,"result":{"structuredContent":${RECORD}}}`,
      'response_malformed',
    ],
    ['is a batch', `[${result(`{"structuredContent":${RECORD}}`)}]`, 'response_malformed'],
    [
      'is a request',
      `{"jsonrpc":"2.0","id":"$ID","method":"sampling/createMessage","params":{"x":"${SECRET}"}}`,
      'response_malformed',
    ],
    ['has no result', `{"jsonrpc":"2.0","id":"$ID"}`, 'response_malformed'],
    ['has content that is no list', result(`{"content":"${SECRET}"}`), 'response_malformed'],
    [
      'asks for input',
      result(`{"resultType":"input_required","inputRequests":{"a":"${SECRET}"}}`),
      'response_malformed',
    ],
    [
      'is an error',
      `{"jsonrpc":"2.0","id":"$ID","error":{"code":-32602,"message":"${SECRET}"}}`,
      'upstream_status_withheld',
    ],
    [
      'is too long',
      result(`{"structuredContent":{"id":"C1","x":"${SECRET.repeat(10_000)}"}}`),
      'response_too_large',
    ],
    [
      'is nested too deep',
      result(`{"structuredContent":${'['.repeat(200)}${']'.repeat(200)}}`),
      'response_malformed',
    ],
  ])('are refused where one %s', async (_what, text, code) => {
    answering(text);
    const { status, raw, body } = await send(getting);
    expect([status, body.id, body.error?.code, body.error?.data.code]).toEqual([200, 7, -32603, code]);
    expect(raw).not.toContain(SECRET);
    expect(running.records().at(-1)).toMatchObject({ kind: 'mcp', outcome: 'error' });
  });

  test('are refused where an event never ends', async () => {
    upstream.answer = (_received, socket) => {
      const line = `data: ${SECRET.repeat(100)}\n`;
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
      const more = (): void => {
        if (socket.destroyed || !socket.writable) return;
        socket.write(line, (error) => error ?? setImmediate(more));
      };
      more();
    };
    const { raw, body } = await send(getting);
    expect(body.error?.data.code).toBe('response_too_large');
    expect(raw).not.toContain(SECRET);
  });

  test('a text that contradicts the structured content is written anew from it', async () => {
    const other = JSON.stringify(JSON.stringify({ id: 'C1', name: 'Eve' }));
    answering(
      result(
        `{"content":[{"type":"text","text":${other}},{"type":"text","text":${other}}],"structuredContent":${RECORD}}`,
      ),
    );
    const { body } = await send(getting);
    expect(body.result).toMatchObject({
      structuredContent: { id: 'C1', name: 'Ann' },
      content: [{ type: 'text', text: '{"id":"C1","name":"Ann"}' }],
    });
  });

  test.each([
    ['name', '13812345678'],
    ['phone', '138****5678'],
    ['id_number', 'The tool has answered. Its answer has no fields that could be passed on.'],
  ])('a text that the mapping calls the field %s is treated as that', async (field, text) => {
    answering(result('{"content":[{"type":"text","text":"13812345678"},{"type":"image","data":"AA"}]}'));
    const { body } = await send(request('tools/call', { name: `say_${field}`, arguments: { id: 'C1' } }));
    expect(body.result?.['content']).toEqual([{ type: 'text', text }]);
    expect(running.records().at(-1)!.disclosure).toMatchObject({
      released: field === 'name' ? ['/name'] : [],
    });
  });

  test('what is disclosed is spelled as the server has spelled it', async () => {
    answering(result('{"structuredContent":{ "id":"C1", "city": 12345678901234567890.10 }}'));
    const { raw } = await send(getting);
    expect(raw).toContain('"structuredContent":{ "id":"C1", "city": 12345678901234567890.10 }');
  });

  test('a failed search and one that found nothing that is disclosed are answered alike', async () => {
    const searching = request('tools/call', { name: 'search', arguments: { city: 'x' } });
    answering(result(`{"isError":true,"content":[{"type":"text","text":"${SECRET}"}]}`));
    const failed = await send(searching);
    expect(failed.body.error?.code).toBe(-32602);
    expect(failed.raw).not.toContain(SECRET);
  });
});

describe('messages of a caller', () => {
  test.each([
    ['no JSON', '{', 400, -32700, 'body_unreadable'],
    [
      'a name twice',
      '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}',
      400,
      -32700,
      'body_unreadable',
    ],
    ['a batch', [request('ping')], 400, -32600, 'mcp_message_invalid'],
    ['a response', { jsonrpc: '2.0', id: 1, result: {} }, 400, -32600, 'mcp_message_invalid'],
    ['an id of null', request('ping', {}, null), 400, -32600, 'mcp_message_invalid'],
    ['an id that is a fraction', request('ping', {}, 1.5), 400, -32600, 'mcp_message_invalid'],
    ['another version', { ...request('ping'), jsonrpc: '1.0' }, 400, -32600, 'mcp_message_invalid'],
    ['params that are a list', { ...request('ping'), params: [] }, 400, -32600, 'mcp_message_invalid'],
    ['a member besides', { ...request('ping'), extra: 1 }, 400, -32600, 'mcp_message_invalid'],
    ['a prompt', request('prompts/get', { name: 'x' }), 200, -32601, 'mcp_method_unsupported'],
    [
      'a task',
      request('tools/call', { name: 'get', arguments: { id: 'C1' }, task: {} }),
      200,
      -32602,
      'mcp_argument_unknown',
    ],
    ['a method of nobody', request('x/y'), 200, -32601, 'mcp_method_unsupported'],
    ['a tool of nobody', request('tools/call', { name: 'constructor' }), 200, -32602, 'mcp_name_unknown'],
    [
      'an id that is an object',
      request('tools/call', { name: 'get', arguments: { id: { $ne: 1 } } }),
      200,
      null,
      null,
    ],
    [
      'arguments that are a list',
      request('tools/call', { name: 'get', arguments: [] }),
      200,
      -32602,
      'mcp_argument_unknown',
    ],
    [
      'another spelling of a URI',
      request('resources/read', { uri: 'crm://customers/%431' }),
      200,
      -32602,
      'mcp_name_unknown',
    ],
    ['a URI with dots', request('resources/read', { uri: 'crm://customers/..' }), 200, null, null],
    [
      'a search by a field that is hidden',
      request('tools/call', { name: 'search', arguments: { city: { a: 1 } } }),
      200,
      -32602,
      'query_parameter_unknown',
    ],
  ])('are refused that are %s, and recorded', async (_what, body, status, code, name) => {
    const before = upstream.received.length;
    const answered = await send(body);
    expect(answered.status).toBe(status);
    if (code !== null) expect(answered.body.error).toMatchObject({ code, data: { code: name } });
    expect(answered.body.error).toBeDefined();
    expect(upstream.received.length).toBe(before);
    expect(running.records().at(-1)).toMatchObject({ kind: 'mcp', outcome: 'denied' });
  });

  test('pass none of their headers on but those of the protocol', async () => {
    answering(result('{"structuredContent":{"id":"C1"}}'));
    await send(getting, { 'x-user': 'admin', 'mcp-param-id': 'C2', 'last-event-id': '4', cookie: 'a=b' });
    const { headers } = upstream.received.at(-1)!;
    for (const name of [
      'x-user',
      'mcp-param-id',
      'last-event-id',
      'cookie',
      'authorization',
      'sluice-purpose',
    ])
      expect(headers).not.toHaveProperty(name);
  });

  test('without a credential learn nothing', async () => {
    const response = await fetch(`http://127.0.0.1:${running.port}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(getting),
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ id: null, error: { data: { code: 'token_missing' } } });
  });
});

describe('a session', () => {
  const initialize = request('initialize', {
    protocolVersion: '2025-11-25',
    capabilities: { sampling: {}, roots: {} },
    clientInfo: { name: 'c', version: '1', secret: 'x' },
  });
  const begin = async (): Promise<string> => {
    upstream.answer = (received, socket) =>
      socket.write(
        reply(
          result(
            '{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"logging":{}},"serverInfo":{"name":"crm","version":"1","x":1}}',
          ).replace('$ID', idOf(received)),
          { 'mcp-session-id': 'own-1' },
        ),
      );
    const response = await fetch(`http://127.0.0.1:${running.port}/mcp`, {
      method: 'POST',
      headers: { ...running.caller, 'content-type': 'application/json' },
      body: JSON.stringify(initialize),
    });
    expect(await response.json()).toMatchObject({
      result: {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'crm', version: '1' },
      },
    });
    return response.headers.get('mcp-session-id')!;
  };

  test('is begun without the capabilities of the client, which Sluice would have to pass on', async () => {
    const told = await begin();
    expect(told).toMatch(/^own-1\./);
    const { params } = JSON.parse(upstream.received.at(-1)!.body.toString('utf8')) as { params: object };
    expect(params).toEqual({
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'c', version: '1' },
    });
  });

  test('is refused where its digest is changed, as one that the server has forgotten', async () => {
    const told = await begin();
    for (const other of [
      `${told.slice(0, -1)}${told.endsWith('A') ? 'B' : 'A'}`,
      'own-1',
      `own-2${told.slice(5)}`,
      '.',
    ]) {
      const { status, body } = await send(getting, { 'mcp-session-id': other });
      expect([status, body.error?.data.code]).toEqual([404, 'mcp_session_unknown']);
    }
    upstream.answer = (_received, socket) => socket.write(reply('{}', {}, '404 Not Found'));
    const { status, body } = await send(getting, { 'mcp-session-id': told });
    expect([status, body.error?.data.code]).toEqual([404, 'mcp_session_unknown']);
  });

  test('has one call of an id at a time, which can be cancelled', async () => {
    const session = { 'mcp-session-id': await begin() };
    let called = '';
    const arrived = new Promise<void>((resolve) => {
      upstream.answer = (received, socket) => {
        const message = JSON.parse(received.body.toString('utf8')) as { id?: string };
        if (message.id === undefined) socket.write(reply('', {}, '202 Accepted'));
        else {
          called = message.id;
          resolve();
        }
      };
    });
    const first = send(getting, session);
    await arrived;
    expect((await send(getting, session)).body.error?.data.code).toBe('mcp_message_invalid');
    const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } };
    expect((await send(cancelled, session)).status).toBe(202);
    expect(JSON.parse(upstream.received.at(-1)!.body.toString('utf8'))).toMatchObject({
      params: { requestId: called },
    });
    expect((await first).body.error?.code).toBe(-32603);
  });
});

describe('the revision without sessions', () => {
  const META = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { sampling: {} },
  };
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'get' };
  const modern = request('tools/call', { name: 'get', arguments: { id: 'C1' }, _meta: META });

  test('is answered, and passed on without the capabilities of the client', async () => {
    answering(result('{"resultType":"complete","structuredContent":{"id":"C1"}}'));
    const { body } = await send(modern, { ...headers, 'mcp-name': '=?base64?Z2V0?=' });
    expect(body.result).toMatchObject({ resultType: 'complete', structuredContent: { id: 'C1' } });
    const { headers: passed, body: sent } = upstream.received.at(-1)!;
    expect(passed).toMatchObject(headers);
    const { params } = JSON.parse(sent.toString('utf8')) as { params: { _meta: unknown } };
    expect(params._meta).toEqual({ ...META, 'io.modelcontextprotocol/clientCapabilities': {} });
  });

  test('tells what a server speaks (server/discover)', async () => {
    answering(
      result(
        '{"resultType":"complete","supportedVersions":["2026-07-28","x"],"capabilities":{"tools":{"listChanged":true},"prompts":{}},"serverInfo":{"name":"crm","version":"1"}}',
      ),
    );
    const { body } = await send(request('server/discover', { _meta: META }), {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'server/discover',
    });
    expect(body.result).toEqual({
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities: { tools: {} },
      serverInfo: { name: 'crm', version: '1' },
    });
  });

  test.each([
    ['names another method', { ...headers, 'mcp-method': 'tools/list' }, -32020],
    ['names another tool', { ...headers, 'mcp-name': 'search' }, -32020],
    ['names no tool', { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call' }, -32020],
    ['names another revision', { ...headers, 'mcp-protocol-version': '2025-11-25' }, -32020],
    ['names an unknown revision', { ...headers, 'mcp-protocol-version': '1900-01-01' }, -32022],
    ['is missing', {}, -32020],
  ])('is refused where a header %s', async (_what, given, code) => {
    const { status, body } = await send(modern, given);
    expect([status, body.error?.code]).toEqual([400, code]);
  });

  test('answers an unknown method with 404', async () => {
    const { status, body } = await send(request('prompts/list', { _meta: META }), {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'prompts/list',
    });
    expect([status, body.error?.code]).toEqual([404, -32601]);
  });
});
