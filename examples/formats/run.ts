/**
 * One customer in five formats, before and after, for three personas: `node examples/formats/run.ts`. Ends with what must never
 * be seen, checked; exit code 1 if it was.
 */
import '../../src/json-parse.ts';
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import iconv from 'iconv-lite';
import { parseDocument } from 'yaml';
import { compose } from '../../src/compose/compose.ts';
import { parseConfig } from '../../src/config/index.ts';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { ANSWERS, type Answer, SOAP_REQUEST, startCrm } from './crm.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));

interface Persona {
  readonly title: string;
  readonly purpose: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** what this one may not see, on top of `NEVER` */
  readonly hidden: readonly string[];
}

const staff = { org: 'internal', amr: ['pwd', 'otp'], acr: 'aal2' };
const PERSONAS: readonly Persona[] = [
  {
    title: 'customer service, after sales',
    purpose: 'after_sales',
    claims: { sub: 'u-17', roles: ['support'], dept: 'after-sales', clearance: 3, ...staff },
    hidden: ['110101199003074514', '王小明', 'call 1381'],
  },
  {
    title: 'claims adjuster, claims',
    purpose: 'claims',
    claims: { sub: 'u-21', roles: ['adjuster'], dept: 'claims', clearance: 4, ...staff },
    hidden: ['call 1381'],
  },
  {
    title: 'courier of a logistics partner, delivery',
    purpose: 'delivery',
    claims: { sub: 'p-3', roles: ['courier'], org: 'swift_logistics', clearance: 3, amr: ['pwd', 'otp'] },
    hidden: ['110101199003074514', 'after six', '1299.00'],
  },
];

/** In no answer to anybody: uncatalogued fields, comments, headers of SOAP, the CRM's own name. */
const NEVER = ['17.30', '13900000000', 's3cret-session', 'LegacyCRM'];

const failures: string[] = [];
function check(what: string, holds: boolean): void {
  process.stdout.write(`${holds ? 'ok  ' : 'FAIL'} ${what}\n`);
  if (!holds) failures.push(what);
}
const shown = (text: string): string => text.trimEnd().replace(/^/gm, '  ');

const dir = await mkdtemp(join(tmpdir(), 'sluice-formats-'));
const crm = await startCrm();
try {
  const issuer = await createDevelopmentIssuer();
  await writeFile(join(dir, 'keys.json'), JSON.stringify(issuer.jwks));
  await cp(join(here, 'consents.yaml'), join(dir, 'consents.yaml'));
  for (const part of ['sluice', 'data'])
    await cp(join(root, 'policies', part), join(dir, 'policies', part), { recursive: true });
  await cp(join(here, 'policies/catalog'), join(dir, 'policies/catalog'), { recursive: true });

  const document = parseDocument(await readFile(join(here, 'sluice.yaml'), 'utf8'));
  document.setIn(['listen', 'proxy'], '127.0.0.1:0');
  document.setIn(['listen', 'admin'], '127.0.0.1:0');
  document.setIn(['upstreams', 'crm', 'url'], crm.url);
  const env = { ...process.env, PSEUDONYM_KEY: randomBytes(32).toString('base64') };
  const loaded = parseConfig(document.toString(), join(dir, 'sluice.yaml'), env);
  const sluice = await compose(loaded, { logger: createLogger({ level: 'error' }) });
  try {
    for (const answer of ANSWERS) await show(answer, sluice.proxy, issuer);
    for (const file of await readdir(join(dir, 'data/journal'), { recursive: true }))
      if (file.endsWith('.jsonl'))
        check(
          'no value is in the decision records',
          !/王小明|13812345678|110101199003074514/.test(
            await readFile(join(dir, 'data/journal', file), 'utf8'),
          ),
        );
  } finally {
    await sluice.close();
  }
} finally {
  await crm.close();
  await rm(dir, { recursive: true, force: true });
}
if (failures.length > 0) process.exitCode = 1;

async function show(
  answer: Answer,
  proxy: string,
  issuer: Awaited<ReturnType<typeof createDevelopmentIssuer>>,
) {
  process.stdout.write(`\n=== ${answer.title}: ${answer.method} ${answer.path}\n\nbefore\n`);
  process.stdout.write(`${shown(iconv.decode(answer.body, answer.charset))}\n`);
  for (const persona of PERSONAS) {
    const response = await fetch(proxy + answer.path, {
      method: answer.method,
      headers: {
        authorization: `Bearer ${await issuer.sign(persona.claims)}`,
        'sluice-purpose': persona.purpose,
        ...(answer.method === 'POST' ? { 'content-type': 'text/xml' } : {}),
      },
      ...(answer.method === 'POST' ? { body: SOAP_REQUEST } : {}),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const text = iconv.decode(bytes, response.ok ? answer.charset : 'utf-8');
    process.stdout.write(
      `\nafter: ${persona.title} (${response.headers.get('content-type')})\n${shown(text)}\n\n`,
    );
    check('is answered', response.status === 200);
    const everything = text + [...response.headers].flat().join('\n');
    check('holds nothing that nobody may see', !NEVER.some((value) => everything.includes(value)));
    check(
      'holds nothing that this one may not see',
      !persona.hidden.some((value) => everything.includes(value)),
    );
    check('knows the customer by its id', text.includes('C100001'));
  }
}
