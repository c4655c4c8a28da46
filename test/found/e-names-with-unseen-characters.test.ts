/**
 * Class: a name in a file holds something that nobody sees in it, nothing is found by it, and a revocation or a refusal is passed over. Every
 * such name is a fault where the file is read, and the file is not trusted.
 */
import { describe, expect, test } from 'vitest';
import { readConsents } from '../../src/consent/index.ts';
import { parseConfig } from '../../src/config/index.ts';
import { parseRevoked } from '../../src/identity/revoked.ts';
import { createConsentNames } from '../../src/policy/snapshot/consent-names.ts';
import { asSeen, holdsUnseen } from '../../src/model/spelling.ts';

const NAMES: readonly [string, string][] = [
  ['a blank behind it', 'x '],
  ['a blank before it', ' x'],
  ['a tab', 'x\t'],
  ['a line end', 'x\n'],
  ['a no-break space', 'a\u00a0b'],
  ['a full-width blank', 'x\u3000'],
  ['a thin space', 'a\u2009b'],
  ['a zero-width space', 'a\u200bb'],
  ['a word joiner', 'a\u2060b'],
  ['a byte order mark', '\ufeffx'],
  ['a soft hyphen', 'a\u00adb'],
  ['a mark of direction', 'a\u200eb'],
  ['an Arabic letter mark', 'a\u061cb'],
  ['an override of direction', 'a\u202eb'],
  ['a filler', 'a\u3164b'],
  ['a variation selector', 'a\ufe0fb'],
  ['a tag', 'a\u{e0041}b'],
  ['a control character', 'a\u0085b'],
  ['a line separator', 'a\u2028b'],
];
const quoted = (text: string): string =>
  `"${[...text].map((c) => (/[\x20-\x7e]/.test(c) ? c : `\\U${c.codePointAt(0)!.toString(16).padStart(8, '0')}`)).join('')}"`;

describe.each(NAMES)('%s', (_what, name) => {
  test('is none of a revoked credential', () => {
    for (const key of ['jti', 'subject'])
      expect(() => parseRevoked(`[{ ${key}: ${quoted(name)} }]`)).toThrow(/entry 1 has a blank/);
    const digest = `${'a'.repeat(64)}`;
    expect(() => parseRevoked(`[{ sha256: ${quoted(name.replace(/\w/, digest))} }]`)).toThrow(/entry 1/);
  });
  test('is none of consents: an id is found by nobody, and any other name is unknown', () => {
    const faulty = (text: string): void => {
      expect(() => readConsents(`---\nversion: 1\n${text}\n...\n`, 'c.yaml')).toThrow(/blank|invisible/);
    };
    faulty(`data_subjects: { ${quoted(name)}: { flags: [restricted] } }`);
    faulty(`aliases: { login: { ${quoted(name)}: C1 } }\ndata_subjects: {}`);
    faulty(`aliases: { login: { zhang: ${quoted(name)} } }\ndata_subjects: {}`);
    for (const kind of ['flag', 'purpose', 'category', 'recipient'] as const) {
      expect(createConsentNames({}).knows(kind, name)).toBe(false);
      expect(createConsentNames({}).knows(kind, 'x')).toBe(true);
    }
  });
  test('is none of whom the configuration names, and is seen through in a token', () => {
    expect(() =>
      parseConfig(
        `version: 1
upstreams: { crm: { url: "http://127.0.0.1:9000" } }
policy: { dir: . }
consent: { file: c.yaml }
decision_log: { journal: { dir: . } }
identity:
  api_keys: [{ id: a, sha256: "${'0'.repeat(64)}", subject: { id: ${quoted(name)}, roles: [${quoted(name)}], organization: internal } }]
routes: [{ match: "GET /c", upstream: crm, resource: c, action: read }]
`,
        'sluice.yaml',
        {},
      ),
    ).toThrow(/subject\.id: .*invisible[\s\S]*roles\[0\]: .*invisible/);
    expect(holdsUnseen(name)).toBe(true);
    expect(holdsUnseen(asSeen(name))).toBe(false);
  });
});

test.each(['\u4f1f \u5f20', 'a b', 'a\u200cb', 'a\u3000b', 'Zo\u00eb'])('%j is a name', (name) => {
  expect(holdsUnseen(name)).toBe(false);
});

test('a revoked person is known in either spelling that looks alike', () => {
  for (const [listed, token] of [
    ['Zo\u00eb', 'Zoe\u0308'],
    ['Zoe\u0308', 'Zo\u00eb'],
    ['erp', 'erp  '],
  ] as const)
    expect([...parseRevoked(`[{ subject: ${quoted(listed)} }]`).subjects.keys()]).toEqual([asSeen(token)]);
});
