import Ajv from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { SluiceError } from '../../src/errors.ts';
import type { Catalog } from '../../src/model/catalog.ts';
import { catalogsFromData } from '../../src/policy/catalog/bundled.ts';
import { classesOf } from '../../src/policy/catalog/classes.ts';
import { parseCatalog, readCatalogs } from '../../src/policy/catalog/read.ts';
import { catalogFault } from '../../src/model/pointer-faults.ts';
import { policySchemas } from '../../src/policy/schemas/documents.ts';

/** Numbers of people say only which places are of one. */
const namesOf = (catalog: Catalog | undefined): unknown => {
  const people = [...new Set(catalog?.subject_places?.map(({ person }) => person))];
  const places = catalog?.subject_places?.map((place) => ({
    ...place,
    person: place.person === null ? null : people.indexOf(place.person),
  }));
  return { ...catalog, subject_places: places };
};

const faultsOf = (text: string): string[] => {
  try {
    parseCatalog('c.yaml', text);
  } catch (e) {
    expect(e).toBeInstanceOf(SluiceError);
    expect((e as SluiceError).code).toBe('catalog_invalid');
    return (e as SluiceError).message.split('\n');
  }
  return [];
};

describe('a catalog', () => {
  test('has its data subjects as a list, in any notation', () => {
    expect(parseCatalog('c.yaml', 'resource: a\ndata_subject: /id\nfields: {}').data_subject).toEqual([
      '/id',
    ]);
    expect(parseCatalog('c.yaml', 'resource: a\ndata_subject: [/x, /y/*]\nfields: {}').data_subject).toEqual([
      '/x',
      '/y/*',
    ]);
    expect(parseCatalog('c.yaml', 'resource: a\nfields: {}').data_subject).toEqual([]);
  });

  test('is reported with every fault, each at its line and column', () => {
    const faults = faultsOf(
      [
        'resorce: a',
        'fields:',
        '  /a: { category: x, grade: 9, maks: phone }',
        '  b: { category: y, grade: 1 }',
        '  /c: { resource: 4 }',
        'envelope:',
        '  /t: { is: totl }',
      ].join('\n'),
    );
    expect(faults).toEqual([
      'c.yaml:1:1: catalog: unknown key "resorce"; did you mean "resource"?',
      'c.yaml:1:1: resource: a catalog names its resource, e.g. customer',
      'c.yaml:3:32: /a: unknown key "maks"; did you mean "mask"?',
      'c.yaml:3:29: /a: grade is a whole number from 1 (public) to 5 (secret)',
      'c.yaml:4:3: fields: "b": a path starts with "/"',
      'c.yaml:5:19: /c: resource is the name of a catalog',
      'c.yaml:7:13: envelope /t: is one of record, records, record_count, total, link, status, drop; did you mean "total"?',
    ]);
  });

  test('selects nothing by a sibling around the records', () => {
    expect(
      faultsOf(
        'resource: a\nfields: { "/[k=v]/a": { category: c, grade: 1 } }\nenvelope: { "/t/[k=v]/n": { is: drop } }',
      ),
    ).toEqual([expect.stringContaining('envelope: "/t/[k=v]/n": around the records nothing is picked')]);
  });

  test('says whether a line covers objects; one with an embedded resource does not', () => {
    const c = parseCatalog('c.yaml', 'resource: a\nfields:\n  /a: { category: x, grade: 5, whole: true }');
    expect(c.fields['/a']).toEqual({ category: 'x', grade: 5, whole: true });
    expect(
      faultsOf(
        [
          'resource: a',
          'fields:',
          '  /a: { category: x, grade: 1, whole: yes please }',
          '  /b: { resource: c, whole: true }',
          '  /c: { category: x, grade: 1, hole: true }',
        ].join('\n'),
      ),
    ).toEqual([
      'c.yaml:3:39: /a: whole is true or false',
      'c.yaml:4:22: /b: whole stands with a class; an embedded resource is walked by its own catalog: leave it out',
      'c.yaml:5:32: /c: unknown key "hole"; did you mean "whole"?',
    ]);
  });

  test('with the same field twice is refused', () => {
    expect(
      faultsOf('resource: a\nfields:\n  /a: { category: x, grade: 1 }\n  /a: { category: x, grade: 5 }')[0],
    ).toMatch(/^c\.yaml:4:3: /);
  });

  test('keeps a field named __proto__ a field', () => {
    const c = parseCatalog('c.yaml', 'resource: a\nfields:\n  /__proto__: { category: x, grade: 5 }');
    expect(Object.keys(c.fields)).toEqual(['/__proto__']);
  });

  test('that is not YAML is refused with the place', () => {
    expect(faultsOf('resource: [a')[0]).toMatch(/^c\.yaml:1:1[0-9]: /);
  });

  test('with anchors that multiply is refused', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefgh'.split('').map((l, i) => `${l}: &${l} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`),
    ];
    expect(faultsOf(bomb.join('\n')).length).toBeGreaterThan(0);
  });

  test('that embeds a resource without a catalog is refused when the set is read', () => {
    const files = [
      { file: 'a.yaml', text: 'resource: customer\nfields:\n  /agent: { resource: employe }' },
      { file: 'b.yaml', text: 'resource: employee\nfields: {}' },
    ];
    expect(() => readCatalogs(files)).toThrow(
      'a.yaml:3:23: /agent: no catalog for resource "employe"; did you mean "employee"?',
    );
  });

  test('that is alone and embeds a resource is refused too', () => {
    const text = 'resource: customer\nfields:\n  /agent: { resource: employee }';
    expect(() => readCatalogs([{ file: 'a.yaml', text }])).toThrow('no catalog for resource "employee"');
    const itself = 'resource: customer\nfields:\n  /spouse: { resource: customer }';
    expect(readCatalogs([{ file: 'a.yaml', text: itself }])).toHaveLength(1);
  });

  test('in the data of a bundle is checked in the same way', () => {
    const listed = {
      customer: { resource: 'customer', fields: { '/agent': { resource: 'employe' } } },
      employee: { resource: 'employee', fields: {} },
    };
    expect(() => catalogsFromData(listed, 'b.tar.gz')).toThrow(
      'b.tar.gz: data.catalog.customer: /agent: no catalog for resource "employe"; did you mean "employee"?',
    );
    const sound = {
      ...listed,
      customer: { resource: 'customer', fields: { '/agent': { resource: 'employee' } } },
    };
    expect([...catalogsFromData(sound, 'b.tar.gz').keys()]).toEqual(['customer', 'employee']);
  });

  test.each([
    '/id',
    '[/x, /y/*]',
    '{ at: /id, type: customer_no }',
    '{ at: /subject, type: customer_no, pattern: "Customer/(.+)" }',
    '[{ at: /id, type: customer_no }, /name]',
    '[{ same: [{ at: /id, type: customer_no }, { at: /login, type: login }] }, { at: /payer, type: customer_no }]',
    '[{ at: /payer, type: customer_no }, { same: [{ at: /a, type: t }, /b] }, { same: [{ at: /c, type: t }, { at: /d, type: t }] }]',
  ])('is the same from a bundle: data_subject %s', (subject) => {
    const read = parseCatalog(
      'c.yaml',
      `resource: a\ndata_subject: ${subject}\nfields: { /id: { category: x, grade: 1 } }`,
    );
    const bundled = JSON.parse(JSON.stringify({ a: read })) as Record<string, unknown>;
    expect(namesOf(catalogsFromData(bundled, 'b.tar.gz').get('a'))).toEqual(namesOf(read));
  });

  test('with variants is the same from a bundle', () => {
    const read = parseCatalog('c.yaml', 'resource: a\nvariants: { by: /type, of: { Person: b } }');
    const b = parseCatalog('b.yaml', 'resource: b\nfields: {}');
    const bundled = JSON.parse(JSON.stringify({ a: read, b })) as Record<string, unknown>;
    expect(catalogsFromData(bundled, 'b.tar.gz').get('a')).toEqual(read);
  });

  test('of a resource that already has one is refused', () => {
    const text = 'resource: a\nfields: {}';
    expect(() =>
      readCatalogs([
        { file: 'a.yaml', text },
        { file: 'b.yaml', text },
      ]),
    ).toThrow('b.yaml:1:11: resource "a" has a catalog already, in a.yaml');
  });

  test('gives each class once, in order, whatever the number of fields', () => {
    const fields = Array.from(
      { length: 500 },
      (_, i) => `  /f${i}: { category: c${i % 3}, grade: ${(i % 2) + 1} }`,
    ).join('\n');
    expect(classesOf(parseCatalog('c.yaml', `resource: a\nfields:\n${fields}`)).map((c) => c.class)).toEqual([
      'c0/1',
      'c0/2',
      'c1/1',
      'c1/2',
      'c2/1',
      'c2/2',
    ]);
  });
});

