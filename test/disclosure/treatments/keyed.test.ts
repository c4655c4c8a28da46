/** The treatments that need a key: pseudonymize, tokenize, encrypt. */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { compactDecrypt } from 'jose';
import { describe, expect, test } from 'vitest';
import { createKeyRing } from '../../../src/disclosure/keys.ts';
import { detokenize } from '../../../src/disclosure/treatments/tokenize.ts';
import { context, ecKeys, number, ring, secret, shown, text, treat, treatment } from './support.ts';

const choice = (name: 'pseudonymize' | 'tokenize' | 'encrypt') => ({ do: name, because: 'test' }) as const;
const entry = { category: 'c', grade: 3 };

describe('pseudonymize', () => {
  const pseudonym = (value: string, changes = {}, options = {}): string =>
    shown(treat('pseudonymize', text(value), options, { context: context(changes) }));

  test('is the same for one recipient and purpose, whichever field or kind the value stands in', () => {
    expect(pseudonym('C100234')).toBe(pseudonym('C100234'));
    expect(pseudonym('100234')).toBe(shown(treat('pseudonymize', number('100234'))));
    expect(pseudonym('C100234')).toMatch(/^ps_[A-Za-z0-9_-]{22}$/);
  });

  test('differs between recipients, purposes, scopes and keys', () => {
    const other = createKeyRing({ p2: { use: 'pseudonymize', secret: secret() } }, {});
    const all = [
      pseudonym('C1'),
      pseudonym('C1', { recipient: 'another' }),
      pseudonym('C1', { purpose: 'research' }),
      pseudonym('C1', { recipient: 'partner"', purpose: 'claims' }),
      pseudonym('C1', { keys: other }),
      pseudonym('C1', {}, { pseudonymize: { scope: 'agent' } }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  test('gives no two values one name', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(pseudonym(a) === pseudonym(b)).toBe(a === b);
      }),
    );
  });

  test('drops what it cannot tell apart', () => {
    expect(pseudonym('\ud800')).toBe('drop');
    expect(treat('pseudonymize', { kind: 'boolean', text: 'true' })).toBe('drop');
    expect(treat('pseudonymize', { kind: 'container', text: '[1]' })).toBe('drop');
  });

  test('recognises its own names', () => {
    const recognise = treatment('pseudonymize').recognise(entry, choice('pseudonymize'));
    expect(recognise(text(pseudonym('C1')))).toBe(true);
    expect(recognise(text('C1'))).toBe(false);
    const again = `客户 ${pseudonym('C1').toUpperCase()}（已核实）`;
    expect(recognise(text(again))).toBe(true);
    expect(recognise(text('ps_short'))).toBe(false);
  });

  test('refuses the answer where there is no key', () => {
    const keys = createKeyRing({}, {});
    expect(() => treat('pseudonymize', text('x'), {}, { context: context({ keys }) })).toThrow(
      expect.objectContaining({ code: 'treatment_key_unknown' }),
    );
  });
});

