/** Compares the expectations of a scenario with its result: one sentence for each difference. */
import { pointerOf, tokensOf } from '../../../model/pointer.ts';
import type { Scenario } from '../../../policy/schemas/scenario.ts';
import { isObject } from '../../../documents/yaml.ts';
import type { ScenarioResult } from './sandbox.ts';

export function differences({ expect, upstream }: Scenario, result: ScenarioResult): string[] {
  const found: string[] = [];
  const { decision } = result;
  const reasons = decision?.reasons.map((r) => r.code) ?? [];
  if (result.status !== expect.status)
    found.push(
      `status: ${expect.status} expected, ${result.status} came${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}`,
    );
  for (const [name, value] of Object.entries(expect.headers ?? {})) {
    const actual = result.headers[name.toLowerCase()];
    if (String(actual) !== value)
      found.push(`header ${name}: ${JSON.stringify(value)} expected, ${told(actual)} came`);
  }
  found.push(...bodyDifferences(expect, result));
  for (const code of expect.reasons ?? [])
    if (!reasons.includes(code))
      found.push(`reasons: ${code} expected, ${reasons.length === 0 ? 'none' : reasons.join(', ')} came`);
  found.push(...withheldDifferences(expect.withheld ?? {}, result));
  if (expect.record !== undefined) {
    if (decision === null) found.push('record: none was written');
    else found.push(...contained(expect.record, JSON.parse(JSON.stringify(decision)), 'record'));
  }
  const asked = expect.upstream_asked ?? upstream !== undefined;
  if (asked !== result.asked.length > 0)
    found.push(
      asked
        ? 'upstream: it was to be asked, and was not'
        : `upstream: it was not to be asked, and was asked ${result.asked.map((a) => `${a.method} ${a.target}`).join(', ')}`,
    );
  return found;
}

function bodyDifferences(expect: Scenario['expect'], result: ScenarioResult): string[] {
  const found: string[] = [];
  const text = result.body.toString('utf8');
  if (typeof expect.body === 'string') {
    if (text !== expect.body) found.push(`body: ${spellDifference(expect.body, text)}`);
  }
  const wantsJson =
    (expect.body !== undefined && typeof expect.body !== 'string') ||
    expect.members !== undefined ||
    (expect.absent ?? []).length > 0;
  if (!wantsJson) return found;
  let json: unknown;
  try {
    json = text === '' ? undefined : JSON.parse(text);
  } catch {
    found.push(`body: JSON was expected, and came: ${told(text)}`);
    return found;
  }
  if (expect.body !== undefined && typeof expect.body !== 'string')
    found.push(...equal(expect.body, json, 'body'));
  for (const [pointer, value] of Object.entries(expect.members ?? {})) {
    const actual = at(json, pointer);
    if (actual === undefined)
      found.push(
        `member ${pointer}: ${told(value)} expected, nothing is there${result.status === expect.status ? membersAt(json, pointer) : ''}`,
      );
    else found.push(...equal(value, actual, `member ${pointer}`));
  }
  for (const pointer of expect.absent ?? []) {
    const actual = at(json, pointer);
    if (actual !== undefined)
      found.push(`absent ${pointer}: nothing was to be there, and there is ${told(actual)}`);
  }
  return found;
}

function withheldDifferences(
  wanted: NonNullable<Scenario['expect']['withheld']>,
  result: ScenarioResult,
): string[] {
  const all = result.decision?.disclosure?.withheld ?? [];
  const released = new Set(result.decision?.disclosure?.released ?? []);
  return Object.entries(wanted).flatMap(([path, choice]) => {
    const accounts = all.filter((a) => a.path === path);
    const fits = accounts.some((a) =>
      typeof choice === 'string' ? a.do === choice : a.do === choice.do && a.because === choice.because,
    );
    if (fits) return [];
    const spelled = typeof choice === 'string' ? choice : `${choice.do} (${choice.because})`;
    const actual =
      accounts.length > 0
        ? accounts.map((a) => `${a.do} (${a.because})`).join(', ')
        : released.has(path)
          ? 'it was disclosed'
          : `no such field was in the answer${listed(
              [...released, ...all.map((a) => a.path)],
              '; those that were',
            )}`;
    return [`withheld ${path}: ${spelled} expected, ${actual}`];
  });
}

