/** Reads consents from CSV, NDJSON, FHIR R4 Consent and JSON-LD in terms of the DPV, one after the other, in flat memory. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { recordIdOf, type Statement } from '../../consent/index.ts';
import { SluiceError } from '../../errors.ts';
import { startOf } from '../../model/moment.ts';
import { fromDpv } from './dpv.ts';
import { fromFhir } from './fhir.ts';

export const FORMATS = ['csv', 'ndjson', 'fhir', 'dpv'] as const;
export type ImportFormat = (typeof FORMATS)[number];

const MEMBERS = [
  'data_subject',
  'id',
  'purpose',
  'categories',
  'recipient',
  'status',
  'explicit',
  'at',
  'from',
  'until',
  'notice',
  'evidence',
  'method',
] as const;
/** The members of a row that can be a statement; texts as they are written. */
export type Raw = { readonly [name in (typeof MEMBERS)[number]]?: unknown };

export type Item =
  | { readonly line: number; readonly statements: readonly Statement[] }
  | { readonly line: number; readonly reason: string };

export interface ReadOptions {
  readonly format: ImportFormat;
  /** as the WHATWG Encoding Standard names it; default: utf-8 */
  readonly charset?: string;
  /** the moment of statements that name none */
  readonly at?: string;
  /** words of the file → words of the policy */
  readonly map: ReadonlyMap<string, string>;
  readonly now: Date;
  /** bytes read so far */
  readonly progress: (bytes: number) => void;
}

/** A document that is not read line by line must fit into memory. */
const MOST_BYTES = 256 * 1024 * 1024;

/** @throws SluiceError `input_invalid` for a file that cannot be read at all */
export async function* read(file: string, options: ReadOptions): AsyncGenerator<Item> {
  const stream = Readable.from(decoded(file, options));
  // Not a promise that each item races with: it would keep every item until the end.
  let fault: SluiceError | null = null;
  stream.on('error', (cause: NodeJS.ErrnoException) => {
    const { charset = 'utf-8' } = options;
    const message =
      cause.code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
        ? `${file} is not in ${charset}: name its charset, for example --charset gb18030.`
        : `${file} cannot be read (${cause.code}).`;
    fault = new SluiceError('input_invalid', { message, cause });
  });
  try {
    yield* options.format === 'csv' ? rows(stream, options) : documents(stream, options);
  } catch (e) {
    throw fault ?? e;
  } finally {
    stream.destroy();
  }
  if (fault !== null) throw fault as SluiceError;
}

/** Text, without a byte order mark. A byte that its charset does not have is an error: it would make another name of a name. */
async function* decoded(file: string, { charset, progress }: ReadOptions): AsyncGenerator<string> {
  const decoder = new TextDecoder(charset, { fatal: true });
  const stream = createReadStream(file);
  let isBegun = false;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    progress(chunk.length);
    const text = decoder.decode(chunk, { stream: true });
    // Only the decoders of UTF-8 and UTF-16 remove the mark.
    yield isBegun ? text : text.replace(/^\ufeff/, '');
    isBegun ||= text !== '';
  }
  yield decoder.decode();
}

async function* rows(stream: NodeJS.ReadableStream, options: ReadOptions): AsyncGenerator<Item> {
  const skipped: Item[] = [];
  const parser = stream.pipe(
    parse({
      columns: columnsOf,
      info: true,
      skip_empty_lines: true,
      skip_records_with_error: true,
      trim: true,
    }),
  );
  // `pipe` passes on no errors.
  stream.once('error', (e) => parser.destroy(e));
  parser.on('skip', (e: { readonly lines?: number; readonly message: string }) => {
    skipped.push({ line: e.lines ?? 0, reason: e.message });
  });
  for await (const { record, info } of parser as AsyncIterable<{ record: Raw; info: { lines: number } }>) {
    yield* skipped.splice(0);
    yield item(info.lines, [record], options);
  }
  yield* skipped;
}

/** @throws SluiceError `input_invalid`: a misspelled `until` or `recipient` would make more of each consent than was given */
function columnsOf(header: readonly string[]): string[] {
  const names = header.map((name) => name.trim());
  for (const [i, name] of names.entries()) {
    const fault = unknownMember([name]) ?? (names.indexOf(name) < i ? `"${name}" is there twice` : null);
    if (fault !== null) throw new SluiceError('input_invalid', `The header of the file: ${fault}.`);
  }
  return names;
}

function unknownMember(names: readonly string[]): string | null {
  const unknown = names.find((name) => !(MEMBERS as readonly string[]).includes(name));
  return unknown === undefined ? null : `"${unknown}" is none of ${MEMBERS.join(', ')}: correct or remove it`;
}

