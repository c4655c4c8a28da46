/** Formats, charsets and content codings together, as an answer travels: undone, disclosed, applied again. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { charset } from '../../../src/disclosure/formats/shared/charsets.ts';
import { decodeStream, encodeStream, parseContentEncoding } from '../../../src/disclosure/encodings.ts';
import type { FormatName } from '../../../src/model/disclosure.ts';
import { type Case, cutting, disclose, pieces } from './support.ts';

const CANARY = 'Kanarienvogel';
const BODIES: Readonly<
  Record<string, { format: FormatName; text: string; records: string | null; options?: object }>
> = {
  json: {
    format: 'json',
    records: '/items/*',
    text: `{"items":[{"id":"C1","ok":"fine","phone":"${CANARY}","x":["${CANARY}"]}]}`,
  },
  ndjson: {
    format: 'ndjson',
    records: '/*',
    text: `{"id":"C1","ok":"fine","phone":"${CANARY}"}\n{"id":"C2","x":"${CANARY}"}\n`,
  },
  xml: {
    format: 'xml',
    records: '/l/r',
    text: `<l><r x="${CANARY}"><id>C1</id><ok>fine</ok><phone>${CANARY}</phone><!-- ${CANARY} --></r></l>`,
  },
  csv: { format: 'csv', records: null, text: `id,ok,phone,x\r\nC1,fine,"${CANARY}",${CANARY}\r\n` },
  tsv: { format: 'tsv', records: null, text: `id\tok\tphone\nC1\tfine\t${CANARY}\n` },
  form: { format: 'form', records: null, text: `id=C1&ok=fine&phone=${CANARY}&%78=${CANARY}` },
  multipart: {
    format: 'multipart',
    records: null,
    options: { boundary: 'B' },
    text: `--B\r\nContent-Disposition: form-data; name="id"\r\n\r\nC1\r\n--B\r\nContent-Disposition: form-data; name="ok"\r\n\r\nfine\r\n--B\r\nContent-Disposition: form-data; name="phone"\r\n\r\n${CANARY}\r\n--B--\r\n`,
  },
};
const CHARSETS: Readonly<Record<string, readonly string[]>> = {
  xml: ['utf-8', 'gb18030', 'utf-16le', 'windows-1252'],
  csv: ['utf-8', 'big5', 'utf-16be', 'iso-8859-15'],
  tsv: ['utf-8', 'shift_jis'],
};
const APPLIED: Readonly<Record<string, (b: Uint8Array) => Uint8Array>> = {
  identity: (b) => b,
  gzip: (b) => gzipSync(b),
  deflate: (b) => deflateSync(b),
  'deflate ': (b) => deflateRawSync(b),
  br: (b) => brotliCompressSync(b),
  zstd: (b) => zstdCompressSync(b),
  'gzip, br': (b) => brotliCompressSync(gzipSync(b)),
};

async function read(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
async function* cut(body: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  yield* pieces(body, cuts);
}

test('whatever a body is written in and packed in, nothing withheld leaves and nothing disclosed changes', async () => {
  const place = fc
    .constantFrom(...Object.keys(BODIES))
    .chain((name) => fc.tuple(fc.constant(name), fc.constantFrom(...(CHARSETS[name] ?? ['utf-8']))));
  await fc.assert(
    fc.asyncProperty(
      place,
      fc.constantFrom(...Object.keys(APPLIED)),
      fc.constantFrom('identity', 'gzip', 'deflate', 'br', 'zstd' as const),
      cutting,
      async ([name, label], coding, accepted, cuts) => {
        const { format, text, records, options } = BODIES[name]!;
        const cs = charset(label);
        const body = cs.encode(text);
        const packed = APPLIED[coding]!(body);
        const unpacked = await read(decodeStream(parseContentEncoding(coding))(cut(packed, cuts)));
        const c: Case = {
          format,
          charset: label,
          records,
          subject: '/id',
          fields: { '/id': 'reference/1', '/ok': 'x/1', '/phone': 'contact/3' },
          answer: { '*': 'disclose', 'contact/3': 'drop' },
          cuts,
          ...(options === undefined ? {} : { options: options as Record<string, unknown> }),
        };
        const { bytes } = await disclose(unpacked, c);
        const left = await read(encodeStream(accepted)(cut(bytes, cuts)));
        const seen = await read(decodeStream(parseContentEncoding(accepted))(cut(left, [])));
        expect(cs.decode(seen)).toContain('fine');
        expect(cs.decode(seen)).not.toContain(CANARY);
        const all = await disclose(unpacked, { ...c, fields: { '/*': 'x/1' }, answer: { '*': 'disclose' } });
        if (format !== 'xml') expect(all.bytes.equals(body)).toBe(true);
        else expect(cs.decode(all.bytes)).toBe(text.replace(/<!--.*?-->/, ''));
      },
    ),
    { numRuns: 150 },
  );
});
