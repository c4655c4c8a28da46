/** Short bodies share a block, one after the other: what one was given must stay what it is. */
import { describe, expect, test } from 'vitest';
import { Collected } from '../../src/disclosure/session/output.ts';

const written = (out: Collected): string => Buffer.concat(out.take()).toString();

function begun(text: string, expected = text.length): Collected {
  const out = new Collected();
  out.expect(expected);
  out.text(text);
  return out;
}

describe('bytes that were handed out', () => {
  test('are not written again by the bodies that follow', () => {
    const handed = Array.from({ length: 500 }, (_, n) => {
      const out = begun(`body ${n} `.repeat(20));
      const chunks = out.take();
      out.end();
      return chunks;
    });
    expect(handed.map((chunks) => Buffer.concat(chunks).toString())).toEqual(
      handed.map((_, n) => `body ${n} `.repeat(20)),
    );
  });

  test('are not written again by a body that is under way at the same time', () => {
    const first = begun('first ');
    const second = begun('second ');
    first.text('more of it');
    const early = first.take();
    first.end();
    const third = begun('third');
    second.text('more of that');
    expect(Buffer.concat(early).toString()).toBe('first more of it');
    expect(written(second)).toBe('second more of that');
    second.end();
    expect(written(third)).toBe('third');
    third.end();
    expect(Buffer.concat(early).toString()).toBe('first more of it');
  });

  test('are not written again by what the same body writes next', () => {
    const out = begun('one part');
    const part = out.take();
    out.text('another');
    expect(Buffer.concat(part).toString()).toBe('one part');
    expect(written(out)).toBe('another');
    out.end();
  });

  test('are all there where much more is written than was expected', () => {
    const long = '0123456789'.repeat(30_000);
    const out = begun('', 10);
    for (let at = 0; at < long.length; at += 777) out.text(long.slice(at, at + 777));
    const chunks = out.take();
    out.end();
    const next = begun('x'.repeat(5000));
    expect(Buffer.concat(chunks).toString()).toBe(long);
    expect(written(next)).toBe('x'.repeat(5000));
  });
});
