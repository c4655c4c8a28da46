import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapeToken, pointerOf, spellWants, stepsOf, tokensOf } from '../../src/model/pointer.ts';
import { catalogFault, syntaxFault } from '../../src/model/pointer-faults.ts';

const name = fc.string({ unit: 'grapheme-ascii' });

describe('a pointer', () => {
  test('spells any names so that they are read again (RFC 6901)', () => {
    fc.assert(
      fc.property(fc.array(name), (tokens) => {
        expect(tokensOf(pointerOf(tokens))).toEqual(tokens);
      }),
    );
  });

  test('spells any name as a step that is a name, whatever it looks like', () => {
    const special = fc.constantFrom('', '*', '{key}', '[a=b]', '~2', '~', '/', '[', '**', '@', '~0');
    fc.assert(
      fc.property(fc.oneof(name, special), (text) => {
        const pointer = `/${escapeToken(text)}`;
        expect(stepsOf(pointer)).toEqual([{ kind: 'name', name: text }]);
      }),
    );
  });

  test('spells any selector so that it is read again', () => {
    const text = fc.string({ unit: 'grapheme-ascii', minLength: 1 });
    fc.assert(
      fc.property(fc.uniqueArray(text, { minLength: 1, maxLength: 7 }), text, (keys, value) => {
        const wants = keys.sort().map((key) => ({ key, value }));
        const pointer = `/${spellWants(wants)}`;
        expect(syntaxFault(pointer)).toBeNull();
        expect(stepsOf(pointer)).toEqual([{ kind: 'select', wants }]);
      }),
    );
  });

  test.each([
    ['a', null],
    ['', []],
    ['/a/*', [{ kind: 'name', name: 'a' }, { kind: 'any' }]],
    ['/{key}', [{ kind: 'key' }]],
  ])('%j is read as its steps', (pointer, steps) => {
    expect(stepsOf(pointer)).toEqual(steps);
  });

  test.each([
    ['', 'a path starts with "/"'],
    ['a/b', 'a path starts with "/"'],
    ['/a~b', '"~" is written "~0" (RFC 6901)'],
    ['/a~2', '"~" is written "~0" (RFC 6901)'],
    ['/[0]', 'a selector is written "[key=value]"'],
    ['/[a=1,a=2]', 'a selector names each key once'],
    ['/[a=b[c]', 'brackets in a value are written "~4" and "~5"'],
  ])('%j is not well formed', (pointer, fault) => {
    expect(syntaxFault(pointer)).toContain(fault);
    expect(catalogFault(pointer)).toContain(fault);
  });

  test.each(['/a//b', '/#0', '/@'])('%j is well formed, though not in a catalog', (pointer) => {
    expect(syntaxFault(pointer)).toBeNull();
    expect(catalogFault(pointer)).not.toBeNull();
  });
});
