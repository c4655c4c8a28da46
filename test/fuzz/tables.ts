/**
 * XML, CSV, TSV and forms, whole and damaged. What must hold: of a whole body what the policy withholds is gone and what it discloses is
 * there; the stage ends or refuses with a code of its own; where the stream is cut changes nothing; and what leaves of a damaged body
 * another parser takes, and a second passage finds nothing more in it.
 */
import { parse } from 'csv-parse/sync';
import { SaxesParser } from 'saxes';
import { charset } from '../../src/disclosure/formats/shared/charsets.ts';
import { createDisclosureStage } from '../../src/disclosure/stage.ts';
import { isSluiceError } from '../../src/errors.ts';
import type { DisclosurePlan, FormatName } from '../../src/model/disclosure.ts';
import { answer, catalogOf, keys, planOf, stars } from '../disclosure/support.ts';
import { cut, damaged, Finding, type FuzzTarget, type Random } from './target.ts';

const REFUSALS = ['response_malformed', 'response_too_deep', 'record_too_large', 'response_charset_unknown'];
const CHARSETS = ['utf-8', 'gb18030', 'big5', 'shift_jis', 'utf-16le', 'utf-16be'] as const;
const NAMES = ['a', 'b', 'c', '手机', 'x.y', 'n-m'];
const CLASSES = { 'open/1': 'disclose', 'shut/2': 'drop', 'null/3': 'nullify', 'mask/4': 'mask' } as const;
const stage = createDisclosureStage({ keys, treatments: [stars] });

/** A body, and the names of the values that may and may not be in what leaves of it. */
interface Made {
  readonly text: string;
  readonly open: readonly string[];
  readonly shut: readonly string[];
}
type Fields = Readonly<Record<string, keyof typeof CLASSES>>;

/** values that can be told apart in whatever is left of them */
class Values {
  readonly open: string[] = [];
  readonly shut: string[] = [];
  readonly #random: Random;
  readonly #fields: Fields;
  constructor(random: Random, fields: Fields) {
    this.#random = random;
    this.#fields = fields;
  }

  /** a new value for a path: its name, with something around it that has to be spelled with care */
  at(path: string): string {
    const name = `K${this.open.length + this.shut.length}k${this.#random.below(1e6)}`;
    (this.#fields[path] === 'open/1' ? this.open : this.shut).push(name);
    const around = this.#random.pick([
      '',
      '',
      ' ',
      '<',
      '&',
      '"',
      "'",
      ']]>',
      ',',
      '\n',
      '张',
      ';',
      '=',
      '\\',
      '+%',
    ]);
    return this.#random.one(2) ? around + name : name + around;
  }
}

const SPELLED: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '&': '&amp;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[<&>"']/g, (c) => SPELLED[c]!);

function element(random: Random, values: Values, path: string, depth: number): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const prefix = random.one(5) ? random.pick(['p:', 'q:']) : '';
  const declared = prefix === '' ? '' : ` xmlns:${prefix.slice(0, 1)}="urn:${random.below(2)}"`;
  const attribute = random.one(3) ? ` t=${random.pick(['"', "'"])}` : '';
  const quote = attribute.at(-1) ?? '';
  const tag = `${prefix}${name}${declared}${attribute}${attribute === '' ? '' : escaped(values.at(`${path}/@t`))}${quote}`;
  if (random.one(8)) return `<${tag}/>`;
  const hidden = () => (random.one(6) ? random.pick(['<!-- K0hidden > -->', '<?k K0hidden?>', '\n ']) : '');
  if (depth > 0 && random.one(3)) {
    const inner = random.many(3, () => element(random, values, `${path}/${random.pick(NAMES)}`, depth - 1));
    return `<${tag}>${hidden()}${inner.join(hidden())}</${prefix}${name}>`;
  }
  const value = values.at(path);
  const cdata = random.one(3) && !value.includes(']]>');
  return `<${tag}>${hidden()}${cdata ? `<![CDATA[${value}]]>` : escaped(value)}${hidden()}</${prefix}${name}>`;
}

function xmlBody(random: Random, values: Values): string {
  const records = random.many(3, () => {
    const inner = random.many(4, () => element(random, values, `/${random.pick(NAMES)}`, 2));
    return `<r>${inner.join('')}</r>`;
  });
  return `${random.one(2) ? '<?xml version="1.0"?>' : ''}<l z="${escaped(values.at('-'))}">${records.join('\n')}</l>`;
}

