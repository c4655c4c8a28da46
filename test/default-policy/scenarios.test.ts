/**
 * The scenarios against the policy alone, without the proxy: the runner (`sluice test`) sends them through all of it; here
 * only what the policy decides is compared, by OPA's own evaluator, so that a wrong scenario is told from a wrong proxy.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  type Scenario,
  type ScenarioFile,
  scenarioFileSchema,
  SCENARIO_NOW,
} from '../../src/policy/schemas/scenario.ts';

const OPA = process.env['OPA_BIN'] ?? 'node_modules/opa-linux-x64/opa';
const FILES = ['policies/scenarios', 'test/cases'].flatMap((dir) =>
  existsSync(dir)
    ? readdirSync(dir)
        .filter((name) => name.endsWith('.yaml'))
        .map((name) => join(dir, name))
    : [],
);
const catalogOf = (resource: string) =>
  parse(readFileSync(`policies/catalog/${resource}.yaml`, 'utf8')) as Catalog;

interface Catalog {
  readonly data_subject: string;
  readonly fields: { readonly [pointer: string]: { category?: string; grade?: number; resource?: string } };
}
interface Choice {
  readonly do: string;
  readonly because: string;
}
interface Disclosure {
  readonly disclose: boolean;
  readonly classes: { readonly [cls: string]: Choice };
  readonly fields: { readonly [pointer: string]: Choice };
}
interface Decision {
  readonly allow: boolean;
  readonly tier: number | null;
  readonly reasons: readonly { code: string }[];
  readonly obligations: { readonly min_group_size: number | null };
}
type Json = { readonly [key: string]: unknown };

const classesOf = (catalog: Catalog) => {
  const names = Object.values(catalog.fields).flatMap((f) =>
    f.category ? [`${f.category}/${f.grade}`] : [],
  );
  return [...new Set(names)].sort().map((cls) => {
    const [category, grade] = cls.split('/');
    return { class: cls, category, grade: Number(grade) };
  });
};
const classes = Object.fromEntries(['customer', 'employee'].map((r) => [r, classesOf(catalogOf(r))]));

const scratch = mkdtempSync(join(tmpdir(), 'sluice-scenarios-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Asks both entrypoints about many inputs in one run of OPA. */
function ask(inputs: readonly unknown[]): { decision: Decision; disclosure: Disclosure }[] {
  writeFileSync(join(scratch, 'asked.json'), JSON.stringify({ asked: inputs, classes }));
  const query =
    '[{"decision": d, "disclosure": s} | some i in data.asked; d := data.sluice.decision with input as i; s := data.sluice.disclosure with input as i]';
  const args = [
    'eval',
    '-f',
    'json',
    '-d',
    'policies/sluice',
    '-d',
    'policies/data',
    '-d',
    join(scratch, 'asked.json'),
  ];
  const out = execFileSync(OPA, [...args, query], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(out).result[0].expressions[0].value;
}

/** The upstream's answer, where it is one that the policy is asked about. */
function bodyOf(s: Scenario): Json | undefined {
  if (s.upstream === undefined || s.expect.status !== 200) return undefined;
  return (typeof s.upstream.body === 'string' ? JSON.parse(s.upstream.body) : s.upstream.body) as Json;
}

const header = (s: Scenario, name: string): string | null =>
  Object.entries(s.request.headers ?? {}).find(([k]) => k.toLowerCase() === name)?.[1] ?? null;

/** As identity and routing build it; kept small, because the real ones have tests of their own. */
function inputOf(file: ScenarioFile, s: Scenario, now: string) {
  const path = s.request.path.split('?')[0] ?? '';
  const route = file.routes.find((r) => {
    const [method, template] = r.match.split(' ');
    return (
      method === s.request.method &&
      new RegExp(`^${template?.replace(/\{[^}]+\}/g, '[^/]+').replace('.', '\\.')}$`).test(path)
    );
  });
  if (route === undefined) throw new Error(`no route for ${s.request.method} ${path}`);
  const {
    sub,
    roles = [],
    dept = null,
    org = 'internal',
    clearance = null,
    amr = [],
    acr = null,
  } = s.token as Json;
  const tier = header(s, 'sluice-tier');
  return {
    subject: {
      type: 'user',
      id: sub,
      properties: {
        roles,
        department: dept,
        organization: org,
        clearance,
        assurance: { amr, acr, auth_time: null },
      },
    },
    action: { name: route.action, properties: { query_fields: [], body_fields: [] } },
    resource: {
      type: route.resource,
      ...(route.id ? { id: path.split('/').at(-1) } : {}),
      properties: {},
    },
    context: {
      purpose: header(s, 'sluice-purpose'),
      tier: tier === null ? null : Number(tier),
      recipient: header(s, 'sluice-recipient') ?? 'internal',
      justification: header(s, 'sluice-justification'),
      time: now,
      grants: s.grants ?? [],
      request: { method: s.request.method, route: route.match, client_ip: null },
    },
    record: { attributes: {} },
  };
}

function stateOf(s: Scenario, id: string, now: string) {
  const state = s.consents?.[id];
  return {
    flags: state?.flags ?? [],
    consents: (state?.consents ?? []).map(({ from, until, status, recipient = 'internal', ...rest }) => ({
      ...rest,
      recipient,
      status:
        status === 'withdrawn'
          ? status
          : until !== undefined && Date.parse(until) <= Date.parse(now)
            ? 'expired'
            : from !== undefined && Date.parse(from) > Date.parse(now)
              ? 'pending'
              : status,
    })),
  };
}

/** Pointer of the catalog for a place in a record. */
const pattern = (catalog: Catalog, place: string): string | undefined =>
  Object.keys(catalog.fields).find((p) => new RegExp(`^${p.replaceAll('*', '[^/]+')}$`).test(place));
const at = (value: unknown, pointer: string): unknown =>
  pointer
    .split('/')
    .slice(1)
    .reduce<unknown>((v, key) => (v === null || typeof v !== 'object' ? undefined : (v as Json)[key]), value);

const files = FILES.map((name) => ({ name, file: parse(readFileSync(name, 'utf8')) as ScenarioFile }));
// What files with data of their own try is enforced by Sluice, and the policy only demands it: `sluice test` plays them.
const all = files.flatMap(({ name, file }) =>
  (file.data === undefined ? file.scenarios : [])
    .filter((s) => s.token !== null)
    .map((s) => ({ name, s, asked: askedOf(file, s) })),
);
let answered: ReturnType<typeof ask> | null = null;

/** The inputs of a scenario: about nobody (as for a search or a write), then one a record. */
function askedOf(file: ScenarioFile, s: Scenario): { inputs: unknown[]; records: readonly Json[] } {
  const now = s.now ?? file.now ?? SCENARIO_NOW;
  const upstream = bodyOf(s);
  const records =
    upstream === undefined
      ? []
      : Array.isArray(upstream['items'])
        ? (upstream['items'] as Json[])
        : [upstream];
  const states = [{ consents: [], flags: [] }, ...records.map((r) => stateOf(s, String(r['id']), now))];
  const input = inputOf(file, s, now);
  return { inputs: states.map((data_subject) => ({ ...input, data_subject })), records };
}

function answersTo(job: (typeof all)[number]): ReturnType<typeof ask> {
  answered ??= ask(all.flatMap((j) => j.asked.inputs));
  const before = all.slice(0, all.indexOf(job)).reduce((n, j) => n + j.asked.inputs.length, 0);
  return answered.slice(before, before + job.asked.inputs.length);
}

describe.runIf(existsSync(OPA))('scenarios', () => {
  for (const { name, file } of files)
    test(`${name} keeps to the schema`, () => {
      expect([...Value.Errors(scenarioFileSchema, file)].slice(0, 5)).toEqual([]);
    });
  for (const job of all)
    test(`${job.name}: ${job.s.name}`, () => check(job.s, job.asked.records, answersTo(job)));
});
if (!existsSync(OPA)) console.warn(`skipped: no OPA at ${OPA}`);

function check(s: Scenario, records: readonly Json[], answers: ReturnType<typeof ask>): void {
  const { decision, disclosure: onNobody } = answers[0]!;

  for (const code of s.expect.reasons ?? []) expect(decision.reasons.map((r) => r.code)).toContain(code);
  const wanted = s.expect.record as
    | { tier?: number; disclosure?: { records: number; records_withheld: number } }
    | undefined;
  if (wanted?.tier !== undefined) expect(decision.tier).toBe(wanted.tier);
  // A value that came back masked is refused by its shape, of which the policy says nothing.
  if (s.expect.status === 422) return;
  if (s.upstream === undefined) {
    // Refused by the decision, or by a field that the caller searches by or writes.
    const touched = [
      ...Object.keys(Object.fromEntries(new URLSearchParams(s.request.path.split('?')[1] ?? ''))),
      ...Object.keys((s.request.body ?? {}) as Json),
    ].map((key) => `/${key}`);
    const catalog = catalogOf('customer');
    const withheld = touched.filter((p) => {
      const f = catalog.fields[p];
      const choice = onNobody.fields[p] ?? onNobody.classes[`${f?.category}/${f?.grade}`];
      return (f as { write?: string } | undefined)?.write === 'never' || choice?.do !== 'disclose';
    });
    expect({ allow: decision.allow, withheld: withheld.length > 0 }).not.toEqual({
      allow: true,
      withheld: false,
    });
    return;
  }
  expect(decision).toMatchObject({ allow: true });
  if (s.expect.status !== 200) return;

  const shown = answers.slice(1).map((a) => a.disclosure);
  let kept = records.map((record, i) => ({ record, answer: shown[i]! })).filter((r) => r.answer.disclose);
  const k = decision.obligations.min_group_size;
  if (k !== null && kept.length < k) kept = [];
  if (wanted?.disclosure !== undefined)
    expect({ records: kept.length, records_withheld: records.length - kept.length }).toEqual(
      wanted.disclosure,
    );

  const catalog = catalogOf('customer');
  const choiceFor = (answer: Disclosure, place: string): Choice | null => {
    const found = pattern(catalog, place);
    const f = found === undefined ? undefined : catalog.fields[found];
    if (found === undefined || f?.category === undefined) return null;
    return (
      answer.fields[found] ?? answer.classes[`${f.category}/${f.grade}`] ?? { do: 'drop', because: 'unnamed' }
    );
  };
  const split = (pointer: string) => {
    const inList = /^\/items\/(\d+)(\/.*)$/.exec(pointer);
    return inList ? { of: kept[Number(inList[1])], place: inList[2]! } : { of: kept[0], place: pointer };
  };
  for (const [pointer, value] of Object.entries(s.expect.members ?? {})) {
    if (pointer === '/items') {
      expect((value as unknown[]).length).toBe(kept.length);
      continue;
    }
    if (pointer.startsWith('/agent/') || pointer === '/page' || pointer === '/total') continue;
    const { of, place } = split(pointer);
    const choice = choiceFor(of!.answer, place);
    const same = JSON.stringify(at(of!.record, place)) === JSON.stringify(value);
    expect({ pointer, done: choice?.do }).toEqual({ pointer, done: same ? 'disclose' : 'mask' });
  }
  for (const pointer of s.expect.absent ?? []) {
    if (pointer.startsWith('/agent/') || pointer === '/total') continue;
    const { of, place } = split(pointer);
    expect({ pointer, done: choiceFor(of!.answer, place)?.do ?? 'drop' }).toEqual({ pointer, done: 'drop' });
  }
  for (const [pointer, wantedChoice] of Object.entries(s.expect.withheld ?? {})) {
    const choice = choiceFor(kept[0]!.answer, pointer);
    expect({ pointer, ...choice }).toMatchObject(
      typeof wantedChoice === 'string' ? { pointer, do: wantedChoice } : { pointer, ...wantedChoice },
    );
  }
}