/** One JSON document on each line; or, for FHIR and the DPV, one document in the whole file. */
async function* documents(stream: NodeJS.ReadableStream, options: ReadOptions): AsyncGenerator<Item> {
  let held = '';
  let line = 0;
  let isWhole = false;
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  stream.once('error', () => lines.close());
  for await (const text of lines) {
    line++;
    if (text.trim() === '') continue;
    if (isWhole) {
      held += `\n${text}`;
      if (held.length > MOST_BYTES)
        throw new SluiceError(
          'input_invalid',
          `The document is longer than ${MOST_BYTES} bytes: give one JSON document a line (NDJSON).`,
        );
      continue;
    }
    const value = jsonOf(text);
    if (value === undefined && line === 1 && options.format !== 'ndjson') {
      isWhole = true;
      held = text;
    } else if (value === undefined) yield { line, reason: 'is not JSON' };
    else yield* document(line, value, options);
  }
  if (!isWhole) return;
  const value = jsonOf(held);
  if (value === undefined)
    throw new SluiceError(
      'input_invalid',
      'The file is neither a JSON document nor one JSON document a line.',
    );
  yield* document(1, value, options);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function* document(line: number, value: unknown, options: ReadOptions): Generator<Item> {
  if (options.format === 'ndjson') {
    yield item(line, [value as Raw], options);
    return;
  }
  for (const found of options.format === 'fhir' ? fromFhir(value) : fromDpv(value))
    yield 'reason' in found ? { line, reason: found.reason } : item(line, found.raw, options);
}

class Unfit extends Error {}

function item(line: number, raws: readonly Raw[], options: ReadOptions): Item {
  try {
    return { line, statements: raws.map((raw) => statementOf(raw, options)) };
  } catch (e) {
    if (e instanceof Unfit) return { line, reason: e.message };
    throw e;
  }
}

function statementOf(raw: Raw, { at: asOf, map, now }: ReadOptions): Statement {
  if (typeof raw !== 'object' || raw === null) throw new Unfit('is no object');
  const unknown = unknownMember(Object.keys(raw));
  if (unknown !== null) throw new Unfit(unknown);
  const text = (name: keyof Raw): string | undefined => {
    const value = raw[name];
    if (value === undefined || value === null || value === '') return undefined;
    if (typeof value !== 'string' && typeof value !== 'number') throw new Unfit(`${name}: must be a text`);
    if (String(value).includes('\ufffd'))
      throw new Unfit(`${name}: contains U+FFFD, the trace of a failed conversion`);
    return String(value);
  };
  const needed = (name: keyof Raw): string => {
    const value = text(name);
    if (value === undefined) throw new Unfit(`${name}: is missing`);
    return value;
  };
  const word = (name: string): string => map.get(name) ?? name;
  const at = text('at') ?? asOf;
  if (at === undefined)
    throw new Unfit('at: is missing (when the data subject said so); --at gives one for all');
  if (startOf(at) > now.getTime() + FUTURE_MS) throw new Unfit('at: is in the future');
  const status = needed('status');
  if (status !== 'given' && status !== 'withdrawn') throw new Unfit('status: must be given or withdrawn');
  const consent = {
    purpose: word(needed('purpose')),
    categories: [...new Set(listOf(raw.categories).map(word))].sort(),
    recipient: word(text('recipient') ?? 'internal'),
    status,
    ...explicitOf(raw.explicit),
    ...given('from', text('from')),
    ...given('until', text('until')),
    at,
  } as const;
  const data_subject = needed('data_subject');
  return {
    data_subject,
    consent: { id: text('id') ?? recordIdOf(data_subject, consent), ...consent },
    evidence: {
      ...given('notice', text('notice')),
      ...given('evidence', text('evidence')),
      ...given('method', text('method')),
    },
  };
}

/** clocks of other systems */
const FUTURE_MS = 5 * 60_000;

const given = <K extends string>(key: K, value: string | undefined): { readonly [k in K]?: string } =>
  value === undefined ? {} : ({ [key]: value } as { readonly [k in K]: string });

function listOf(value: unknown): string[] {
  const list: unknown = typeof value === 'string' ? value.split(/[;|]/).map((name) => name.trim()) : value;
  const names = Array.isArray(list) ? list.filter((name) => name !== '') : [];
  if (names.length === 0) throw new Unfit('categories: are missing; in CSV, separate them by ";"');
  if (!names.every((name) => typeof name === 'string')) throw new Unfit('categories: must be names');
  return names;
}

function explicitOf(value: unknown): { readonly explicit?: boolean } {
  if (value === undefined || value === null || value === '') return {};
  if (value === true || value === 'true') return { explicit: true };
  if (value === false || value === 'false') return { explicit: false };
  throw new Unfit('explicit: must be true or false');
}
