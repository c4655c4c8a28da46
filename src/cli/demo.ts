/**
 * `sluice demo` (and `npm start`): a legacy CRM, an issuer with ready tokens, a sidecar, and a table that shows what
 * each persona sees of the same customers. It uses only files of the package.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { Command } from 'commander';
import colours from 'picocolors';
import { compose, type Sluice } from '../compose/compose.ts';
import { parseConfig } from '../config/index.ts';
import { withValues } from '../documents/write.ts';
import { scanQuery } from '../decision-log/index/scan.ts';
import { verify } from '../decision-log/verify/verify.ts';
import { createDevelopmentIssuer } from '../identity/development-issuer.ts';
import { createLogger } from '../observability/logger.ts';
import { startCrm } from './demo/crm.ts';
import { PERSONAS, type Persona, ROWS } from './demo/personas.ts';
import { decisionTable } from './decisions/table.ts';
import type { Io } from './io.ts';
import { whole } from './options.ts';
import { reread } from './serve/sidecar.ts';
import { wrap } from './text.ts';

interface Options {
  readonly once?: boolean;
  readonly port: number;
  readonly adminPort: number;
  readonly customers: number;
  readonly seed: number;
  readonly policies?: string;
  readonly dir?: string;
  readonly sidecar: boolean;
  readonly crmPort: number;
  readonly json?: boolean;
}

const packaged = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export function command(io: Io): Command {
  return new Command('demo')
    .description('A legacy insurer CRM behind Sluice: what each persona sees of the same customers.')
    .option('--once', 'end after the table')
    .option('--port <n>', 'port of the proxy; 0: any free port', whole(0, 65535), 8080)
    .option('--admin-port <n>', 'port of the admin listener; 0: any free port', whole(0, 65535), 8081)
    .option('--customers <n>', 'customers in the CRM', whole(10, 100_000), 2000)
    .option('--seed <n>', 'what they are made from', whole(0, 4294967295), 20261122)
    .option('--policies <dir>', 'policy to use instead of the default one')
    .option('--dir <dir>', 'directory for tokens, configuration and journal (default: a temporary one)')
    .option('--no-sidecar', 'start only the CRM and the issuer, and print the command that starts Sluice')
    .option('--crm-port <n>', 'port of the CRM; 0: any free port', whole(0, 65535), 0)
    .option('--json', 'print the answers as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  npm start                       stays, with curl lines to try\n  npm start -- --once             prints the table and ends\n  sluice demo --policies ./mine   the same requests under another policy',
    )
    .action((options: Options) => demo(io, options));
}

async function demo(io: Io, options: Options): Promise<void> {
  const temporary = options.dir === undefined;
  const dir = temporary ? await mkdtemp(join(tmpdir(), 'sluice-demo-')) : resolve(io.cwd, options.dir);
  const log = createLogger({ level: 'error' });
  const credential = 'crm-service-credential';
  const crm = await startCrm({
    customers: options.customers,
    seed: options.seed,
    port: options.crmPort,
    credential,
  });
  let sluice: Sluice | undefined;
  try {
    const issuer = await createDevelopmentIssuer();
    await mkdir(join(dir, 'tokens'), { recursive: true });
    const tokens = new Map<string, string>();
    for (const persona of PERSONAS) {
      const token = await issuer.sign(persona.claims);
      tokens.set(persona.key, token);
      await writeFile(join(dir, 'tokens', `${persona.key}.jwt`), token, { mode: 0o600 });
    }
    await writeFile(join(dir, 'keys.json'), JSON.stringify(issuer.jwks));
    await cp(packaged('examples/insurer/consents.yaml'), join(dir, 'consents.yaml'));
    const policies =
      options.policies === undefined ? packaged('policies') : resolve(io.cwd, options.policies);
    const file = join(dir, 'sluice.yaml');
    const text = await configuration(options, crm.url, policies);
    await writeFile(file, text);
    const env = {
      ...io.env,
      CRM_CREDENTIAL: credential,
      PSEUDONYM_KEY: randomBytes(32).toString('base64'),
    };
    if (!options.sidecar) {
      io.stdout.write(
        `CRM     ${crm.url}\ntokens  ${join(dir, 'tokens')}\n\nIn another terminal:\n  CRM_CREDENTIAL=${credential} PSEUDONYM_KEY=${env.PSEUDONYM_KEY} sluice serve --config ${file}\n\nCtrl-C ends it.\n`,
      );
      await untilInterrupted();
      return;
    }
    const loaded = parseConfig(text, file, env);
    sluice = await compose(loaded, { logger: log });

    const answers = await Promise.all(PERSONAS.map((p) => ask(sluice as Sluice, p, tokens.get(p.key) ?? '')));
    if (options.json)
      io.stdout.write(
        `${JSON.stringify(
          answers.map(({ persona, status, body }) => ({ persona: persona.key, status, body })),
          null,
          2,
        )}\n`,
      );
    else {
      io.stdout.write(`${personaTables(answers, io.stdout.columns ?? 210)}\n`);
      io.stdout.write(curlLines(sluice, dir));
    }
    await report(io, sluice, options.json === true);
    if (options.once) return;
    io.stdout.write(
      `\nproxy  ${sluice.proxy}\nadmin  ${sluice.admin}  (/healthz /readyz /metrics)\nfiles  ${dir}\nCtrl-C ends it; SIGHUP (kill -HUP ${process.pid}) reads policy and consents again.\n`,
    );
    const serving = sluice;
    await untilInterrupted(() => void reread(serving, createLogger({ level: 'info' })));
  } finally {
    await sluice?.close();
    await crm.close();
    if (temporary) await rm(dir, { recursive: true, force: true });
  }
}

/** SIGHUP reloads policy and consents, as for `serve`. A closed terminal also sends it, and then the demo ends. */
const untilInterrupted = (reread?: () => void): Promise<void> =>
  new Promise((done) => {
    const inTerminal = process.stdout.isTTY === true;
    const hangup = (): void => {
      if (reread === undefined || (inTerminal && !hasTerminal())) done();
      else reread();
    };
    process.once('SIGINT', done).once('SIGTERM', done).on('SIGHUP', hangup);
  });

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/** examples/insurer/sluice.yaml with this run's addresses and directories. */
async function configuration(options: Options, crm: string, policies: string): Promise<string> {
  return withValues(await readFile(packaged('examples/insurer/sluice.yaml'), 'utf8'), [
    [['listen', 'proxy'], `127.0.0.1:${options.once ? 0 : options.port}`],
    [['listen', 'admin'], `127.0.0.1:${options.once ? 0 : options.adminPort}`],
    [['upstreams', 'crm', 'url'], crm],
    [['policy', 'dir'], policies],
    [['decision_log', 'journal', 'dir'], './journal'],
  ]);
}