function tableBody(random: Random, values: Values, separator: string): string {
  const names = NAMES.slice(0, 1 + random.below(NAMES.length));
  const end = random.pick(['\n', '\r\n', '\r']);
  const cell = (text: string): string => {
    if (separator === '\t') return text.replace(/[\n\t]/g, ' ');
    return random.one(3) || /[\n",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const rows = random.many(4, () => names.map((name) => cell(values.at(`/${name}`))).join(separator));
  return [names.join(separator), ...rows].join(end) + random.pick(['', end]);
}

const formBody = (random: Random, values: Values): string =>
  random
    .many(6, () => random.pick(NAMES))
    .map(
      (name) =>
        `${encodeURIComponent(name)}=${encodeURIComponent(values.at(`/${name}`)).replaceAll("'", '%27')}`,
    )
    .join('&');

const multipartBody = (random: Random, values: Values): string =>
  `${random
    .many(4, () => random.pick(NAMES))
    .map(
      (name) => `--B\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${values.at(`/${name}`)}\r\n`,
    )
    .join('')}--B--\r\n`;

const TOKENS = [
  '<',
  '>',
  '</',
  '/>',
  '<!--',
  '-->',
  '<![CDATA[',
  ']]>',
  '&',
  '&#65;',
  ' a="',
  '"',
  "'",
  '<?',
  '?>',
  'xmlns=""',
];
const MORE = [
  ',',
  '\t',
  '\r',
  '\n',
  '\r\n',
  '""',
  '\\',
  '\u0000',
  '\ufeff',
  '&',
  '=',
  '%',
  '%41',
  '--B',
  '\r\n--B--',
  ';',
  'sep=;\n',
];

async function run(
  body: Buffer,
  plan: DisclosurePlan,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Buffer | string> {
  const left: Uint8Array[] = [];
  try {
    for await (const part of stage.disclose(chunks, plan)) left.push(...part.chunks);
  } catch (error) {
    if (!isSluiceError(error) || !REFUSALS.includes(error.code))
      throw new Finding(`it failed instead of refusing: ${error}`, body, { cause: error });
    return error.code;
  }
  return Buffer.concat(left);
}
async function* whole(body: Buffer): AsyncGenerator<Uint8Array> {
  yield body;
}
const same = (a: Buffer | string, b: Buffer | string): boolean =>
  typeof a === 'string' || typeof b === 'string' ? a === b : a.equals(b);
const namesIn = (text: string): readonly string[] => text.match(/K\d+k\d+/g) ?? [];

interface Table {
  readonly format: FormatName;
  readonly records: string | null;
  readonly options?: DisclosurePlan['options'];
  /** charsets that the format can be in */
  readonly charsets: readonly string[];
  make(random: Random, values: Values): string;
  /** whether another reader takes what leaves */
  sound(text: string): boolean;
}

async function once(random: Random, table: Table): Promise<void> {
  const step = () => `/${random.pick(NAMES)}`;
  const deep = table.format === 'xml';
  const pointer = () => (deep ? step() + random.pick(['', step(), `${step()}/@t`, '/@t']) : step());
  const classes = Object.keys(CLASSES) as (keyof typeof CLASSES)[];
  const fields = Object.fromEntries(random.many(8, () => [pointer(), random.pick(classes)])) as Fields;
  const values = new Values(random, fields);
  const { text, open, shut }: Made = {
    text: table.make(random, values),
    open: values.open,
    shut: values.shut,
  };
  const name = random.pick(table.charsets);
  const body = charset(name).encode(text);
  const plan = planOf({
    catalog: catalogOf(fields),
    answer: answer(CLASSES),
    format: table.format,
    charset: name,
    records: table.records,
    options: table.options ?? {},
  });

  const left = await run(body, plan, cut(body, random));
  if (typeof left === 'string') throw new Finding(`a whole body was refused: ${left}`, body);
  const found = new Set(namesIn(charset(name).decode(left) ?? ''));
  for (const value of shut) if (found.has(value)) throw new Finding(`${value} is withheld, and left`, body);
  for (const value of open)
    if (!found.has(value)) throw new Finding(`${value} is disclosed, and is gone`, body);
  if (left.includes('K0hidden')) throw new Finding('a comment left', body);

  const hurt = damaged(body, random, [...TOKENS, ...MORE]);
  const outcome = await run(hurt, plan, whole(hurt));
  if (!same(await run(hurt, plan, cut(hurt, random)), outcome))
    throw new Finding('it depends on where the stream was cut', hurt);
  if (typeof outcome === 'string') return;
  const after = charset(name).decode(outcome);
  // bytes that are no text can be disclosed where the format has a place for them
  if (after !== null && !table.sound(after)) throw new Finding('no other reader takes what leaves', hurt);
  const again = await run(outcome, plan, whole(outcome));
  if (typeof again === 'string') throw new Finding(`what left is ${again} when it is read again`, hurt);
  const first = new Set(after === null ? [] : namesIn(after));
  for (const value of namesIn(charset(name).decode(again) ?? ''))
    if (!first.has(value)) throw new Finding('a second passage finds more', hurt);
}

function isXml(text: string): boolean {
  const parser = new SaxesParser({ xmlns: true });
  let fault = false;
  parser.on('error', () => {
    fault = true;
  });
  parser.write(text.replace(/^\ufeff/, '')).close();
  return !fault;
}

function isTable(text: string, delimiter: string, quote: string | false): boolean {
  try {
    parse(text, { delimiter, quote, relax_column_count: true, relax_quotes: true, bom: true });
    return true;
  } catch {
    return false;
  }
}

const target = (name: string, table: Table): FuzzTarget => ({ name, run: (random) => once(random, table) });

export const xml = target('xml', {
  format: 'xml',
  records: '/l/r',
  charsets: CHARSETS,
  make: xmlBody,
  sound: isXml,
});
export const csv = target('csv', {
  format: 'csv',
  records: '/*',
  charsets: CHARSETS,
  make: (random, values) => tableBody(random, values, ','),
  sound: (text) => /^\ufeff?"?sep=/i.test(text) || isTable(text, ',', '"'),
});
export const tsv = target('tsv', {
  format: 'tsv',
  records: '/*',
  charsets: CHARSETS,
  make: (random, values) => tableBody(random, values, '\t'),
  sound: (text) => /^\ufeff?"?sep=/i.test(text) || isTable(text, '\t', false),
});
export const form = target('form', {
  format: 'form',
  records: null,
  charsets: ['utf-8'],
  make: formBody,
  sound: () => true,
});
export const multipart = target('multipart', {
  format: 'multipart',
  records: null,
  options: { boundary: 'B' },
  charsets: ['utf-8'],
  make: multipartBody,
  sound: () => true,
});
