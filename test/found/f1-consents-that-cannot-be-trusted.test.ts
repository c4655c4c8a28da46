/**
 * Class F1: a file that refuses or revokes was used although it could not be trusted. Root causes: the file was decoded with replacement
 * characters instead of being refused; YAML in block style stays valid when its last entries are cut off; an empty revocation list was
 * read as an empty one; names were never compared with those that the policy knows, so that a misspelled refusal changed nothing.
 */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createConsentSource, readConsents } from '../../src/consent/index.ts';
import { parseRevoked } from '../../src/identity/revoked.ts';
import type { ConsentSource } from '../../src/model/consent.ts';
import { systemClock } from '../../src/observability/clock.ts';
import { textOf } from '../../src/documents/complete.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { createConsentNames } from '../../src/policy/snapshot/consent-names.ts';
import { ROOT, sluice } from '../cli/support.ts';
import { answers, type HostileUpstream, startHostile } from '../support/hostile.ts';
import { type Running, startSluice } from '../support/sluice.ts';
import { exchange, requestText, textOf as bodyOf } from '../support/wire.ts';

const CONSENT = { purpose: 'after_sales', categories: ['contact'], recipient: 'internal', status: 'given' };
const NAMES = {
  flags: { restricted: {}, opt_out: {} },
  categories: { contact: {}, identity: {}, reference: {} },
};

describe('an unknown name in the consents', () => {
  const UNKNOWN: Readonly<Record<string, object>> = {
    flag: { flags: ['restrictd'] },
    flag_in_other_letters: { flags: ['Restricted'] },
    flag_with_a_blank: { flags: ['restricted '] },
    flag_of_every_object: { flags: ['constructor'] },
    opt_out: { flags: ['opt_out:after_sale'] },
    purpose: { consents: [{ ...CONSENT, purpose: 'after_sale' }] },
    category: { consents: [{ ...CONSENT, categories: ['contact', 'contct'] }] },
    recipient: { consents: [{ ...CONSENT, recipient: 'logistic', status: 'withdrawn' }] },
    status: { consents: [{ ...CONSENT, status: 'withdrawnn' }] },
    status_that_is_worked_out: { consents: [{ ...CONSENT, status: 'expired' }] },
  };
  let upstream: HostileUpstream;
  let running: Running;
  beforeAll(async () => {
    upstream = await startHostile();
    running = await startSluice({
      upstream: upstream.url,
      data: NAMES,
      dataSubjects: { ...UNKNOWN, known: { flags: ['opt_out', 'opt_out:marketing'], consents: [CONSENT] } },
    });
  });
  afterAll(async () => {
    await running?.close();
    await upstream?.close();
  });
  const ask = (target: string, body = '') =>
    exchange(
      running.port,
      requestText(
        target,
        body === '' ? running.caller : { ...running.caller, 'Content-Type': 'application/json' },
        body,
      ),
    );

  test.each(Object.keys(UNKNOWN))('withholds the record of that data subject (%s)', async (id) => {
    upstream.answer = answers(JSON.stringify({ id, name: 'SECRET' }));
    const answer = await ask(`GET /customers/${id}`);
    expect(answer.status).toBe(403);
    expect(bodyOf(answer)).not.toContain('SECRET');
    expect(
      running
        .records()
        .at(-1)
        ?.reasons?.map((r) => r.code),
    ).toContain('consent_name_unknown');
  });
  test.each(Object.keys(UNKNOWN))('refuses a write to that data subject (%s)', async (id) => {
    upstream.answer = answers('{}');
    expect((await ask(`PUT /customers/${id}`, '{"name":"x"}')).status).toBe(403);
  });
  test('leaves the other records of a list as they are', async () => {
    const items = [...Object.keys(UNKNOWN), 'known', 'unlisted'].map((id) => ({ id, name: `of ${id}` }));
    upstream.answer = answers(JSON.stringify({ items }));
    const answer = await ask('GET /customers');
    expect(JSON.parse(bodyOf(answer))).toEqual({
      items: [
        { id: 'known', name: 'of known' },
        { id: 'unlisted', name: 'of unlisted' },
      ],
    });
  });
  test('is judged by the names of the policy that is asked, and a policy without a list has no names of that kind', () => {
    const state = Object.freeze({ consents: Object.freeze([]), flags: Object.freeze(['vip']) });
    expect(createConsentNames({ flags: { vip: {} } }).knowsAll(state)).toBe(true);
    expect(createConsentNames({ flags: {} }).knowsAll(state)).toBe(false);
    expect(createConsentNames({}).knowsAll(state)).toBe(true);
  });
});

