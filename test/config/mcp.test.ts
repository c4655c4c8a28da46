/** Faults in the section `mcp`, each at its place. */
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/index.ts';

const CONFIG = `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9000" } }
identity:
  issuers: [{ issuer: "https://idp.example.com", audience: sluice, jwks: { file: ./keys.json }, algorithms: [ES256] }]
policy: { dir: ./policies }
consent: { file: ./consents.yaml }
routes:
  - { match: "GET /x/{id}", upstream: crm, resource: customer, action: read, id: "{id}" }
mcp:
  - { path: /mcp, upstream: crm, `;

const faultsOf = (rest: string): string => {
  try {
    parseConfig(`${CONFIG}${rest} }\n`, 'sluice.yaml', {});
    return '';
  } catch (e) {
    return (e as Error).message;
  }
};
const tool = (members: string): string => `tools: { t: { resource: customer, ${members} } }`;

test('a mapping of tools and resources is taken', () => {
  expect(
    faultsOf(
      `${tool('action: update, id: /id, body: { /new_phone: /phone, /city: /address/city }')},
       resources: [ { uri: "crm://c/{id}", resource: customer, action: read, id: "{id}" } ]`,
    ),
  ).toBe('');
});

test.each([
  [
    'a write that names no arguments',
    tool('action: update, id: /id'),
    'mcp[0].tools.t.body: names the arguments',
  ],
  [
    'a write without an id',
    tool('action: update, body: { /a: /a }'),
    'mcp[0].tools.t.id: names the argument',
  ],
  [
    'a read that writes',
    tool('action: read, body: { /a: /a }'),
    'mcp[0].tools.t.body: belongs to tools that write',
  ],
  [
    'two arguments for one field',
    tool('action: create, body: { /a: /x, /b: /x }'),
    'has two arguments for one field',
  ],
  ['a field that is several', tool('action: create, body: { /a: /x/* }'), 'must be the pointer of one field'],
  [
    'an argument that is any',
    tool('action: search, params: [/*]'),
    'where the name of an argument is needed',
  ],
  ['an action of nobody', tool('action: steal'), 'mcp[0].tools.t.action'],
  ['records by a selector', tool('action: search, records: "/[a=b]/x"'), 'mcp[0].tools.t.records'],
  ['a list that is no JSON', tool('action: search, empty: "{"'), 'is not valid JSON'],
  [
    'a resource that writes',
    'resources: [ { uri: "x:y", resource: customer, action: update } ]',
    'mcp[0].resources[0].action: reads',
  ],
  [
    'an id of another name',
    'resources: [ { uri: "x:{a}", resource: customer, action: read, id: "{b}" } ]',
    'mcp[0].resources[0].id',
  ],
  [
    'a name twice',
    'resources: [ { uri: "x:{a}/{a}", resource: customer, action: read } ]',
    'has a name twice',
  ],
  [
    'names without a separator',
    'resources: [ { uri: "x:{a}{b}", resource: customer, action: read } ]',
    'nothing between them',
  ],
  ['a text of a list', tool('action: search, text: /notes'), 'mcp[0].tools.t.text: belongs to tools'],
  ['approval without grants', 'approval: true', 'mcp[0].approval: needs admin.url'],
])('%s is refused', (_what, rest, message) => {
  expect(faultsOf(rest)).toContain(message);
});

test('a server at an upstream of nobody, and two at one path, are refused', () => {
  expect(faultsOf('tools: {} }\n  - { path: /mcp, upstream: other')).toMatch(
    /mcp\[1\]\.path: is the path of another server[\s\S]*mcp\[1\]\.upstream: names no upstream/,
  );
});

test('without routes there is an MCP server, and without both nothing could be asked', () => {
  const [before, after] = CONFIG.split(/routes:\n.*\n/) as [string, string];
  const mcp = `${after}${tool('action: read, id: /id')} }\n`;
  const { config } = parseConfig(`${before}${mcp}`, 'sluice.yaml', {});
  expect([config.routes, config.mcp]).toEqual([[], [expect.objectContaining({ path: '/mcp' })]]);
  expect(() => parseConfig(before, 'sluice.yaml', {})).toThrow(/has neither routes nor mcp/);
  expect(() => parseConfig(`${before}routes: []\n`, 'sluice.yaml', {})).toThrow(/has neither routes nor mcp/);
});
