/**
 * Runs each case in this directory against a real proxy, a real upstream and the real policy; README.md says how to write one.
 * `UPDATE_GOLDEN=1 vitest run test/golden` replaces the expected sections by the actual ones.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { type HostileUpstream, startHostile } from '../support/hostile.ts';
import { policyWith } from '../support/policy.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { play, readCase } from './case.ts';
import { type CaseFile, CaseError, yamlOf } from './case-file.ts';

const HERE = import.meta.dirname;
const ROOT = join(HERE, '../..');
const UPDATE = process.env['UPDATE_GOLDEN'] === '1';
const BASE = parse(readFileSync(join(HERE, 'sluice.yaml'), 'utf8')) as Record<string, unknown>;

const paths = (readdirSync(HERE, { recursive: true }) as string[]).filter((p) => p.endsWith('.case')).sort();

let upstream: HostileUpstream;
/** least recently used first; each takes some 8 MB */
const started = new Map<string, Promise<Running>>();
const AT_ONCE = 10;
const directories: string[] = [];

beforeAll(async () => {
  upstream = await startHostile();
  await policyWith({}); // OPA compiles the default rules: on a busy machine longer than a test may take
});
afterAll(async () => {
  for (const one of started.values()) await close(one);
  await upstream?.close();
  for (const dir of directories) rmSync(dir, { recursive: true, force: true });
});

/** What a case says of the configuration and the policy: cases that say the same share a Sluice, whatever their consents. */
const setupOf = (file: CaseFile) =>
  file.sections.filter((s) => /^(?:file |sluice\.yaml|policies\/)/.test(s.name));

const consentsOf = (file: CaseFile) =>
  yamlOf(
    file,
    file.sections.find((s) => s.name === 'consents.yaml'),
  );

const close = (one: Promise<Running>): Promise<void> =>
  one.then(
    (running) => running.close(),
    () => {}, // it did not start, which its cases have said
  );

async function sluiceFor(file: CaseFile): Promise<Running> {
  const key = setupOf(file)
    .map((s) => `${s.name}\n${s.text}`)
    .sort()
    .join('\n\n');
  const known = started.get(key) ?? start(file);
  started.delete(key);
  started.set(key, known);
  const [oldest = ''] = started.keys();
  if (started.size > AT_ONCE) {
    const one = started.get(oldest)!;
    started.delete(oldest);
    await close(one);
  }
  return known;
}

async function start(file: CaseFile): Promise<Running> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-golden-'));
  directories.push(dir);
  const sections = setupOf(file);
  const yaml = (name: string) =>
    yamlOf(
      file,
      sections.find((s) => s.name === name),
    );
  for (const { name, text } of sections)
    if (name.startsWith('file ')) writeFileSync(join(dir, name.slice('file '.length)), `${text}\n`);
  const { routes, upstreams = {}, ...config } = { ...BASE, ...yaml('sluice.yaml') } as Record<string, object>;
  const others = Object.keys(upstreams).filter((name) => name !== 'crm');
  if (others.length > 0)
    throw new CaseError(
      file.path,
      sections[0]!.line,
      `A case has one upstream, crm, and not ${others.join()}.`,
    );
  try {
    return await startSluice({
      dir,
      upstream: upstream.url,
      crm: (upstreams as Record<string, object>)['crm'] ?? {},
      routes: routes as object[],
      config,
      policy: await policyWith({
        data: yaml('policies/data'),
        rego: sections.find((s) => s.name === 'policies/sluice.rego')?.text,
        catalogs: sections.filter((s) => s.name.startsWith('policies/catalog/')).map((s) => s.text),
      }),
    });
  } catch (e) {
    throw new CaseError(file.path, sections[0]?.line ?? 1, `Sluice does not start: ${(e as Error).message}`);
  }
}

/** Gives a running Sluice the consents of a case: writes its file and has it read again. */
async function consent({ dir, sluice: { consents, invalidation } }: Running, file: CaseFile): Promise<void> {
  const path = join(dir, 'consents.yaml');
  const text = JSON.stringify({ version: 1, data_subjects: {}, ...consentsOf(file) });
  if (readFileSync(path, 'utf8') === text) return;
  let isRead = false;
  const unsubscribe = invalidation.subscribe(({ kind }) => {
    isRead ||= kind === 'consents';
  });
  writeFileSync(path, text);
  consents.refresh?.();
  unsubscribe();
  if (isRead) return;
  await vi.waitUntil(async () => !(await consents.ready()).ok, { timeout: 5_000 });
  const section = file.sections.find((s) => s.name === 'consents.yaml');
  throw new CaseError(file.path, section?.line ?? 1, `${(await consents.ready()).detail}`);
}

async function passes(shown: string, source: string, update: (text: string) => void): Promise<void> {
  const file = readCase(shown, source);
  const running = await sluiceFor(file);
  await consent(running, file);
  const text = await play(source, file, { running, upstream });
  if (text === source) return;
  if (UPDATE) return update(text);
  const where = `${shown}:${firstDifference(source, text)}`;
  expect(text, `${where}: the result differs (UPDATE_GOLDEN=1 writes the actual one)`).toBe(source);
}

function firstDifference(a: string, b: string): number {
  const other = b.split('\n');
  return a.split('\n').findIndex((line, i) => line !== other[i]) + 1;
}

const nameOf = (path: string): string =>
  path.slice(path.indexOf('/') + 1, -'.case'.length).replaceAll('-', ' ');

describe.each(Object.entries(Object.groupBy(paths, (p) => p.split('/')[0]!)))('%s', (_area, files = []) => {
  test.each(files.map((path) => [nameOf(path), path]))('%s', (_name, path) => {
    const absolute = join(HERE, path);
    const update = (text: string) => writeFileSync(absolute, text);
    return passes(relative(ROOT, absolute), readFileSync(absolute, 'utf8'), update);
  });
});

const EXAMPLE = /^```\n(.*?)^```$/ms.exec(readFileSync(join(HERE, 'README.md'), 'utf8'))![1]!;

test('the example of the README passes', () => passes('README.md, the example', EXAMPLE, () => {}));

test('an update fills an empty answer and an empty record', async () => {
  const [head, answer] = EXAMPLE.split(/^-- (?:answer|record) --\n/m) as [string, string];
  const file = readCase('README.md, the example', `${head}-- answer --\n\n-- record --\n`);
  const running = await sluiceFor(file);
  await consent(running, file);
  expect(await play(`${head}-- answer --\n\n-- record --\n`, file, { running, upstream })).toBe(
    `${head}-- answer --
${answer}-- record --
outcome: modified
disclosure:
  records: 1
  records_withheld: 0
  released: [/id]
  withheld:
    - { path: /phone, do: mask, because: opted_out }
`,
  );
});

test('every code that a refusal can have is in a case, or the README says why in none', () => {
  const refusals = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8').matchAll(/^\| `(\w+)` \| \d+ \|/gm);
  const excused = readFileSync(join(HERE, 'README.md'), 'utf8').matchAll(/^\| `(\w+)` \|/gm);
  const shown = paths.flatMap((path) => {
    const text = readFileSync(join(HERE, path), 'utf8');
    return [...text.slice(text.lastIndexOf('\n-- answer')).matchAll(/\bcode"?: ?"?(\w+)/g)];
  });
  const named = [...shown, ...excused].map(([, code]) => code);
  expect([...refusals].map(([, code]) => code).filter((code) => !named.includes(code))).toEqual([]);
});
