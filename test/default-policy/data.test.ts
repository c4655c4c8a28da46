import { readdirSync, readFileSync } from 'node:fs';
import { Value } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { dataSchemas } from '../../src/policy/schemas/data.ts';

const DIR = 'policies/data';
const read = (path: string): Record<string, unknown> => parse(readFileSync(path, 'utf8'));
const names = readdirSync(DIR).map((f) => f.replace(/\.yaml$/, ''));

interface Data {
  readonly roles: Record<
    string,
    { purposes: string[]; resources: string[]; categories: Record<string, string> }
  >;
  readonly purposes: Record<string, { tiers: number[]; needs: string[]; actions?: string[] }>;
  readonly tiers: Record<string, { categories: Record<string, string> }>;
  readonly categories: Record<string, unknown>;
  readonly partners: Record<
    string,
    {
      agreements: Record<
        string,
        { categories: Record<string, number>; fields?: Record<string, Record<string, string>> }
      >;
    }
  >;
  readonly flags: Record<string, { except?: string[] }>;
}
const data = Object.assign({}, ...names.map((n) => read(`${DIR}/${n}.yaml`))) as Data;
const catalogs = readdirSync('policies/catalog').map(
  (f) =>
    read(`policies/catalog/${f}`) as {
      resource: string;
      fields: Record<string, { category?: string; resource?: string }>;
    },
);
const missing = (wanted: Iterable<string>, known: object): string[] =>
  [...new Set(wanted)].filter((name) => !Object.hasOwn(known, name));

describe('every data file', () => {
  test('has a schema, and every schema a file', () => {
    expect(names.toSorted()).toEqual(Object.keys(dataSchemas).toSorted());
  });

  test.each(names)('%s keeps to its schema and names it in its first line', (name) => {
    const text = readFileSync(`${DIR}/${name}.yaml`, 'utf8');
    expect([...Value.Errors(dataSchemas[name as keyof typeof dataSchemas], parse(text))]).toEqual([]);
    expect(text.split('\n')[0]).toBe(
      `# yaml-language-server: $schema=../../schemas/policy-${name}.schema.json`,
    );
  });

  test.each(names)('%s with an unknown key is refused', (name) => {
    const value = { ...read(`${DIR}/${name}.yaml`), surprise: 1 };
    expect(Value.Check(dataSchemas[name as keyof typeof dataSchemas], value)).toBe(false);
  });

  test('shares no key with another', () => {
    const keys = names.flatMap((n) => Object.keys(read(`${DIR}/${n}.yaml`)));
    expect(keys.length).toBe(new Set(keys).size);
  });
});

describe('what one file names, another defines', () => {
  const roles = Object.values(data.roles);
  const agreements = Object.values(data.partners).flatMap((p) => Object.entries(p.agreements));

  test('purposes of roles, agreements and flags', () => {
    expect(
      missing(
        roles.flatMap((r) => r.purposes),
        data.purposes,
      ),
    ).toEqual([]);
    expect(
      missing(
        agreements.map(([purpose]) => purpose),
        data.purposes,
      ),
    ).toEqual([]);
    expect(
      missing(
        Object.values(data.flags).flatMap((f) => f.except ?? []),
        data.purposes,
      ),
    ).toEqual([]);
  });

  test('every purpose has a role that serves it', () => {
    const served = new Set(roles.flatMap((r) => r.purposes));
    expect(Object.keys(data.purposes).filter((p) => !served.has(p))).toEqual([]);
  });

  test('categories of catalogs, roles, tiers, purposes and agreements', () => {
    const used = [
      ...catalogs.flatMap((c) => Object.values(c.fields).flatMap((f) => (f.category ? [f.category] : []))),
      ...roles.flatMap((r) => Object.keys(r.categories)),
      ...Object.values(data.tiers).flatMap((t) => Object.keys(t.categories)),
      ...Object.values(data.purposes).flatMap((p) => p.needs),
      ...agreements.flatMap(([, a]) => Object.keys(a.categories)),
    ];
    expect(missing(used, data.categories)).toEqual([]);
  });

  test('resources of roles and of embedded fields', () => {
    const known = Object.fromEntries(catalogs.map((c) => [c.resource, c]));
    const embedded = catalogs.flatMap((c) =>
      Object.values(c.fields).flatMap((f) => (f.resource ? [f.resource] : [])),
    );
    expect(missing([...roles.flatMap((r) => r.resources), ...embedded], known)).toEqual([]);
  });

  test('single fields of agreements stand in the catalog of their resource', () => {
    for (const [, agreement] of agreements)
      for (const [resource, fields] of Object.entries(agreement.fields ?? {})) {
        const catalog = catalogs.find((c) => c.resource === resource)!;
        expect(missing(Object.keys(fields), catalog.fields)).toEqual([]);
      }
  });
});