describe('a file that is cut off', () => {
  const word = fc.constantFrom('opt_out', 'restricted', 'vip');
  const entry: fc.Arbitrary<string> = fc
    .tuple(fc.array(word, { maxLength: 2 }), fc.integer({ min: 0, max: 3 }))
    .map(
      ([flags, consents]) =>
        `    flags: [${[...new Set(flags)].join(', ')}]\n    consents:\n${'      - { purpose: p, categories: [c], recipient: internal, status: withdrawn }\n'.repeat(consents + 1)}`,
    );
  const file = fc
    .array(entry, { minLength: 1, maxLength: 5 })
    .map((list) => `version: 1\ndata_subjects:\n${list.map((text, i) => `  C${i}:\n${text}`).join('')}`);
  const isRead = (text: string, before: string | null = null): boolean => {
    try {
      readConsents(text, 'consents.yaml', before);
      return true;
    } catch {
      return false;
    }
  };

  test('is refused wherever it is cut, when it begins with --- and ends with ...', () => {
    fc.assert(
      fc.property(file, fc.nat(), (body, seed) => {
        const text = `---\n${body}...\n`;
        const cut = seed % (text.length - 1);
        expect(isRead(text)).toBe(true);
        // without its last line break it is whole still
        expect(isRead(text.slice(0, cut))).toBe(cut >= text.trimEnd().length);
      }),
      { numRuns: 500 },
    );
  });
  test('is refused wherever it is cut when it is read again, marked or not', () => {
    fc.assert(
      fc.property(file, fc.nat(), (text, seed) => {
        const cut = seed % text.trimEnd().length;
        expect(isRead(text.slice(0, cut), text)).toBe(false);
        expect(isRead(text, text)).toBe(true);
        expect(isRead(`${text}  CX: { flags: [opt_out] }\n`, text)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
  test('is refused wherever it is cut when it is in brackets', () => {
    const text = 'version: 1\ndata_subjects: { A: { flags: [opt_out] }, B: { flags: [restricted] } }';
    for (let cut = 0; cut < text.length; cut++) expect(isRead(text.slice(0, cut))).toBe(false);
    expect(readConsents(text, 'f').isUnmarked).toBe(false);
    const json = '{"version":1,"data_subjects":{"A":{"flags":["opt_out"]}}}';
    for (let cut = 0; cut < json.length; cut++) expect(isRead(json.slice(0, cut))).toBe(false);
  });
  test('is told to be without marks', () => {
    expect(readConsents('version: 1\ndata_subjects:\n  A: {}\n', 'f').isUnmarked).toBe(true);
    expect(readConsents('version: 1\ndata_subjects:\n  A: {}\n...\n', 'f').isUnmarked).toBe(true);
    expect(readConsents('---\nversion: 1\ndata_subjects:\n  A: {}\n...\n', 'f').isUnmarked).toBe(false);
  });
  test('is refused when it is a list of revocations', () => {
    const list = '---\n- jti: t-1\n- { subject: u-2, before: 2026-01-01 }\n- jti: t-3\n...\n';
    for (let cut = 0; cut < list.trimEnd().length; cut++)
      expect(() => parseRevoked(list.slice(0, cut)), String(cut)).toThrow();
    expect(parseRevoked(list)).toMatchObject({ isMarked: true });
    const bare = '- jti: t-1\n- jti: t-2\n';
    expect(() => parseRevoked('- jti: t-1\n', bare)).toThrow('cut off');
    expect(parseRevoked('- jti: t-2\n', bare).ids).toEqual(new Set(['t-2']));
  });
});

const GOOD = '---\nversion: 1\ndata_subjects:\n  A: { flags: [restricted] }\n...\n';
const DAMAGED: Readonly<Record<string, Buffer>> = {
  empty: Buffer.alloc(0),
  'white space': Buffer.from(' \n\n'),
  'a comment alone': Buffer.from('# nothing\n'),
  'a byte order mark alone': Buffer.from([0xef, 0xbb, 0xbf]),
  'Latin-1': Buffer.from(GOOD.replace('A:', 'Jos\xe9:'), 'latin1'),
  'UTF-16': Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(GOOD, 'utf16le')]),
  'zeros at its end': Buffer.concat([Buffer.from(GOOD), Buffer.alloc(512)]),
  'zeros alone': Buffer.alloc(512),
  'replacement characters': Buffer.from(GOOD.replace('A:', 'Jos\ufffd:')),
  'half a character': Buffer.from(GOOD.replace('A:', '张:')).subarray(0, 33),
  'two documents': Buffer.from(`${GOOD}---\nversion: 1\ndata_subjects: {}\n...\n`),
};

describe('a file that is damaged', () => {
  let dir: string;
  let source: ConsentSource | null = null;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-f1-'));
  });
  afterEach(async () => {
    await source?.close();
    source = null;
    rmSync(dir, { recursive: true });
  });
  const file = (): string => join(dir, 'consents.yaml');
  const open = async (): Promise<ConsentSource> =>
    createConsentSource(
      { file: file(), poll: 50, stale_if_error: 0, expose_dates: false },
      { clock: systemClock, logger: silentLogger },
    );
  const replace = (bytes: Buffer | string): void => {
    writeFileSync(`${file()}.new`, bytes);
    renameSync(`${file()}.new`, file());
  };
  const outcome = async (): Promise<string> => {
    try {
      return (await source!.lookup(['A'], new Date())).get('A')?.flags.join() ?? 'nobody';
    } catch (e) {
      return (e as { code: string }).code;
    }
  };
  const eventually = async (wanted: string): Promise<string> => {
    await vi.waitFor(async () => expect(await outcome()).toBe(wanted), 20_000);
    return wanted;
  };

  test.each(Object.entries(DAMAGED))('(%s) keeps Sluice from starting', async (_what, bytes) => {
    writeFileSync(file(), bytes);
    await expect(open()).rejects.toMatchObject({ code: expect.stringMatching(/^consent_/) as string });
  });
  test.each(Object.entries(DAMAGED))(
    '(%s) refuses lookups until it is mended, when it is read again',
    async (_what, bytes) => {
      replace(GOOD);
      source = await open();
      expect(await outcome()).toBe('restricted');
      replace(bytes);
      expect(await eventually('consent_unavailable')).toBe('consent_unavailable');
      replace(GOOD);
      expect(await eventually('restricted')).toBe('restricted');
    },
  );
  test.each(Object.entries(DAMAGED))('(%s) is no list of revocations either', (_what, bytes) => {
    expect(() => parseRevoked(textOf(bytes))).toThrow();
  });
  test.each([
    ['a time in words', '- { subject: u-1, before: "janitor 5 1990" }'],
    ['a year alone', '- { subject: u-1, before: "1990" }'],
    ['a number', '- { subject: u-1, before: 5 }'],
    ['an id that is a number', '- jti: 17'],
    ['an unknown key', '- { jti: a, subjct: u-1 }'],
    ['an empty id', '- { jti: "" }'],
    ['no list', 'jti: a'],
  ])('a revocation with %s is refused', (_what, text) => {
    expect(() => parseRevoked(text)).toThrow();
  });
});

describe('a file that YAML reads otherwise than whoever wrote it', () => {
  const subjects = (text: string): string => `version: 1\ndata_subjects:${text}\n`;
  test.each([
    // a list with this tag is a map without members to whoever asks for them by name
    ['a list that is tagged as a map', subjects(' !!omap\n  - C1: { flags: [restricted] }')],
    ['the same further in', subjects('\n  C1: { consents: !!omap [] }')],
    ['a set', subjects('\n  C1: { flags: !!set { restricted } }')],
    ['a tag of nobody', subjects('\n  C1: { flags: !mine [restricted] }')],
    ['a tag on a scalar', subjects('\n  C1: { flags: [!!str restricted] }')],
    ['a tag on a key', subjects('\n  !!int 100: { flags: [restricted] }')],
    ['a merge key', subjects('\n  C1: &r { flags: [restricted] }\n  C2: { <<: *r }')],
    ['an alias for a key', subjects('\n  &k C1: {}\n  *k : { flags: [restricted] }')],
    ['an alias that leads nowhere', subjects('\n  C1: *r')],
    ['an alias that leads to itself', subjects(' &r\n  C1: *r')],
    ['a list for a key', subjects('\n  ? [C1]\n  : { flags: [restricted] }')],
    ['a second document', `${subjects(' {}')}---\n${subjects('\n  C1: { flags: [restricted] }')}`],
    ['a null character behind an id', subjects('\n  "C1\\0": { flags: [restricted] }')],
    ...['\u00ad', '\u200b', '\u202c', '\u2060'].map((hidden) => [
      'an invisible character in an id',
      subjects(`\n  C1${hidden}: { flags: [restricted] }`),
    ]),
  ])('is refused with %s', (_what, text = '') => {
    expect(() => readConsents(text, 'consents.yaml')).toThrow(
      expect.objectContaining({ code: 'consent_invalid' }),
    );
  });
  test.each([
    [
      'CRLF and a byte order mark',
      `\ufeff${subjects('\n  C1: { flags: [restricted] }')}`.replaceAll('\n', '\r\n'),
    ],
    [
      'keys like numbers, dates and truth values',
      subjects('\n  0100: &r { flags: [restricted] }\n  2026-01-01: *r\n  no: *r\n  1.0: *r'),
    ],
    [
      'one anchor for hundreds',
      subjects(
        `\n  C0: &r { flags: [restricted] }${Array.from({ length: 500 }, (_, n) => `\n  D${n}: *r`).join('')}`,
      ),
    ],
    ['joiners, which some scripts need', subjects('\n  می\u200cخواهم: { flags: [restricted] }')],
  ])('is read with %s', (_what, text) => {
    const { document } = readConsents(textOf(Buffer.from(text)), 'consents.yaml');
    for (const { flags } of Object.values(document.data_subjects)) expect(flags).toEqual(['restricted']);
  });
  test('is refused where blanks keep a revocation from being found', () => {
    for (const text of ['- jti: "a "', '- jti: |\n    a\n', '- subject: " u-1"'])
      expect(() => parseRevoked(text)).toThrow(/entry 1/);
  });
});

describe('sluice check --config', () => {
  test('reads consents and revocations, and reports unknown names and damage with their place', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-f1-'));
    try {
      const config = readFileSync(join(ROOT, 'examples/insurer/sluice.yaml'), 'utf8');
      const at = (name: string): string => join(dir, name);
      writeFileSync(
        at('sluice.yaml'),
        config
          .replace(/dir: [^ }]*policies/, `dir: ${join(ROOT, 'policies')}`)
          .replaceAll(/env:[A-Z_]+/g, 'env:PATH')
          .replace(/^identity:\n/m, 'identity:\n  revocations: ./revoked.yaml\n'),
      );
      writeFileSync(at('revoked.yaml'), '');
      writeFileSync(
        at('consents.yaml'),
        `version: 1\ndata_subjects:\n  C1:\n    flags: [restrictd]\n  C2:\n    consents:\n      - { purpose: deliver, categories: [contct], recipient: swift, status: witdrawn }\n`,
      );
      const said = await sluice(['check', '--config', at('sluice.yaml'), '--json']);
      const { findings } = said.json<{ findings: { file: string; line: number; message: string }[] }>();
      const told = findings.filter((f) => /consents|revoked/.test(f.file));
      expect(told.map((f) => `${f.line} ${f.message}`).join('\n')).toMatch(
        /there is no flag "restrictd".*did you mean "?restricted/,
      );
      for (const name of ['purpose "deliver"', 'category "contct"', 'recipient "swift"'])
        expect(told.some((f) => f.line === 7 && f.message.includes(`there is no ${name}`))).toBe(true);
      expect(told.some((f) => f.message.includes('status: must be one of given, withdrawn'))).toBe(true);
      expect(told.some((f) => f.file.endsWith('revoked.yaml') && f.message.includes('[]'))).toBe(true);
      expect(told.some((f) => f.message.includes('nothing shows that the file is complete'))).toBe(true);
      expect(JSON.stringify(findings)).not.toContain('C2');
      expect(said.code).toBe(1);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