describe('a pointer', () => {
  test.each([
    '/a',
    '/a/*/b',
    '/0/1',
    '/custom/[name=身份证号]/value',
    '/#3',
    '/@id',
    '/a~1b',
    '/a~0b',
    '/a b',
  ])('may be %s', (p) => {
    expect(catalogFault(p)).toBeNull();
  });
  test.each(['a', '', '/', '/a//b', '/a~2', '/[x]', '/[=1]', '/#0', '/@'])('may not be %j', (p) => {
    expect(catalogFault(p)).not.toBeNull();
  });
});

test('what the schema of catalogs says agrees with what is accepted', () => {
  const schema = policySchemas()['catalog.schema.json']!;
  const valid = new Ajv.default({ strict: false }).compile(schema);
  for (const text of [
    'resource: a\nfields: { /a: { category: c, grade: 1, mask: { kind: phone } } }',
    'resource: a\ndata_subject: [/x]\nattributes: { v: /v }\nfields: { /e: { resource: b } }\nenvelope: { /t: { is: total } }',
    'resource: a\nfields: { /a: { category: c, grade: 6 } }',
    'resource: a\nfields: { /a: { category: c } }',
    'resource: a\nfields: { a: { category: c, grade: 1 } }',
    'resource: a\nfields: { /a: { category: c, grade: 1, masks: phone } }',
    'resource: a\nfields: {}\nextra: 1',
    'fields: {}',
    'resource: a\nfields: { /a: { category: c, grade: 1 } }\nenvelope: { /t: { is: nope } }',
    'resource: a\nfields: { "/[k=v]/a": { category: c, grade: 1 } }\nenvelope: { "/t/[k=v]/n": { is: drop } }',
    'resource: a\nfields: { /a: { category: c, grade: 1 } }\nenvelope: { /t/*/n: { is: drop }, "/a[0]": { is: drop } }',
  ])
    expect(valid(parse(text)), text).toBe(faultsOf(text).length === 0);
});
