/** Each takes the chunks of a body and gives back the bytes that leave. All release the same fields. */
import { JSONParser } from '@streamparser/json';
import chain from 'stream-chain';
import { parser } from 'stream-json';
import { pick } from 'stream-json/filters/pick.js';
import { streamArray } from 'stream-json/streamers/stream-array.js';
import { streamValues } from 'stream-json/streamers/stream-values.js';
import { ProgramRun, UnknownPaths } from '../../src/disclosure/session/counter.ts';
import { Automaton } from '../../src/disclosure/fields/automaton.ts';
import { compileEnvelope } from '../../src/disclosure/fields/envelope.ts';
import type { BodyReader, Matcher, Piece } from '../../src/disclosure/formats/format.ts';
import { json } from '../../src/disclosure/formats/json/reader.ts';
import { DEFAULT_LIMITS } from '../../src/disclosure/limits.ts';
import { Collected } from '../../src/disclosure/session/output.ts';
import { instruct } from '../../src/disclosure/fields/program.ts';
import { TREATMENT_FILES } from '../../src/disclosure/treatments/registry.ts';
import { answer, catalog, compiled, keys, plan, redact, stage } from './plan.ts';

/** @param records pointer to the records; null: the body is one record */
export type Contestant = (chunks: readonly Buffer[], records: '/items/*' | null) => Promise<Buffer>;

/** a stream as the stage takes it */
async function* each(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

/**
 * What `parse` does and no more: bytes in, the fields of one known answer out. Reader, index and renderer as the stage uses them, counts included,
 * but nobody is asked and no summary is made.
 */
const automaton = new Automaton(catalog, plan.catalogs);
const envelopes = { list: compileEnvelope(catalog, '/items/*'), single: compileEnvelope(catalog, null) };
const singlePlan = { ...plan, records: null };
const treatments = {
  byName: new Map(TREATMENT_FILES.map((treatment) => [treatment.name as string, treatment])),
  context: { recipient: plan.recipient, purpose: plan.purpose, keys },
};
const instructions = instruct(automaton, 0, [answer], treatments);

export const splice: Contestant = spliced((records) => ({
  reader: json.open({
    matcher: automaton,
    envelope: records === null ? envelopes.single : envelopes.list,
    charset: '',
    options: {},
    limits: DEFAULT_LIMITS,
  }),
  matcher: automaton,
  running: (unknown) => ProgramRun.of(instructions, unknown),
}));

/** A format's reader and renderer with one known program. */
export function spliced(
  open: (records: '/items/*' | null) => {
    readonly reader: BodyReader;
    readonly matcher: Matcher;
    readonly running: (unknown: UnknownPaths) => ProgramRun;
  },
): Contestant {
  return async (chunks, records) => {
    const { reader, matcher, running } = open(records);
    const unknown = new UnknownPaths(DEFAULT_LIMITS.summary_paths);
    const program = running(unknown);
    const rendering = { matcher, program: () => program };
    const out = new Collected();
    const write = (pieces: readonly Piece[]) => {
      for (const piece of pieces) {
        if (piece.kind === 'record') piece.render(out, rendering);
        else if (piece.kind === 'frame') piece.render(out, unknown);
      }
      reader.settled?.();
    };
    const [only] = chunks;
    if (only !== undefined && chunks.length === 1 && reader.pushAll !== undefined) {
      out.expect(only.length);
      write(reader.pushAll(only));
    } else {
      for (const chunk of chunks) {
        out.expect(chunk.length);
        write(reader.push(chunk));
      }
      write(reader.end());
    }
    const left = out.take();
    out.end();
    program.settle();
    program.clear();
    program.recycle();
    return left.length === 1 ? (left[0] as Buffer) : Buffer.concat(left);
  };
}

/** the whole stage: consent looked up, policy asked, every value accounted for, cut into parts */
export const whole: Contestant = async (chunks, records) => {
  const wanted = records === null ? singlePlan : plan;
  const parts =
    chunks.length === 1
      ? await stage.discloseBuffer(chunks[0]!, wanted)
      : stage.disclose(each(chunks), wanted);
  const left: Uint8Array[] = [];
  for await (const part of parts) left.push(...part.chunks);
  return left.length === 1 ? (left[0] as Buffer) : Buffer.concat(left);
};

const rules = compiled();

/** JSON.parse → redact → JSON.stringify, the whole body at once */
export const parse: Contestant = async (chunks, records) => {
  const text = (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString('utf8');
  if (records === null) return Buffer.from(JSON.stringify(redact(JSON.parse(text), rules)));
  const body = JSON.parse(text) as { page: number; items: unknown[] };
  const items = body.items.map((item) => redact(item, rules));
  return Buffer.from(JSON.stringify({ page: body.page, items }));
};

/** @streamparser/json, an item at a time */
export const streamparser: Contestant = async (chunks, records) => {
  const paths = records === null ? ['$'] : ['$.items.*', '$.page'];
  const items = new JSONParser({ paths, keepStack: false });
  const left: string[] = [];
  let page = 0;
  items.onValue = ({ value, key }) => {
    if (key === 'page') page = value as number;
    else left.push(JSON.stringify(redact(value, rules)));
  };
  for (const chunk of chunks) items.write(chunk);
  return Buffer.from(records === null ? left.join('') : `{"page":${page},"items":[${left.join(',')}]}`);
};

/** stream-json, an item at a time */
export const streamJson: Contestant = async (chunks, records) => {
  const left: string[] = [];
  const pipeline = chain(
    records === null ? [parser(), streamValues()] : [parser(), pick({ filter: 'items' }), streamArray()],
  );
  const done = new Promise<void>((resolve, reject) => {
    pipeline.on('data', ({ value }: { value: unknown }) => left.push(JSON.stringify(redact(value, rules))));
    pipeline.on('end', resolve);
    pipeline.on('error', reject);
  });
  for (const chunk of chunks) if (!pipeline.write(chunk)) await new Promise((r) => pipeline.once('drain', r));
  pipeline.end();
  await done;
  return Buffer.from(records === null ? left.join('') : `{"page":1,"items":[${left.join(',')}]}`);
};
