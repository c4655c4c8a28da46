/** Plans and bodies for tests of the disclosure stage itself. */
import { createDisclosureStage } from '../../src/disclosure/stage.ts';
import type { DisclosureLimits } from '../../src/disclosure/formats/format.ts';
import type { Treatment } from '../../src/disclosure/treatments/treatment.ts';
import type {
  DisclosureAnswer,
  Obligations,
  TreatmentChoice,
  TreatmentName,
} from '../../src/model/answers.ts';
import type { Catalog, CatalogEntry, EnvelopeRole } from '../../src/model/catalog.ts';
import type { DataSubjectState } from '../../src/model/consent.ts';
import type { DisclosurePart, DisclosurePlan } from '../../src/model/disclosure.ts';
import type { WithheldPath } from '../../src/model/record.ts';
import type { RecordFilter } from '../../src/model/record-filter.ts';
import type { RetentionRule } from '../../src/model/retention.ts';

export const keys = {
  secret: () => ({ id: 'k1', bytes: Buffer.alloc(32, 1) }),
  recipient: () => {
    throw new Error('no recipient has a key here');
  },
};

export const entry = (cls: string): CatalogEntry => {
  const [name = '', whole] = cls.split(' ');
  const [category = '', grade = '1'] = name.split('/');
  return { category, grade: Number(grade), ...(whole === 'whole' ? { whole: true } : {}) };
};

export interface Words {
  readonly resource?: string;
  readonly subjects?: readonly string[];
  readonly attributes?: Catalog['attributes'];
  readonly envelope?: Readonly<Record<string, EnvelopeRole>>;
}

/** pointer → class (`contact/3`, or `contact/3 whole`), `@resource`, or an entry */
export function catalogOf(
  fields: Readonly<Record<string, string | CatalogEntry>>,
  words: Words = {},
): Catalog {
  return {
    resource: words.resource ?? 'customer',
    data_subject: words.subjects ?? [],
    attributes: words.attributes ?? {},
    fields: Object.fromEntries(
      Object.entries(fields).map(([pointer, e]) => [
        pointer,
        typeof e !== 'string' ? e : e.startsWith('@') ? { resource: e.slice(1) } : entry(e),
      ]),
    ),
    envelope: Object.fromEntries(
      Object.entries(words.envelope ?? {}).map(([pointer, is]) => [pointer, { is }]),
    ),
  };
}

type Says = Readonly<Record<string, TreatmentName | TreatmentChoice>>;

const choices = (says: Says): Record<string, TreatmentChoice> =>
  Object.fromEntries(
    Object.entries(says).map(([k, c]) => [k, typeof c === 'string' ? { do: c, because: 'test' } : c]),
  );

export const answer = (classes: Says, fields: Says = {}): DisclosureAnswer => ({
  disclose: true,
  reasons: [],
  classes: choices(classes),
  fields: choices(fields),
});

export const withhold = (code: string): DisclosureAnswer => ({
  disclose: false,
  reasons: [{ code }],
  classes: {},
  fields: {},
});

/** a mask that is easy to see */
export const stars: Treatment = {
  name: 'mask',
  recognise: () => () => false,
  prepare: () => (value) => (value.kind === 'container' ? 'drop' : { kind: 'string', text: '***' }),
};

export interface Setting {
  readonly catalog: Catalog;
  readonly catalogs?: readonly Catalog[];
  readonly records?: string | null;
  readonly answer?: DisclosureAnswer | DisclosurePlan['ask'];
  readonly consents?: DisclosurePlan['consents'];
  readonly states?: Readonly<Record<string, Partial<DataSubjectState>>>;
  readonly obligations?: Obligations;
  readonly filter?: RecordFilter;
  readonly retention?: readonly RetentionRule[];
  readonly dataSubject?: string | null;
  readonly searched?: readonly string[];
  readonly paged?: boolean;
  readonly attributesRead?: DisclosurePlan['attributesRead'];
  readonly limits?: Partial<DisclosureLimits>;
  readonly treatments?: readonly Treatment[];
  readonly format?: DisclosurePlan['format'];
  readonly charset?: string;
  readonly options?: DisclosurePlan['options'];
  /** bytes a chunk; all at once without it */
  readonly step?: number;
  /** where the body is cut; wins over `step` */
  readonly cuts?: readonly number[];
}

export function planOf(setting: Setting): DisclosurePlan {
  const { answer: says } = setting;
  return {
    format: setting.format ?? 'json',
    charset: setting.charset ?? 'utf-8',
    catalog: setting.catalog,
    catalogs: new Map([setting.catalog, ...(setting.catalogs ?? [])].map((c) => [c.resource, c])),
    records: setting.records ?? null,
    dataSubject: setting.dataSubject ?? null,
    searched: setting.searched ?? [],
    paged: setting.paged ?? false,
    attributesRead: setting.attributesRead ?? null,
    obligations: setting.obligations ?? {},
    filter: setting.filter ?? null,
    retention: setting.retention ?? [],
    recipient: 'internal',
    purpose: 'after_sales',
    decisionId: 'd-1',
    options: setting.options ?? {},
    consents:
      setting.consents ??
      (async (ids) =>
        new Map(
          ids.flatMap((id) => {
            const state = setting.states?.[id];
            return state ? [[id, { consents: [], flags: [], ...state }]] : [];
          }),
        )),
    ask: typeof says === 'function' ? says : () => says ?? answer({}),
  };
}

export async function* cut(
  body: Uint8Array,
  setting: Pick<Setting, 'step' | 'cuts'>,
): AsyncGenerator<Uint8Array> {
  const { cuts, step } = setting;
  if (cuts) {
    const at = [0, ...cuts.map((c) => c % (body.length + 1)).sort((a, b) => a - b), body.length];
    for (let n = 1; n < at.length; n++) yield Uint8Array.from(body.subarray(at[n - 1], at[n]));
    return;
  }
  const size = step ?? Math.max(1, body.length);
  for (let at = 0; at < body.length; at += size) yield Uint8Array.from(body.subarray(at, at + size));
}

export async function partsOf(body: string | Uint8Array, setting: Setting): Promise<DisclosurePart[]> {
  const stage = createDisclosureStage({
    keys,
    treatments: setting.treatments ?? [stars],
    ...(setting.limits ? { limits: setting.limits } : {}),
  });
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const parts: DisclosurePart[] = [];
  for await (const part of stage.disclose(cut(bytes, setting), planOf(setting))) {
    parts.push({ ...part, chunks: part.chunks.map((chunk) => Uint8Array.from(chunk)) });
  }
  return parts;
}

export const bytesOf = (parts: readonly DisclosurePart[]): Buffer =>
  Buffer.concat(parts.flatMap((p) => p.chunks));

/** the text that leaves */
export const disclosed = async (body: string | Uint8Array, setting: Setting): Promise<string> =>
  bytesOf(await partsOf(body, setting)).toString('utf8');

/** the summary of a body that is one part */
export async function summaryOf(body: string, setting: Setting) {
  const parts = await partsOf(body, setting);
  if (parts.length !== 1) throw new Error(`${parts.length} parts`);
  return parts[0]!.summary;
}

/** rows as `path do because count` */
export const rows = (accounts: readonly WithheldPath[]): string[] =>
  accounts.map((a) => `${a.path} ${a.do} ${a.because} ${a.count}`).sort();
