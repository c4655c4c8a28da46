import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDisclosureStage } from '../../src/disclosure/stage.ts';
import type { DisclosurePart } from '../../src/model/disclosure.ts';
import { answer, bytesOf, catalogOf, cut, keys, planOf, type Setting, stars } from './support.ts';

const stage = createDisclosureStage({ keys, treatments: [stars] });

const codeOf = (e: unknown): string => String((e as { code?: unknown }).code);

async function streamed(body: Uint8Array, setting: Setting): Promise<unknown> {
  const parts: DisclosurePart[] = [];
  try {
    for await (const part of stage.disclose(cut(body, setting), planOf(setting))) parts.push(part);
  } catch (e) {
    return codeOf(e);
  }
  return [bytesOf(parts).toString('hex'), parts.map((p) => p.summary), parts.map((p) => p.last)];
}

async function whole(body: Uint8Array, setting: Setting): Promise<unknown> {
  try {
    const parts = await stage.discloseBuffer(Uint8Array.from(body), planOf(setting));
    return [bytesOf([...parts]).toString('hex'), parts.map((p) => p.summary), parts.map((p) => p.last)];
  } catch (e) {
    return codeOf(e);
  }
}

const record = fc.record(
  { id: fc.nat(5), name: fc.string(), secret: fc.json({ maxDepth: 2 }), more: fc.json({ maxDepth: 2 }) },
  { requiredKeys: [] },
);
const document = fc.oneof(
  fc.array(record, { maxLength: 5 }).map((r) => JSON.stringify(r)),
  record.map((r) => JSON.stringify(r)),
  fc.string(),
  fc.constantFrom('', ' ', '[', '{"id":1', '[{"id":1},', '\ufeff[]', '[{"id":1}] x'),
);

test('a body given whole has the answer, the account and the faults of the same body as a stream', async () => {
  const setting: Setting = {
    catalog: catalogOf({ '/id': 'open/1', '/name': 'open/1', '/secret': 'closed/4' }),
    answer: answer({ 'open/1': 'disclose', 'closed/4': 'drop' }),
  };
  await fc.assert(
    fc.asyncProperty(
      document,
      fc.constantFrom(null, '/*'),
      fc.array(fc.nat(500), { maxLength: 4 }),
      async (text, records, cuts) => {
        const body = Buffer.from(text);
        const both = { ...setting, records };
        expect(await whole(body, both)).toEqual(await streamed(body, { ...both, cuts }));
      },
    ),
    { numRuns: 500 },
  );
});
