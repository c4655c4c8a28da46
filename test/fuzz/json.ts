/**
 * JSON and NDJSON bodies, whole and damaged, under random catalogs and answers. What must hold: the stage ends or refuses with a code of its
 * own; what it lets through JSON.parse would take as well, and what leaves is JSON; where the stream is cut changes nothing; and what
 * leaves is what the plain reference would let leave.
 */
import { isUtf8 } from 'node:buffer';
import { createDisclosureStage } from '../../src/disclosure/stage.ts';
import { isSluiceError } from '../../src/errors.ts';
import type { DisclosureAnswer, TreatmentName } from '../../src/model/answers.ts';
import type { Catalog } from '../../src/model/catalog.ts';
import type { DisclosurePlan } from '../../src/model/disclosure.ts';
import { reference } from '../disclosure/reference.ts';
import { answer, catalogOf, keys, planOf, stars } from '../disclosure/support.ts';
import { cut, damaged, Finding, type FuzzTarget, type Random } from './target.ts';

const NAMES = [
  'a',
  'b',
  'c',
  'n',
  'v',
  '0',
  '1',
  '张三',
  'phone',
  '__proto__',
  'constructor',
  'k~/',
  '',
  'q":1,"a',
  'b\\n',
  '\n',
];
const CLASSES = ['one/1', 'two/2', 'three/3'];
const TOKENS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '\\u0061',
    '\\ud800',
    'null',
    'true',
    'NaN',
    '-',
    '1e9',
    '0',
    '00',
    '"a":',
    '"a":1,',
  ],
  ...['\n', '\u0000', '\ufeff', '/**/', ' ', '"phone":"x",', '[[[[[[[[', '\\"', '\u2028'],
];
const REFUSALS = ['response_malformed', 'response_too_deep', 'record_too_large'];

const stage = createDisclosureStage({ keys, treatments: [stars] });

function value(random: Random, depth: number): unknown {
  switch (random.below(depth > 4 ? 4 : 8)) {
    case 0:
      return random.pick([null, true, false, 'x', 'y', '1', '']);
    case 1:
      return random.pick([0, -1, 1.5e300, 12345678901234]);
    case 2:
    case 3:
      return `t${random.below(1e6)}${random.pick(['', '张', '"', '\\', '\n', '\ud83d\ude00', '\u0000'])}`;
    case 4:
    case 5:
      return random.many(4, () => value(random, depth + 1));
    default:
      return object(random, depth + 1);
  }
}

const object = (random: Random, depth: number): unknown =>
  Object.fromEntries(random.many(6, () => [random.pick(NAMES), value(random, depth)]));

function pointer(random: Random): string {
  const token = () => {
    if (random.one(4)) return '*';
    if (random.one(8)) return `[${random.pick(['n', 'a'])}=${random.pick(['x', 'y', '1'])}]`;
    return random.pick(NAMES).replaceAll('~', '~0').replaceAll('/', '~1');
  };
  return random.many(4, () => `/${token()}`).join('');
}

function setting(random: Random): { catalog: Catalog; says: DisclosureAnswer } {
  const treatment = (): TreatmentName => random.pick(['disclose', 'disclose', 'mask', 'nullify', 'drop']);
  const line = () => `${random.pick(CLASSES)}${random.pick([' whole', ''])}`;
  const fields = Object.fromEntries(random.many(8, () => [pointer(random), line()]));
  const named = Object.fromEntries(random.many(1, () => [pointer(random), treatment()]));
  return {
    catalog: catalogOf(fields),
    says: answer(Object.fromEntries(CLASSES.map((cls) => [cls, treatment()])), named),
  };
}

async function run(body: Buffer, plan: DisclosurePlan, chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const left: Uint8Array[] = [];
  try {
    for await (const part of stage.disclose(chunks, plan)) left.push(...part.chunks);
  } catch (error) {
    if (!isSluiceError(error) || !REFUSALS.includes(error.code))
      throw new Finding(`it failed instead of refusing: ${error}`, body, { cause: error });
    return `refused: ${error.code}`;
  }
  return Buffer.concat(left).toString('latin1');
}

