import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isDisguised } from '../../../src/disclosure/guard/disguised.ts';
import { TREATMENT_FILES } from '../../../src/disclosure/treatments/registry.ts';
import { TREATMENTS, type TreatmentName } from '../../../src/model/answers.ts';
import { context, number, shown, text, treat } from './support.ts';

test('every treatment of the model has a file', () => {
  expect(TREATMENT_FILES.map((file) => file.name).sort()).toEqual([...TREATMENTS].sort());
});

describe('mask', () => {
  test('turns a number into a text', () => {
    expect(treat('mask', number('13812345678'), { mask: 'phone' })).toEqual({
      kind: 'string',
      text: '138****5678',
    });
    expect(shown(treat('mask', number('1.3812345678e10'), { mask: 'phone' }))).toBe('****');
  });

  test('shows nothing of a boolean, nothing of a value without a kind, and drops a container', () => {
    expect(shown(treat('mask', { kind: 'boolean', text: 'true' }, { mask: 'phone' }))).toBe('****');
    expect(shown(treat('mask', text('secret')))).toBe('****');
    expect(treat('mask', { kind: 'container', text: '{}' }, { mask: 'phone' })).toBe('drop');
    expect(treat('mask', { kind: 'null', text: 'null' }, { mask: 'phone' })).toEqual({ kind: 'null' });
  });

  test('takes the answer’s kind instead of the catalog’s, and its parameters beside the catalog’s', () => {
    const masked = (
      mask: string | { kind: string; keep_first?: number },
      own: { [name: string]: unknown },
    ): string => shown(treat('mask', text('6222021234567894'), { mask }, { with: own }));
    expect(masked('phone', { kind: 'bank_card' })).toBe('************7894');
    expect(masked('bank_card', { keep_first: 6 })).toBe('622202******7894');
    expect(masked({ kind: 'bank_card', keep_first: 6 }, { kind: 'generic' })).toBe('****');
  });

  test('drops where kind or parameters make no sense', () => {
    expect(treat('mask', text('x'), { mask: 'phones' })).toBe('drop');
    expect(treat('mask', text('x'), { mask: { kind: 'phone', keep: 4 } })).toBe('drop');
    expect(treat('mask', text('x'), { mask: 'phone' }, { with: { kind: 7 } })).toBe('drop');
  });
});

test('disclose gives texts and numbers back, nullify a null, drop nothing', () => {
  expect(treat('disclose', text('x'))).toEqual({ kind: 'string', text: 'x' });
  expect(treat('disclose', number('88.0'))).toEqual({ kind: 'number', text: '88.0' });
  expect(treat('nullify', text('x'))).toEqual({ kind: 'null' });
  expect(treat('drop', text('x'))).toBe('drop');
});

const CASES: readonly (readonly [TreatmentName, { readonly [parameter: string]: unknown }])[] = [
  ['mask', { mask: 'phone' }],
  ['mask', { mask: 'person_name' }],
  ['mask', { mask: 'address' }],
  ['generalize', { generalize: { round: 1000 } }],
  ['generalize', { generalize: { prefix: 2 } }],
  ['generalize', { generalize: { ranges: [0, 10] } }],
  ['pseudonymize', {}],
  ['tokenize', {}],
  ['encrypt', {}],
  ['scrub', {}],
];

describe.each(CASES)('%s with %j', (name, entry) => {
  test('throws for no value and answers within the interface', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }).map((t) => ({ kind: 'string', text: t }) as const),
      fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .map((n) => ({ kind: 'number', text: String(n) }) as const),
      fc.constantFrom('true' as const, 'false' as const).map((t) => ({ kind: 'boolean', text: t }) as const),
      fc.constant({ kind: 'container', text: '{"a":[1]}' } as const),
    );
    fc.assert(
      fc.property(value, (input) => {
        const out = treat(name, input, entry);
        if (out === 'drop') return;
        expect(['string', 'number', 'null']).toContain(out.kind);
        if (out.kind === 'number')
          expect(out.text).toMatch(/^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/);
      }),
    );
  });

  test('recognises in a write what it showed', () => {
    const choice = { do: name, because: 'test' };
    for (const value of [
      '13812345678',
      '张三丰',
      '广东省深圳市南山区1号',
      '姓名：张三，13812345678',
      '1234567.5',
    ]) {
      const out = treat(name, text(value), entry, { context: context() });
      if (out === 'drop' || out.kind === 'null' || out.text === value) continue;
      const line = { category: 'c', grade: 3, ...entry };
      expect(isDisguised(line, choice, { kind: 'string', text: out.text }, {})).toBe(true);
    }
  });
});