/** every member of `wanted` is in `actual`, which may have others */
function contained(wanted: unknown, actual: unknown, where: string): string[] {
  if (isObject(wanted) && isObject(actual))
    return Object.entries(wanted).flatMap(([k, v]) =>
      Object.hasOwn(actual, k)
        ? contained(v, actual[k], `${where}.${k}`)
        : [
            `${where}.${k}: ${told(v)} expected, nothing is there${listed(Object.keys(actual), '; there are')}`,
          ],
    );
  if (Array.isArray(wanted) && Array.isArray(actual) && wanted.length === actual.length)
    return wanted.flatMap((v, i) => contained(v, actual[i], `${where}.${i}`));
  return Object.is(wanted, actual) ? [] : [`${where}: ${told(wanted)} expected, ${told(actual)} came`];
}

/** equal as JSON: the order of members does not matter */
function equal(wanted: unknown, actual: unknown, where: string): string[] {
  if (isObject(wanted) && isObject(actual)) {
    const keys = [...new Set([...Object.keys(wanted), ...Object.keys(actual)])];
    return keys.flatMap((k) => {
      const there = `${where}/${k}`;
      if (!Object.hasOwn(actual, k)) return [`${there}: ${told(wanted[k])} expected, nothing is there`];
      if (!Object.hasOwn(wanted, k)) return [`${there}: nothing expected, ${told(actual[k])} came`];
      return equal(wanted[k], actual[k], there);
    });
  }
  if (Array.isArray(wanted) && Array.isArray(actual)) {
    const length = Math.max(wanted.length, actual.length);
    return Array.from({ length }, (_, i) => i).flatMap((i) => {
      const there = `${where}/${i}`;
      if (i >= actual.length) return [`${there}: ${told(wanted[i])} expected, nothing is there`];
      if (i >= wanted.length) return [`${there}: nothing expected, ${told(actual[i])} came`];
      return equal(wanted[i], actual[i], there);
    });
  }
  return wanted === actual ? [] : [`${where}: ${told(wanted)} expected, ${told(actual)} came`];
}

const AROUND = 40;

/** the position at which two texts differ */
function spellDifference(wanted: string, actual: string): string {
  let i = 0;
  while (i < wanted.length && wanted[i] === actual[i]) i += 1;
  const from = Math.max(0, i - AROUND / 2);
  const part = (t: string): string =>
    `${from > 0 ? '…' : ''}${t.slice(from, i + AROUND)}${i + AROUND < t.length ? '…' : ''}`;
  return `differs from character ${i + 1} on:\n    expected ${part(wanted)}\n    came     ${part(actual)}`;
}

/** The existing members of the innermost object on the way to a pointer. */
function membersAt(json: unknown, pointer: string): string {
  const keys = tokensOf(pointer);
  for (let n = keys.length - 1; n >= 0; n--) {
    const path = pointerOf(keys.slice(0, n));
    const inner = at(json, path);
    const where = path === '' ? 'the answer' : path;
    if (Array.isArray(inner)) return `; ${where} has ${inner.length} elements`;
    if (isObject(inner)) return listed(Object.keys(inner), `; ${where} has`);
  }
  return '';
}

const LISTED = 30;
const listed = (names: readonly string[], before: string): string => {
  const all = [...new Set(names)];
  if (all.length === 0) return '';
  return `${before} ${all.slice(0, LISTED).join(', ')}${all.length > LISTED ? ` and ${all.length - LISTED} more` : ''}`;
};

const LONGEST = 200;
const told = (value: unknown): string => {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
};

/** RFC 6901 */
function at(value: unknown, pointer: string): unknown {
  let here = value;
  for (const key of tokensOf(pointer)) {
    if (Array.isArray(here)) here = /^(0|[1-9]\d*)$/.test(key) ? here[Number(key)] : undefined;
    else if (isObject(here) && Object.hasOwn(here, key)) here = here[key];
    else return undefined;
  }
  return here;
}

/** Turns the result of a scenario into expectations: status, reasons of a refusal, withheld and disclosed fields. */
export function expectationOf({ status, decision }: ScenarioResult): Scenario['expect'] {
  const disclosure = decision?.disclosure ?? null;
  return {
    status,
    ...(status >= 400 && decision !== null ? { reasons: decision.reasons.map((r) => r.code) } : {}),
    ...(disclosure === null || disclosure.withheld.length === 0
      ? {}
      : {
          withheld: Object.fromEntries(
            disclosure.withheld.map(({ path, do: treatment, because }) => [path, { do: treatment, because }]),
          ),
        }),
    ...(decision === null
      ? {}
      : {
          record: {
            outcome: decision.outcome,
            ...(disclosure === null
              ? {}
              : {
                  disclosure: {
                    records: disclosure.records,
                    records_withheld: disclosure.records_withheld,
                    released: [...disclosure.released],
                  },
                }),
          },
        }),
  };
}
