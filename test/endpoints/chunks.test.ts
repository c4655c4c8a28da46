/** The framing of chunked bodies, beside the parser. What it must refuse over sockets stands in `security/smuggling.test.ts`. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkFraming } from '../../src/endpoints/proxy/chunks.ts';

const chunk = fc.record({
  data: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  upper: fc.boolean(),
  zeros: fc.nat(3),
});
const encode = ({ data, upper, zeros }: { data: Uint8Array; upper: boolean; zeros: number }): Buffer => {
  const size = '0'.repeat(zeros) + data.length.toString(16);
  return Buffer.concat([Buffer.from(`${upper ? size.toUpperCase() : size}\r\n`), data, Buffer.from('\r\n')]);
};
const END = Buffer.from('0\r\n\r\n');

function feed(bytes: Buffer, cuts: readonly number[]): { readonly plain: boolean; readonly done: boolean } {
  const framing = new ChunkFraming();
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    framing.push(bytes.subarray(at, Math.max(at, Math.min(cut, bytes.length))));
    at = Math.max(at, Math.min(cut, bytes.length));
  }
  return { plain: !framing.bad, done: framing.done };
}
const cuts = fc.array(fc.nat(400), { maxLength: 12 }).map((a) => a.toSorted((x, y) => x - y));

test('finds the end of a body in the plain form, however its bytes are split', () => {
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 8 }), cuts, (body, at) => {
      const bytes = Buffer.concat([...body.map(encode), END]);
      expect(feed(bytes, at)).toEqual({ plain: true, done: true });
      expect(feed(bytes.subarray(0, -1), at)).toEqual({ plain: true, done: false });
    }),
    { seed: 20261122 },
  );
});

test('does not read past the end of a body', () => {
  expect(feed(Buffer.concat([END, Buffer.from('GET / HTTP/1.1\r\n')]), [3])).toEqual({
    plain: true,
    done: true,
  });
});

test('refuses a byte inserted anywhere into the framing, unless it makes another valid body', () => {
  fc.assert(
    fc.property(chunk, fc.nat(), fc.constantFrom(...';\r\n\t xg'), cuts, (only, where, extra, at) => {
      const bytes = Buffer.concat([encode({ ...only, zeros: 0 }), END]);
      // within the line of the size, before its end
      const line = bytes.indexOf('\r\n');
      const place = where % (line + 1);
      const changed = Buffer.concat([bytes.subarray(0, place), Buffer.from(extra), bytes.subarray(place)]);
      expect(feed(changed, at).plain).toBe(false);
    }),
    { seed: 20261122 },
  );
});

test('stays refused after a fault', () => {
  const framing = new ChunkFraming();
  framing.push(Buffer.from('5;a'));
  framing.push(Buffer.from('0\r\n\r\n'));
  expect(framing.bad).toBe(true);
  expect(framing.done).toBe(false);
});