interface Answer {
  readonly persona: Persona;
  readonly status: number;
  readonly body: unknown;
  readonly withheld: string | null;
}

async function ask(sluice: Sluice, persona: Persona, token: string): Promise<Answer> {
  const response = await fetch(sluice.proxy + persona.path, {
    headers: { authorization: `Bearer ${token}`, ...encoded(persona.headers) },
  });
  return {
    persona,
    status: response.status,
    body: JSON.parse(await response.text(), keepSpelling),
    withheld: response.headers.get('sluice-withheld'),
  };
}

/** Numbers as the CRM writes them (`88.0`, 20 digits): the table must not change what Sluice keeps. */
class Spelled {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
const keepSpelling = (_key: string, value: unknown, context?: { source?: string }): unknown =>
  typeof value === 'number' ? new Spelled(context?.source ?? String(value)) : value;
const spelled = (_key: string, value: unknown): unknown =>
  value instanceof Spelled
    ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(value.text)
    : value;

const encoded = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([k, v]) => [k, /^[\x20-\x7e]*$/.test(v) ? v : encodeURIComponent(v)]),
  );

const LABEL = 26;
const COLUMN = 21;

/** Shows as many personas side by side as fit the terminal, and the others below. */
function personaTables(answers: readonly Answer[], columns: number): string {
  const fit = Math.max(1, Math.min(answers.length, Math.floor((columns - LABEL - 2) / (COLUMN + 1))));
  const tables: string[] = [];
  for (let i = 0; i < answers.length; i += fit) tables.push(personaTable(answers.slice(i, i + fit)));
  return tables.join('\n\n');
}

function personaTable(answers: readonly Answer[]): string {
  const line = (label: string, cells: readonly string[], colour = (s: string) => s): string[] => [
    wrap(label, LABEL - 2),
    ...cells.map((c) =>
      wrap(c, COLUMN - 2)
        .split('\n')
        .map(colour)
        .join('\n'),
    ),
  ];
  const table = new Table({
    head: line(
      '',
      answers.map((a) => a.persona.title),
    ),
    style: { head: [], border: [], compact: true },
    colWidths: [LABEL, ...answers.map(() => COLUMN)],
  });
  if (answers.some((a) => a.status !== 200))
    table.push(
      line(
        '',
        answers.map((a) => (a.status === 200 ? '' : refusal(a))),
        colours.red,
      ),
    );
  for (const row of ROWS)
    table.push(
      line(
        row,
        answers.map((a) => (a.status === 200 ? cell(a, row) : '')),
      ),
    );
  return table.toString();
}

function refusal({ status, body }: Answer): string {
  const { reasons = [] } = body as { reasons?: { code: string }[] };
  return `${status} ${reasons.map((r) => r.code).join(', ')}`;
}

function cell({ persona, body }: Answer, row: string): string {
  const value = at(persona.record === null ? body : at(body, persona.record), row);
  if (value === undefined) return '·';
  return typeof value === 'string' ? value : JSON.stringify(value, spelled);
}

function at(value: unknown, pointer: string): unknown {
  return pointer
    .split('/')
    .slice(1)
    .reduce<unknown>(
      (v, key) => (typeof v === 'object' && v !== null ? (v as Record<string, unknown>)[key] : undefined),
      value,
    );
}

function curlLines(sluice: Sluice, dir: string): string {
  const lines = PERSONAS.map((p) => {
    const headers = Object.entries(encoded(p.headers))
      .map(([k, v]) => ` -H '${k}: ${v}'`)
      .join('');
    return `  curl -s '${sluice.proxy}${p.path}' -H "Authorization: Bearer $(cat ${join(dir, 'tokens', `${p.key}.jwt`)})"${headers}`;
  });
  return `\n· withheld. The same by hand:\n${lines.join('\n')}\n`;
}

async function report(io: Io, sluice: Sluice, quiet: boolean): Promise<void> {
  const { decisions } = await scanQuery(sluice.log.dir).query({ limit: 20 });
  const result = await verify({ dir: sluice.log.dir, key: null });
  if (!quiet)
    io.stdout.write(
      `\nThe decisions just recorded:\n${decisionTable(decisions, io.stdout.columns ?? 160)}\n`,
    );
  const chains = result.origins.map((o) => `${o.origin} (${o.records} records)`).join(', ');
  const line = result.ok
    ? `verify: chain intact, ${result.records} records from ${chains}`
    : `verify: BROKEN, ${result.problems_total} problems`;
  (quiet ? io.stderr : io.stdout).write(`\n${line}\n`);
  if (!result.ok) io.exitCode = 1;
}
