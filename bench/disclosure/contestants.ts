/** Each takes the chunks of a body and gives back the bytes that leave. All release the same fields. */
import { JSONParser } from '@streamparser/json';
import chain from 'stream-chain';
import { parser } from 'stream-json';
import { pick } from 'stream-json/filters/pick.js';
import { streamArray } from 'stream-json/streamers/stream-array.js';
import { compiled, plan, redact, stage } from './plan.ts';

export type Contestant = (chunks: readonly Buffer[]) => Promise<Buffer>;

async function* each(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

export const splice: Contestant = async (chunks) => {
  const left: Uint8Array[] = [];
  for await (const part of stage.disclose(each(chunks), plan)) left.push(...part.chunks);
  return Buffer.concat(left);
};

const rules = compiled();

/** JSON.parse → redact → JSON.stringify, the whole body at once */
export const parse: Contestant = async (chunks) => {
  const buffers: Buffer[] = [];
  for await (const chunk of each(chunks)) buffers.push(chunk);
  const body = JSON.parse(Buffer.concat(buffers).toString('utf8')) as { page: number; items: unknown[] };
  const items = body.items.map((item) => redact(item, rules));
  return Buffer.from(JSON.stringify({ page: body.page, items }));
};

/** @streamparser/json, an item at a time */
export const streamparser: Contestant = async (chunks) => {
  const items = new JSONParser({ paths: ['$.items.*', '$.page'], keepStack: false });
  const left: string[] = [];
  let page = 0;
  items.onValue = ({ value, key }) => {
    if (key === 'page') page = value as number;
    else left.push(JSON.stringify(redact(value, rules)));
  };
  for await (const chunk of each(chunks)) items.write(chunk);
  return Buffer.from(`{"page":${page},"items":[${left.join(',')}]}`);
};

/** stream-json, an item at a time */
export const streamJson: Contestant = async (chunks) => {
  const left: string[] = [];
  const pipeline = chain([parser(), pick({ filter: 'items' }), streamArray()]);
  const done = new Promise<void>((resolve, reject) => {
    pipeline.on('data', ({ value }: { value: unknown }) => left.push(JSON.stringify(redact(value, rules))));
    pipeline.on('end', resolve);
    pipeline.on('error', reject);
  });
  for (const chunk of chunks) if (!pipeline.write(chunk)) await new Promise((r) => pipeline.once('drain', r));
  pipeline.end();
  await done;
  return Buffer.from(`{"page":1,"items":[${left.join(',')}]}`);
};
