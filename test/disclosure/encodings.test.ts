import {
  brotliCompressSync,
  brotliDecompressSync,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  type Coding,
  DECODE_LIMITS,
  decodeStream,
  encodeStream,
  negotiate,
  parseContentEncoding,
} from '../../src/disclosure/encodings.ts';
import { isSluiceError } from '../../src/errors.ts';

const pack: Record<Coding, (b: Uint8Array) => Buffer> = {
  gzip: (b) => gzipSync(b),
  deflate: (b) => deflateSync(b),
  br: (b) => brotliCompressSync(b),
  zstd: (b) => zstdCompressSync(b),
};
const unpack: Record<Coding, (b: Uint8Array) => Buffer> = {
  gzip: (b) => gunzipSync(b),
  deflate: (b) => inflateSync(b),
  br: (b) => brotliDecompressSync(b),
  zstd: (b) => zstdDecompressSync(b),
};
const CODINGS: Coding[] = ['gzip', 'deflate', 'br', 'zstd'];

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}
async function read(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const c of stream) chunks.push(c);
  return Buffer.concat(chunks);
}
const failure = async (p: Promise<unknown>): Promise<unknown> =>
  p.then(
    () => {
      throw new Error('it was let through');
    },
    (e: unknown) => e,
  );
const code = async (p: Promise<unknown>): Promise<string> => {
  const e = await failure(p);
  if (!isSluiceError(e)) throw e;
  return e.code;
};

