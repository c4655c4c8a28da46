import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createKeyRing, type KeyRing } from '../../../src/disclosure/keys.ts';
import { TREATMENT_FILES } from '../../../src/disclosure/treatments/registry.ts';
import type { Treated, TreatmentContext } from '../../../src/disclosure/treatments/treatment.ts';
import type { TreatmentChoice, TreatmentName } from '../../../src/model/answers.ts';
import type { FieldEntry } from '../../../src/model/catalog.ts';
import type { Scalar } from '../../../src/model/disclosure.ts';

export const secret = (): string => randomBytes(32).toString('base64');

export const ecKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const FIXED = Buffer.alloc(32, 7).toString('base64');

export const ring: KeyRing = createKeyRing(
  {
    p1: { use: 'pseudonymize', secret: FIXED },
    t1: { use: 'tokenize', secret: FIXED },
    e1: {
      use: 'encrypt',
      recipient: 'partner',
      secret: ecKeys.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    },
  },
  {},
);

export const context = (changes: Partial<TreatmentContext> = {}): TreatmentContext => ({
  recipient: 'partner',
  purpose: 'claims',
  keys: ring,
  clock: { now: () => new Date('2026-11-22T08:00:00Z'), micros: () => 0 },
  ...changes,
});

export const text = (value: string): Scalar => ({ kind: 'string', text: value });
export const number = (value: string): Scalar => ({ kind: 'number', text: value });

export const treatment = (name: TreatmentName) => {
  const found = TREATMENT_FILES.find((file) => file.name === name);
  if (found === undefined) throw new Error(`no treatment ${name}`);
  return found;
};

/** One value through one treatment. */
export function treat(
  name: TreatmentName,
  value: Scalar | { readonly kind: 'container'; readonly text: string },
  entry: Partial<FieldEntry> = {},
  options: { with?: TreatmentChoice['with']; context?: TreatmentContext } = {},
): Treated {
  const choice: TreatmentChoice =
    options.with === undefined
      ? { do: name, because: 'test' }
      : { do: name, because: 'test', with: options.with };
  return treatment(name).prepare(
    { category: 'c', grade: 3, ...entry },
    choice,
    options.context ?? context(),
  )(value);
}

/** The text of what came out; `drop` and null by their names. */
export const shown = (treated: Treated): string =>
  treated === 'drop' ? 'drop' : treated.kind === 'null' ? 'null' : treated.text;