async function* whole(body: Buffer): AsyncGenerator<Uint8Array> {
  yield body;
}

/** whether an object of a valid JSON text names a member twice: there JSON.parse keeps one of them and the engine all */
function repeats(text: string): boolean {
  const stack: (Set<string> | null)[] = [];
  let named = false;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/gs)) {
    if (token === '{' || token === '[') {
      stack.push(token === '{' ? new Set() : null);
      named = token === '{';
    } else if (token === '}' || token === ']') {
      stack.pop();
      named = false;
    } else if (token === ',') named = stack.at(-1) instanceof Set;
    else if (token === ':') named = false;
    else if (named) {
      const names = stack.at(-1)!;
      const name = JSON.parse(token) as string;
      if (names.has(name)) return true;
      names.add(name);
    }
  }
  return false;
}

/** whether a number is beyond what the reference can spell again */
function overflows(text: string): boolean {
  let beyond = false;
  JSON.parse(text, (_, v) => {
    beyond ||= v === Number.POSITIVE_INFINITY || v === Number.NEGATIVE_INFINITY;
  });
  return beyond;
}

function parsed(text: string): { value: unknown } | null {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
}

async function once(random: Random, format: 'json' | 'ndjson'): Promise<void> {
  const { catalog, says } = setting(random);
  const records = random.one(3);
  const documents = random.many(3, () => value(random, 0));
  const text =
    format === 'ndjson'
      ? documents.map((document) => JSON.stringify(document)).join('\n')
      : JSON.stringify(records ? documents : object(random, 0), null, random.pick([0, 0, 1]));
  const body = damaged(Buffer.from(text), random, TOKENS);
  const plan = planOf({ catalog, answer: says, format, records: format === 'json' && records ? '/*' : null });
  const outcome = await run(body, plan, whole(body));
  if ((await run(body, plan, cut(body, random))) !== outcome)
    throw new Finding('it depends on where the stream was cut', body);
  if (outcome.startsWith('refused: ')) {
    const fine =
      isUtf8(body) && format === 'json' && parsed(body.toString()) !== null && !repeats(body.toString());
    if (fine) throw new Finding(`JSON.parse takes it, but it was ${outcome}`, body);
    return;
  }
  const left = Buffer.from(outcome, 'latin1').toString();
  const source = body.toString().replace(/^\ufeff/, '');
  const lines = format === 'ndjson' ? source.split('\n').filter((line) => line.trim() !== '') : [source];
  const found = format === 'ndjson' ? left.split('\n').filter((line) => line.trim() !== '') : [left];
  if (found.length !== lines.length) throw new Finding('it has another number of lines', body);
  for (const [n, line] of lines.entries()) {
    const before = parsed(line);
    const after = parsed(found[n]!);
    if (before === null) throw new Finding('it let through what JSON.parse refuses', body);
    if (after === null) throw new Finding('what leaves is not JSON', body);
    if (repeats(line) || overflows(line)) continue;
    const wanted =
      format === 'json' && records && Array.isArray(before.value)
        ? JSON.stringify(before.value.map((record) => plainly(record, catalog, says)))
        : format === 'json' && records
          ? null
          : JSON.stringify(plainly(before.value, catalog, says));
    if (wanted !== null && JSON.stringify(after.value) !== wanted)
      throw new Finding('what leaves is not what the plain reference lets leave', body);
  }
}

const plainly = (record: unknown, catalog: Catalog, says: DisclosureAnswer): unknown =>
  JSON.parse(reference(JSON.stringify(record), catalog, says, '***')!);

export const json: FuzzTarget = { name: 'json', run: (random) => once(random, 'json') };
export const ndjson: FuzzTarget = { name: 'ndjson', run: (random) => once(random, 'ndjson') };
