/** Bodies through the real disclosure stage: a catalog, an answer for everybody, and a stream cut where the test says. */
import fc from 'fast-check';
import { createDisclosureStage } from '../../../src/disclosure/stage.ts';
import type { DisclosureLimits } from '../../../src/disclosure/formats/format.ts';
import { isSluiceError } from '../../../src/errors.ts';
import type { DisclosureAnswer, Obligations, TreatmentName } from '../../../src/model/answers.ts';
import type { Catalog, CatalogEntry, EnvelopeRole } from '../../../src/model/catalog.ts';
import type { FormatName } from '../../../src/model/disclosure.ts';
import type { DisclosureSummary } from '../../../src/model/record.ts';

export interface Case {
  readonly format: FormatName;
  /** pointer → class, e.g. `contact/3` or `contact/3 whole`, or an entry */
  readonly fields: Readonly<Record<string, string | CatalogEntry>>;
  readonly subject?: string | readonly string[];
  readonly attributes?: Readonly<Record<string, string>>;
  readonly envelope?: Readonly<Record<string, EnvelopeRole>>;
  readonly embedded?: readonly Catalog[];
  readonly records?: string | null;
  readonly charset?: string;
  readonly charsetCertain?: boolean;
  readonly options?: Readonly<Record<string, unknown>>;
  /** class or pointer → treatment; `*`: every class that is not named */
  readonly answer?: Readonly<Record<string, TreatmentName>>;
  /** data subjects whose records are withheld */
  readonly withhold?: readonly string[];
  readonly dataSubject?: string | null;
  readonly obligations?: Obligations;
  readonly limits?: Partial<DisclosureLimits>;
  /** where the body is cut */
  readonly cuts?: readonly number[];
}

export interface Outcome {
  readonly bytes: Buffer;
  readonly text: string;
  readonly summary: readonly DisclosureSummary[];
  readonly asked: readonly Readonly<Record<string, unknown>>[];
}

export const entry = (cls: string, more: object = {}): CatalogEntry => {
  const [name = '', whole] = cls.split(' ');
  const [category = '', grade = '1'] = name.split('/');
  return { category, grade: Number(grade), ...(whole === 'whole' ? { whole: true } : {}), ...more };
};

export function catalogOf(
  c: Pick<Case, 'fields' | 'subject' | 'attributes' | 'envelope'>,
  resource = 'customer',
): Catalog {
  return {
    resource,
    data_subject: [c.subject ?? []].flat(),
    attributes: c.attributes ?? {},
    fields: Object.fromEntries(
      Object.entries(c.fields).map(([p, e]) => [p, typeof e === 'string' ? entry(e, { mask: 'keep' }) : e]),
    ),
    envelope: Object.fromEntries(Object.entries(c.envelope ?? {}).map(([p, is]) => [p, { is }])),
  };
}

const keys = {
  secret: () => ({ id: 'k1', bytes: new Uint8Array(32).fill(7) }),
  recipient: () => {
    throw new Error('no test encrypts');
  },
};

function answerOf(
  catalogs: readonly Catalog[],
  says: Readonly<Record<string, TreatmentName>>,
): DisclosureAnswer {
  const classes: Record<string, { do: TreatmentName; because: string }> = {};
  const fields: Record<string, { do: TreatmentName; because: string }> = {};
  for (const catalog of catalogs)
    for (const e of Object.values(catalog.fields)) {
      if (!('category' in e)) continue;
      const cls = `${e.category}/${e.grade}`;
      const action = says[cls] ?? says['*'];
      if (action !== undefined) classes[cls] = { do: action, because: 'test' };
    }
  for (const [pointer, action] of Object.entries(says))
    if (pointer.startsWith('/')) fields[pointer] = { do: action, because: 'test' };
  return { disclose: true, reasons: [], classes, fields };
}

export function pieces(body: Uint8Array, cuts: readonly number[] = []): Uint8Array[] {
  const at = [0, ...cuts.map((c) => c % (body.length + 1)).sort((a, b) => a - b), body.length];
  return at.slice(1).map((end, i) => Uint8Array.from(body.subarray(at[i], end)));
}

export async function disclose(body: Uint8Array | string, c: Case): Promise<Outcome> {
  const catalog = catalogOf(c);
  const all = [catalog, ...(c.embedded ?? [])];
  const answer = answerOf(all, c.answer ?? { '*': 'disclose' });
  const stage = createDisclosureStage({ keys, ...(c.limits ? { limits: c.limits } : {}) });
  const asked: Record<string, unknown>[] = [];
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield* pieces(typeof body === 'string' ? Buffer.from(body) : body, c.cuts);
  };
  const parts = stage.disclose(source(), {
    format: c.format,
    charset: c.charset ?? '',
    charsetCertain: c.charsetCertain ?? false,
    catalog,
    catalogs: new Map(all.map((one) => [one.resource, one])),
    records: c.records ?? null,
    dataSubject: c.dataSubject ?? null,
    obligations: c.obligations ?? {},
    recipient: 'internal',
    purpose: 'after_sales',
    decisionId: 'd',
    options: c.options ?? {},
    consents: async (ids) => new Map(ids.map((id) => [id, { consents: [], flags: [id] }])),
    ask(_, state, attributes) {
      asked.push({ ...attributes, flags: state.flags });
      if (state.flags.some((id) => c.withhold?.includes(id)))
        return { disclose: false, reasons: [{ code: 'withheld' }], classes: {}, fields: {} };
      return answer;
    },
  });
  const chunks: Uint8Array[] = [];
  const summary: DisclosureSummary[] = [];
  for await (const part of parts) {
    chunks.push(...part.chunks.map((chunk) => Uint8Array.from(chunk)));
    summary.push(part.summary);
  }
  const bytes = Buffer.concat(chunks);
  return { bytes, text: bytes.toString('utf8'), summary, asked };
}

/** The code of the refusal, or 'let through'. */
export async function refusal(body: Uint8Array | string, c: Case): Promise<string> {
  try {
    await disclose(body, c);
  } catch (e) {
    if (isSluiceError(e)) return e.code;
    throw e;
  }
  return 'let through';
}

export const cutting = fc.array(fc.nat(2000), { maxLength: 10 });
