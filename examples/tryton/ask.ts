/** Starts Sluice in front of Tryton, asks as two personas, and checks what must never be seen. */
import '../../src/json-parse.ts';
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';

const [work = '', proxy = '', admin = ''] = process.argv.slice(2);
const root = new URL('../../', import.meta.url).pathname;

const issuer = await createDevelopmentIssuer();
await writeFile(join(work, 'keys.json'), JSON.stringify(issuer.jwks));
const sluice = spawn(
  process.execPath,
  [join(root, 'src/main.ts'), 'serve', '--config', join(work, 'sluice.yaml')],
  {
    stdio: ['ignore', 'ignore', 'pipe'],
  },
);
sluice.stderr.pipe(createWriteStream(join(work, 'sluice.log')));
let stopped = false;
sluice.once('exit', () => {
  stopped = true;
});

async function ready(): Promise<void> {
  for (let i = 0; i < 150 && !stopped; i++) {
    const answer = await fetch(`${admin}/readyz`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`Sluice did not start:\n${await readFile(join(work, 'sluice.log'), 'utf8')}`);
}

interface Persona {
  readonly name: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly purpose: string;
}

const PERSONAS: readonly Persona[] = [
  {
    name: 'order desk / delivery',
    claims: {
      sub: 'u-50',
      roles: ['order_manager'],
      dept: 'logistics',
      org: 'internal',
      clearance: 3,
      amr: ['pwd', 'otp'],
    },
    purpose: 'delivery',
  },
  {
    name: 'compliance officer / compliance_audit',
    claims: {
      sub: 'u-60',
      roles: ['compliance_officer'],
      dept: 'compliance',
      org: 'internal',
      clearance: 4,
      amr: ['pwd', 'otp'],
    },
    purpose: 'compliance_audit',
  },
];

const FIELDS = [
  'code',
  'name',
  'mobile',
  'email',
  'contact_mechanisms.value',
  'contact_mechanisms.type',
  'identifiers.code',
];

const seen: string[] = [];
async function post(persona: Persona, type: string, body: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${proxy}/tryton/`, {
    method: 'POST',
    headers: {
      'content-type': type,
      authorization: `Bearer ${await issuer.sign(persona.claims)}`,
      'sluice-purpose': persona.purpose,
      'sluice-justification': 'quarterly review 2026-Q4',
    },
    body,
  });
  const text = await response.text();
  seen.push(text, ...[...response.headers].flat());
  return { status: response.status, text };
}

const rpc = (persona: Persona, method: string, params: unknown[]) =>
  post(persona, 'application/json', JSON.stringify({ id: 1, method, params }));

const quoted = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
function value(v: unknown): string {
  if (Array.isArray(v)) return `<value><array><data>${v.map(value).join('')}</data></array></value>`;
  if (typeof v === 'number') return `<value><int>${v}</int></value>`;
  if (typeof v === 'string') return `<value><string>${quoted(v)}</string></value>`;
  const members = Object.entries(v as object).map(
    ([k, m]) => `<member><name>${quoted(k)}</name>${value(m)}</member>`,
  );
  return `<value><struct>${members.join('')}</struct></value>`;
}
const xmlrpc = (method: string, params: unknown[]): string =>
  `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${params.map((p) => `<param>${value(p)}</param>`).join('')}</params></methodCall>`;

function show(title: string, { status, text }: { status: number; text: string }): void {
  // Tryton escapes every character beyond ASCII, and those bytes are passed on as they are: unescaped here to be read.
  const readable = text
    .trim()
    .replace(/\\u([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  process.stdout.write(`${title}\n  ${status} ${readable.replaceAll('\n', '\n  ')}\n\n`);
}

const failures: string[] = [];
const check = (what: string, holds: boolean): void => {
  process.stdout.write(`${holds ? 'ok  ' : 'FAIL'} ${what}\n`);
  if (!holds) failures.push(what);
};

try {
  await ready();
  const answers: string[] = [];
  const answersXml: string[] = [];
  for (const persona of PERSONAS) {
    const found = await rpc(persona, 'model.party.party.search_read', [
      [],
      0,
      10,
      [['id', 'ASC']],
      FIELDS,
      {},
    ]);
    show(`${persona.name}: model.party.party.search_read`, found);
    answers.push(found.text);
    const xml = await post(
      persona,
      'text/xml',
      xmlrpc('model.party.party.search_read', [[], 0, 10, [['id', 'ASC']], FIELDS, {}]),
    );
    show(`${persona.name}: the same over XML-RPC`, xml);
    answersXml.push(xml.text);
  }
  const [desk] = PERSONAS as [Persona, Persona];
  const unrouted = await rpc(desk, 'model.res.user.search_read', [
    [],
    0,
    10,
    null,
    ['login', 'password_hash'],
    {},
  ]);
  show(`${desk.name}: model.res.user.search_read, which no route names`, unrouted);
  const hidden = await rpc(desk, 'model.party.party.search_read', [
    [['identifiers.code', 'ilike', '1101%']],
    0,
    10,
    null,
    FIELDS,
    {},
  ]);
  show(`${desk.name}: a search by identity number`, hidden);
  const rows = await rpc(desk, 'model.party.party.export_data', [
    [1, 2],
    ['code', 'name', 'mobile', 'identifiers/code'],
    {},
  ]);
  show(`${desk.name}: model.party.party.export_data, positions instead of names`, rows);

  const everything = seen.join('\n');
  check(
    'the order desk reads the phone, the compliance officer a masked one',
    answers[0]!.includes('+8613812345678') &&
      !answers[1]!.includes('13812345678') &&
      answers[1]!.includes('****'),
  );
  check(
    'the same over XML-RPC',
    answersXml[0]!.includes('+8613812345678') &&
      !answersXml[1]!.includes('13812345678') &&
      answersXml[1]!.includes('****'),
  );
  check('identity numbers are in no answer', !everything.includes('110101199003074514'));
  check(
    'the session credential is in no answer',
    !everything.includes((process.env['TRYTON_SESSION'] ?? '?').slice(8)),
  );
  check('a method that no route names is denied', unrouted.status === 404);
  check('a search by a field that is not shown is denied', hidden.status >= 400);
  for (const file of await readdir(join(work, 'data/journal'), { recursive: true }))
    if (file.endsWith('.jsonl'))
      check(
        `no value is in the journal`,
        !(await readFile(join(work, 'data/journal', file), 'utf8')).includes('13812345678'),
      );
} finally {
  sluice.kill('SIGTERM');
}
if (failures.length > 0) process.exit(1);