describe('decoding', () => {
  test('undoes every coding however the stream is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...CODINGS),
        fc.uint8Array({ minLength: 1, maxLength: 5000 }),
        fc.integer({ min: 1, max: 700 }),
        async (coding, data, size) => {
          const out = await read(decodeStream([coding])(pieces(pack[coding](data), size)));
          expect(out.equals(data)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('undoes a chain from its end', async () => {
    const data = Buffer.from('客户 '.repeat(500));
    const wire = pack.br(pack.gzip(data));
    expect((await read(decodeStream(parseContentEncoding('gzip, br'))(pieces(wire, 7)))).equals(data)).toBe(
      true,
    );
  });

  test.each(['gzip', 'zstd'] as const)('joins the members of %s, however they are cut', async (coding) => {
    const a = Buffer.from('one '.repeat(300));
    const b = Buffer.from('two '.repeat(300));
    const wire = Buffer.concat([pack[coding](a), pack[coding](b), pack[coding](a)]);
    for (const size of [1, 2, 3, 11, wire.length])
      expect((await read(decodeStream([coding])(pieces(wire, size)))).equals(Buffer.concat([a, b, a]))).toBe(
        true,
      );
  });

  test('takes bare deflate for deflate', async () => {
    const data = Buffer.from('x=1&'.repeat(100));
    for (const size of [1, 5, 1000])
      expect((await read(decodeStream(['deflate'])(pieces(deflateRawSync(data), size)))).equals(data)).toBe(
        true,
      );
  });

  test.each(CODINGS)('refuses %s that ends early, at every byte', async (coding) => {
    const wire = pack[coding](Buffer.from('name,phone\n王芳,13812345678\n'.repeat(20)));
    for (let end = 1; end < wire.length; end++)
      expect(await code(read(decodeStream([coding])(pieces(wire.subarray(0, end), 9))))).toBe(
        'response_encoding_malformed',
      );
  });

  test.each(CODINGS)(
    'refuses bytes after the end of %s, in the same chunk or a later one',
    async (coding) => {
      const wire = pack[coding](Buffer.from('hello '.repeat(50)));
      for (const tail of ['\0\0\0', 'x', 'GARBAGE', '{"phone":"13812345678"}'])
        for (const size of [1, 10, 100_000])
          expect(
            await code(read(decodeStream([coding])(pieces(Buffer.concat([wire, Buffer.from(tail)]), size)))),
          ).toBe('response_encoding_malformed');
    },
  );

  test.each(CODINGS)('refuses plain text that is declared %s', async (coding) => {
    expect(await code(read(decodeStream([coding])(pieces(Buffer.from('{"id":"C1"}'), 4))))).toBe(
      'response_encoding_malformed',
    );
  });

  test.each(CODINGS)('takes no byte at all for an empty body of %s', async (coding) => {
    expect((await read(decodeStream([coding])(pieces(Buffer.alloc(0), 4)))).length).toBe(0);
  });

  test.each(CODINGS)('stops a bomb of %s at the size limit', async (coding) => {
    const bomb = pack[coding](Buffer.alloc(8 * 1024 * 1024));
    let seen = 0;
    const limits = { ...DECODE_LIMITS, maxRatio: Number.POSITIVE_INFINITY, maxBytes: 1024 * 1024 };
    const e = await failure(
      (async () => {
        for await (const c of decodeStream([coding], limits)(pieces(bomb, 65536))) seen += c.length;
      })(),
    );
    expect(isSluiceError(e, 'response_too_large')).toBe(true);
    expect(seen).toBeLessThanOrEqual(1024 * 1024);
  });

  test.each(CODINGS)('stops a bomb of %s at the ratio limit', async (coding) => {
    const bomb = pack[coding](Buffer.alloc(8 * 1024 * 1024));
    expect(await code(read(decodeStream([coding])(pieces(bomb, 65536))))).toBe('response_too_large');
  });

  test('stops a bomb in the middle of a chain', async () => {
    const bomb = pack.gzip(pack.br(Buffer.alloc(64 * 1024 * 1024)));
    expect(await code(read(decodeStream(['br', 'gzip'])(pieces(bomb, 65536))))).toBe('response_too_large');
  });

  test('keeps the name of a fault of the source', async () => {
    const source = async function* () {
      yield pack.gzip(Buffer.from('abc'.repeat(1000))).subarray(0, 12);
      throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    };
    const e = await failure(read(decodeStream(['gzip'])(source())));
    expect((e as { code: string }).code).toBe('ECONNRESET');
  });

  test('releases the source when its reader leaves', async () => {
    let released = false;
    const wire = pack.gzip(Buffer.from(Array.from({ length: 200_000 }, (_, i) => `${i * 7919}`).join()));
    const source = async function* () {
      try {
        yield* pieces(wire, 4096);
      } finally {
        released = true;
      }
    };
    for await (const _ of decodeStream(['gzip'])(source())) break;
    await vi.waitFor(() => expect(released).toBe(true), 10_000);
  });
});

describe('the Content-Encoding field', () => {
  test.each([
    [null, []],
    ['', []],
    ['identity', []],
    ['GZip', ['gzip']],
    ['x-gzip', ['gzip']],
    [' gzip , br', ['gzip', 'br']],
    ['identity, zstd,', ['zstd']],
  ])('%j is read', (header, want) => {
    expect(parseContentEncoding(header)).toEqual(want);
  });

  test.each(['compress', 'aws-chunked', 'gzip;q=1', 'gzip br', 'gzip,gzip,gzip,gzip', 'exi', 'none'])(
    '%j is refused',
    (header) => {
      expect(() => parseContentEncoding(header)).toThrowError(/Content-Encoding|times over/);
    },
  );
});

describe('negotiation', () => {
  test.each([
    [null, 'identity'],
    ['', 'identity'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate', 'gzip'],
    ['gzip;q=0.5, br;q=0.9', 'br'],
    ['gzip;q=1.0, br;q=0.2', 'gzip'],
    ['*', 'zstd'],
    ['*;q=0.1, zstd;q=0', 'br'],
    ['identity', 'identity'],
    ['identity;q=1, gzip;q=0.5', 'identity'],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['identity;q=0', null],
    ['*;q=0', null],
    ['*;q=0, identity', 'identity'],
    ['identity;q=0, gzip', 'gzip'],
    ['gzip;q=0', 'identity'],
    ['gzip;q=0, identity;q=0, br;q=0, zstd;q=0, deflate;q=0', null],
    ['x-gzip', 'gzip'],
    ['compress', 'identity'],
    ['gzip;q=2', 'identity'],
    ['gzip;level=9', 'identity'],
    ['GZIP ; Q=0.3', 'gzip'],
  ])('%j chooses %s', (header, want) => {
    expect(negotiate(header)).toBe(want);
  });
});

describe('encoding', () => {
  test('is undone by the peer of every coding', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...CODINGS),
        fc.uint8Array({ maxLength: 20_000 }),
        fc.integer({ min: 1, max: 9000 }),
        async (coding, data, size) => {
          const wire = await read(encodeStream(coding)(pieces(data, size)));
          expect(unpack[coding](wire).equals(data)).toBe(true);
        },
      ),
      { numRuns: 80 },
    );
  });

  test.each(CODINGS)('lets out what is there when the source of %s pauses', async (coding) => {
    let resume = (): void => {};
    const paused = new Promise<void>((r) => {
      resume = r;
    });
    const source = async function* () {
      yield Buffer.from('{"id":1}\n');
      await paused;
      yield Buffer.from('{"id":2}\n');
    };
    const wire = encodeStream(coding)(source());
    const decoded = decodeStream([coding])(wire)[Symbol.asyncIterator]();
    expect(Buffer.from((await decoded.next()).value!).toString()).toBe('{"id":1}\n');
    resume();
    expect(Buffer.from((await decoded.next()).value!).toString()).toBe('{"id":2}\n');
  });

  test('passes on a fault of the source', async () => {
    // biome-ignore lint/correctness/useYield: a source that fails at once
    const source = async function* (): AsyncGenerator<Uint8Array> {
      throw new Error('journal full');
    };
    expect(((await failure(read(encodeStream('gzip')(source())))) as Error).message).toBe('journal full');
  });
});