describe('tokenize', () => {
  const token = (value: string, parameters = {}, changes = {}): string =>
    shown(treat('tokenize', text(value), { tokenize: parameters }, { context: context(changes) }));
  const back = (value: string, parameters = {}, changes = {}) =>
    detokenize(value, { recipient: 'partner', purpose: 'claims', keys: ring, parameters, ...changes });
  const shape = (value: string): string =>
    value.replace(/[0-9]/g, '0').replace(/[A-Z]/g, 'A').replace(/[a-z]/g, 'a');

  const values = fc.oneof(
    fc.stringMatching(/^[0-9]{6,40}$/),
    fc.stringMatching(/^[A-Z]{1,2}[0-9]{8,9}$/),
    fc.stringMatching(/^[a-z]{3,10}\.[a-z]{3,10}@[a-z]{4,8}\.com$/),
    fc.stringMatching(/^[A-Za-z0-9 .@_-]{8,60}$/),
  );

  test('keeps the shape and turns back into the value', () => {
    fc.assert(
      fc.property(values, (value) => {
        const made = token(value);
        fc.pre(made !== 'drop');
        expect(shape(made)).toBe(shape(value));
        expect(back(made)).toEqual({ value, key: 't1' });
      }),
      { numRuns: 150 },
    );
  });

  test('is one to one', () => {
    const tokens = new Set(Array.from({ length: 2000 }, (_, i) => token(String(13800000000 + i))));
    expect(tokens.size).toBe(2000);
  });

  test('differs between recipients and purposes, and only the right ones turn it back', () => {
    const made = token('13812345678');
    expect(token('13812345678', {}, { recipient: 'another' })).not.toBe(made);
    expect(token('13812345678', {}, { purpose: 'research' })).not.toBe(made);
    expect(back(made, {}, { recipient: 'another' }).value).not.toBe('13812345678');
  });

  test('keeps the ends that the catalog keeps', () => {
    const made = token('6222 0212 3456 7894', { keep_first: 6, keep_last: 4 });
    expect(made).toMatch(/^6222 02\d\d \d{4} 7894$/);
    expect(back(made, { keep_first: 6, keep_last: 4 }).value).toBe('6222 0212 3456 7894');
  });

  test.each(['12345', 'ab12', '张三', '１３８１２３４５６７８', 'a\0bcdefghijkl', '9'.repeat(129), '1.5'])(
    'drops what has too few possibilities or other letters: %j',
    (value) => {
      expect(token(value)).toBe('drop');
    },
  );

  test('turns a number into a text, since a token may begin with zero', () => {
    expect(treat('tokenize', number('13812345678'))).toMatchObject({ kind: 'string' });
  });

  test('after a change of keys, old tokens turn back by the id of the old key', () => {
    const old = secret();
    const before = createKeyRing({ k1: { use: 'tokenize', secret: old } }, {});
    const after = createKeyRing(
      { k1: { use: 'tokenize', secret: old }, k2: { use: 'tokenize', secret: secret(), from: '2026-01-01' } },
      {},
    );
    const made = token('13812345678', {}, { keys: before });
    expect(back(made, {}, { keys: after, keyId: 'k1' })).toEqual({ value: '13812345678', key: 'k1' });
    expect(token('13812345678', {}, { keys: after })).not.toBe(made);
    expect(() => back(made, {}, { keys: after, keyId: 'k9' })).toThrow(
      expect.objectContaining({ code: 'treatment_key_unknown' }),
    );
  });

  test('what cannot be a token is refused without being quoted', () => {
    expect(() => back('张三')).toThrow(expect.objectContaining({ code: 'token_not_reversible' }));
    expect(() => back('张三')).not.toThrow(/张三/);
  });

  test('recognises everything that could be a token, since nothing tells it from a real value', () => {
    const recognise = treatment('tokenize').recognise(entry, choice('tokenize'));
    expect(recognise(text('13812345678'))).toBe(true);
    expect(recognise(text('yes'))).toBe(false);
  });
});

describe('encrypt', () => {
  const pem = (key: import('node:crypto').KeyObject): string =>
    key.export({ type: 'spki', format: 'pem' }).toString();

  test.each([
    ['RSA-OAEP-256', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['ECDH-ES+A256KW', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['ECDH-ES+A256KW', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['ECDH-ES+A256KW', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
    ['ECDH-ES+A256KW', () => generateKeyPairSync('x25519')],
  ])('makes a JWE (%s) that jose opens with the recipient’s key', async (alg, make) => {
    const { publicKey, privateKey } = make();
    const keys = createKeyRing({ e: { use: 'encrypt', recipient: 'partner', secret: pem(publicKey) } }, {});
    for (const [value, wanted] of [
      [text('张三 "quoted" 👨‍👩‍👧'), '"张三 \\"quoted\\" 👨‍👩‍👧"'],
      [number('12345678901234567890.10'), '12345678901234567890.10'],
      [{ kind: 'boolean', text: 'true' }, 'true'],
      [{ kind: 'container', text: '{"a": [1, 2.0]}' }, '{"a": [1, 2.0]}'],
    ] as const) {
      const jwe = shown(treat('encrypt', value, {}, { context: context({ keys }) }));
      const opened = await compactDecrypt(jwe, privateKey);
      expect(Buffer.from(opened.plaintext).toString('utf8')).toBe(wanted);
      expect(opened.protectedHeader).toMatchObject({ alg, enc: 'A256GCM', kid: 'e', cty: 'json' });
    }
  });

  test('never gives the same text twice', () => {
    expect(shown(treat('encrypt', text('x')))).not.toBe(shown(treat('encrypt', text('x'))));
  });

  test('is recognised, and cannot be altered', async () => {
    const jwe = shown(treat('encrypt', text('x')));
    expect(treatment('encrypt').recognise(entry, choice('encrypt'))(text(jwe))).toBe(true);
    const parts = jwe.split('.');
    parts[3] = parts[3]!.startsWith('A') ? `B${parts[3]!.slice(1)}` : `A${parts[3]!.slice(1)}`;
    await expect(compactDecrypt(parts.join('.'), ecKeys.privateKey)).rejects.toThrow();
  });

  test('refuses the answer for a recipient that gave no key', () => {
    expect(() => treat('encrypt', text('x'), {}, { context: context({ recipient: 'nobody' }) })).toThrow(
      expect.objectContaining({ code: 'treatment_key_unknown' }),
    );
  });
});
