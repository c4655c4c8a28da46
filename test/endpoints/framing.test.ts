/** The framing of requests, before the parser. What it must refuse over sockets stands in `found/a3-nothing-behind-a-refusal.test.ts`. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RequestFraming } from '../../src/endpoints/proxy/framing.ts';

interface Outcome {
  /** bytes up to the request's end, or up to where the fault was found */
  readonly until: number;
  readonly done: boolean;
  readonly fault: string | null;
}

function follow(bytes: Buffer, cuts: readonly number[]): Outcome {
  const framing = new RequestFraming();
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const piece = bytes.subarray(from, cut);
    let at = 0;
    while (at < piece.length && !framing.done && framing.fault === null) at = framing.push(piece, at);
    if (framing.done || framing.fault !== null)
      return { until: from + at, done: framing.done, fault: framing.fault };
    from = cut;
  }
  return { until: bytes.length, done: framing.done, fault: framing.fault };
}

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const field = fc
  .tuple(token, fc.stringMatching(/^[\t -~\x80-\xff]{0,20}$/))
  .filter(([name]) => !/^(?:content-length|transfer-encoding)$/i.test(name))
  .map(([name, value]) => `${name}:${value}\r\n`);
const body = fc.stringMatching(/^[ -~]{0,40}$/);
const request = fc
  .record({
    method: token,
    target: fc.stringMatching(/^[!-~]{1,30}$/),
    version: fc.constantFrom('1.0', '1.1'),
    fields: fc.array(field, { maxLength: 5 }),
    body,
    space: fc.constantFrom('', ' ', '\t', '  \t'),
    chunked: fc.boolean(),
  })
  .map(({ method, target, version, fields, body, space, chunked }) => {
    const chunks = body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`;
    const framed =
      chunked && version === '1.1'
        ? `Transfer-Encoding:${space}chunked${space}\r\n\r\n${chunks}0\r\n\r\n`
        : `Content-Length:${space}${body.length}${space}\r\n\r\n${body}`;
    return Buffer.from(`${method} ${target} HTTP/${version}\r\n${fields.join('')}${framed}`, 'latin1');
  });
const cutsOf = (bytes: Buffer) =>
  fc.array(fc.nat(bytes.length), { maxLength: 12 }).map((a) => a.toSorted((x, y) => x - y));

test('finds the last byte of a request, however its bytes are split', () => {
  fc.assert(
    fc.property(
      request.chain((bytes) => fc.tuple(fc.constant(bytes), cutsOf(bytes))),
      ([bytes, cuts]) => {
        const whole = { until: bytes.length, done: true, fault: null };
        expect(follow(bytes, cuts)).toEqual(whole);
        expect(follow(Buffer.concat([bytes, Buffer.from('\0GET')]), cuts)).toEqual(whole);
        expect(
          follow(
            bytes.subarray(0, -1),
            cuts.filter((c) => c < bytes.length),
          ).done,
        ).toBe(false);
      },
    ),
    { seed: 20261130 },
  );
});

test('finds the same end or fault for any bytes, however they are split', () => {
  fc.assert(
    fc.property(
      request
        .chain((bytes) =>
          fc.tuple(fc.constant(bytes), fc.nat(bytes.length), fc.constantFrom(...'\r\n\0 \t:;,\x7f')),
        )
        .map(([bytes, at, extra]) =>
          Buffer.concat([bytes.subarray(0, at), Buffer.from(extra), bytes.subarray(at)]),
        )
        .chain((bytes) => fc.tuple(fc.constant(bytes), cutsOf(bytes))),
      ([bytes, cuts]) => {
        expect(follow(bytes, cuts)).toEqual(follow(bytes, []));
      },
    ),
    { seed: 20261130, numRuns: 500 },
  );
});
