/**
 * JSONTestSuite (RFC 8259): every `y_` file leaves byte for byte as it came, every `n_` file is refused without a byte of it, every
 * `i_` file does one or the other. Each goes through the whole disclosure stage, in one piece and byte by byte, once copied as one field and
 * once looked into as deep as a path can.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDisclosureStage } from '../../src/disclosure/stage.ts';
import { isSluiceError } from '../../src/errors.ts';
import type { Catalog } from '../../src/model/catalog.ts';
import type { DisclosurePlan } from '../../src/model/disclosure.ts';
import type { Outcome, Runner } from './outcome.ts';

const stage = createDisclosureStage({
  keys: {
    secret: () => ({ id: 'conformance', bytes: new Uint8Array(32) }),
    recipient: () => {
      throw new Error('nothing is encrypted here');
    },
  },
});

const PUBLIC = { category: 'reference', grade: 1, whole: true };
const whole: Catalog = catalog({ '': PUBLIC });
const lookedInto: Catalog = catalog({ '': PUBLIC, '/*': PUBLIC, '/*/*/*/*': PUBLIC, '/0/a/[b=c]/d': PUBLIC });

function catalog(fields: Catalog['fields']): Catalog {
  return { resource: 'anything', data_subject: [], attributes: {}, fields, envelope: {} };
}

const planFor = (catalog: Catalog): DisclosurePlan => ({
  format: 'json',
  charset: 'utf-8',
  catalog,
  catalogs: new Map(),
  records: null,
  dataSubject: null,
  obligations: {},
  recipient: 'internal',
  purpose: 'conformance',
  decisionId: 'conformance',
  options: {},
  consents: async () => new Map(),
  ask: () => ({
    disclose: true,
    reasons: [],
    classes: { 'reference/1': { do: 'disclose', because: 'conformance' } },
    fields: {},
  }),
});

async function* cut(body: Buffer, step: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += step) yield Buffer.from(body.subarray(at, at + step));
}

/** what leaves, and the code of the refusal if there is one */
async function disclosed(body: Buffer, catalog: Catalog, step: number) {
  const chunks: Uint8Array[] = [];
  try {
    for await (const part of stage.disclose(cut(body, step), planFor(catalog))) chunks.push(...part.chunks);
    return { bytes: Buffer.concat(chunks), refused: null };
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    return { bytes: Buffer.concat(chunks), refused: error.code };
  }
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

async function judge(name: string, body: Buffer): Promise<Outcome> {
  const kind = name.slice(0, 2);
  const wanted = body.subarray(0, 3).equals(BOM) ? body.subarray(3) : body;
  for (const catalog of [whole, lookedInto]) {
    for (const step of body.length > 10_000 ? [body.length, 999] : [Math.max(1, body.length), 1]) {
      const { bytes, refused } = await disclosed(body, catalog, step);
      if (refused !== null && bytes.length > 0)
        return { name, status: 'failed', reason: `${bytes.length} bytes left before it was refused` };
      if (refused !== null && kind === 'y_') return { name, status: 'failed', reason: `refused: ${refused}` };
      if (refused === null && kind === 'n_') return { name, status: 'failed', reason: 'it passed' };
      if (refused === null && !bytes.equals(wanted))
        return { name, status: 'failed', reason: 'it left with other bytes than it came with' };
    }
  }
  return { name, status: 'passed' };
}

export const json: Runner = {
  name: 'JSONTestSuite',
  accepts: async (folder) => existsSync(join(folder, 'test_parsing')),
  async *run(folder) {
    for (const part of ['test_parsing', 'test_transform']) {
      const files = existsSync(join(folder, part)) ? readdirSync(join(folder, part)) : [];
      for (const name of files.filter((file) => file.endsWith('.json')).sort())
        yield judge(name, readFileSync(join(folder, part, name)));
    }
  },
};
