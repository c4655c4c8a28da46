/**
 * A page that is walked through: what it says the upstream answers is answered, the files it shows are written, its commands
 * are typed into a shell, one after the other. Blocks are named by the line above them: a file, or the request they answer.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import iconv from 'iconv-lite';

export type Step =
  | { readonly file: string; readonly text: string }
  | { readonly request: string; readonly format: string; readonly text: string }
  | { readonly commands: readonly { readonly command: string; readonly output: string }[] };

const BLOCK = /^(?:`([^`\n]+)`([^\n]*):\n\n)?```(\w+)\n([\s\S]*?)^```$/gm;

export const stepsOf = (page: string): readonly Step[] =>
  [...page.matchAll(BLOCK)].flatMap(([, name, , format, text]): Step[] => {
    if (format === 'console') return [{ commands: commandsOf(text!) }];
    if (name === undefined) return [];
    return /^[A-Z]+ \//.test(name)
      ? [{ request: name, format: format!, text: text! }]
      : [{ file: name, text: text! }];
  });

/** `$ command`, on lines that end in a backslash but for the last, and what it prints */
const commandsOf = (text: string): readonly { command: string; output: string }[] =>
  [...text.matchAll(/^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)/gm)].map(([, command, output]) => ({
    command: command!,
    output: output!.trimEnd(),
  }));

const TYPES: Readonly<Record<string, string>> = {
  xml: 'text/xml; charset=utf-8',
  json: 'application/json',
  csv: 'application/octet-stream',
};

/** Answers each request of the page with its block; a table in the charset that the page says it has. */
export async function upstreamOf(steps: readonly Step[]): Promise<Server> {
  const answers = new Map(steps.flatMap((s) => ('request' in s ? [[s.request, s] as const] : [])));
  const server = createServer((req, res) => {
    const answer = answers.get(`${req.method} ${req.url}`);
    const known = req.headers.authorization === `Basic ${btoa('sluice:his-2006')}`;
    if (!answer || !known) return void res.writeHead(known ? 404 : 401).end();
    res.writeHead(200, { 'content-type': TYPES[answer.format]! });
    res.end(answer.format === 'csv' ? iconv.encode(answer.text, 'gb18030') : answer.text);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

export const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** One shell, so that what a command exports or starts is there for the next. */
export class Shell {
  readonly #child: ChildProcess;
  #said = '';

  private constructor(cwd: string, env: NodeJS.ProcessEnv) {
    this.#child = spawn('bash', ['--noprofile', '--norc'], { cwd, env });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text;
      });
  }

  static async open(cwd: string, env: NodeJS.ProcessEnv): Promise<Shell> {
    const shell = new Shell(cwd, env);
    await shell.type('exec 2>&1', null);
    return shell;
  }

  /** @param wanted for a command that stays in the background: what it says before the next one is typed */
  async type(command: string, wanted: RegExp | null): Promise<string> {
    const mark = `-- ${Math.random()} --`;
    this.#said = '';
    // No command reads what the shell is to read next.
    this.#child.stdin!.write(`{ ${command}\n} < /dev/null\necho "${mark}"\n`);
    const done = (): boolean => this.#said.includes(mark) && (wanted === null || wanted.test(this.#said));
    for (const until = Date.now() + 300_000; !done(); await new Promise((r) => setTimeout(r, 20)))
      if (Date.now() > until) throw new Error(`${command}\nsays nothing more after:\n${this.#said}`);
    return this.#said.replace(`${mark}\n`, '').trimEnd();
  }

  async close(): Promise<void> {
    const closed = new Promise((done) => this.#child.once('close', done));
    this.#child.stdin!.end('kill $(jobs -p) 2>/dev/null; wait\n');
    await closed;
  }
}

export function put(dir: string, file: string, text: string): void {
  mkdirSync(dirname(join(dir, file)), { recursive: true });
  writeFileSync(join(dir, file), text);
}

/** What differs from run to run. */
export const settled = (text: string): string =>
  text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<id>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/\b(?:[0-9a-f]{64}|[0-9a-f]{32})\b/g, '<digest>')
    .replace(/hmac…[0-9a-f]{12}/g, 'hmac…')
    .replace(/hmac:[0-9a-f]{8}:/g, 'hmac:')
    .replace(/✓ \S+ \d+:/g, '✓ <chain>:')
    .replace(/\d+ a second/g, 'some a second')
    // the policy that the page copies gains tests
    .replace(/\d+ passed: \d+ unit tests, \d+ scenarios/g, 'all passed')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:<port>')
    .replace(/^Policy .*\n/gm, '');
