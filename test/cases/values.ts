/** Cases of one value under one treatment. */
import { TREATMENT_FILES } from '../../src/disclosure/treatments/registry.ts';
import type { Treated, TreatmentContext } from '../../src/disclosure/treatments/treatment.ts';
import type { Result } from './run.ts';

interface ValueCase {
  readonly name: string;
  readonly class: string;
  /** `scrub`, or `mask:<kind>` */
  readonly treat: string;
  readonly value: string;
  readonly expect?: string;
  readonly expect_not?: readonly string[];
  readonly keep?: readonly string[];
}

const NO_KEYS: TreatmentContext = {
  recipient: 'internal',
  purpose: 'after_sales',
  keys: {
    secret: () => {
      throw new Error('a mask needs no key');
    },
    recipient: () => {
      throw new Error('a mask needs no key');
    },
  },
};

export async function* values(cases: readonly ValueCase[]): AsyncIterable<Result> {
  for (const c of cases) yield { name: c.name, class: c.class, faults: faultsOf(c) };
}

function faultsOf({ treat, value, expect, expect_not = [], keep = [] }: ValueCase): string[] {
  const [name = '', kind] = treat.split(':');
  const treatment = TREATMENT_FILES.find((file) => file.name === name);
  if (!treatment) return [`no treatment "${name}"`];
  const entry = { category: 'c', grade: 3, ...(kind === undefined ? {} : { mask: kind }) };
  const treated = treatment.prepare(
    entry,
    { do: treatment.name, because: 'case' },
    NO_KEYS,
  )({
    kind: 'string',
    text: value,
  });
  const shown = textOf(treated);
  return [
    ...(expect === undefined || shown === expect ? [] : [`is ${shown}, not ${expect}`]),
    ...expect_not.filter((part) => shown.includes(part)).map((part) => `${part} is still there: ${shown}`),
    ...keep.filter((part) => !shown.includes(part)).map((part) => `${part} is gone: ${shown}`),
  ];
}

const textOf = (treated: Treated): string =>
  treated === 'drop' ? '(dropped)' : treated.kind === 'null' ? '(null)' : treated.text;
