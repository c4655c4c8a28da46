/** The kinds of masks by name. */
import { fault } from '../parameters.ts';
import { address } from './address.ts';
import { bankCard } from './bank-card.ts';
import { email } from './email.ts';
import { generic } from './generic.ts';
import { ip } from './ip.ts';
import { landline } from './landline.ts';
import type { Mask, MaskFactory, MaskParameters } from './mask.ts';
import { nationalId } from './national-id.ts';
import { passport } from './passport.ts';
import { personName } from './person-name.ts';
import { phone } from './phone.ts';
import { plate } from './plate.ts';

const FACTORIES = {
  address,
  bank_card: bankCard,
  email,
  generic,
  ip,
  landline,
  national_id: nationalId,
  passport,
  person_name: personName,
  phone,
  plate,
} as const satisfies { readonly [kind: string]: MaskFactory };

export type MaskKind = keyof typeof FACTORIES;
export const MASK_KINDS = Object.keys(FACTORIES) as readonly MaskKind[];

export type MaskSpec = string | ({ readonly kind: string } & MaskParameters);

const isKind = (kind: string): kind is MaskKind => Object.hasOwn(FACTORIES, kind);

/**
 * The mask of a catalog line: a kind, or a kind with parameters.
 * @throws SluiceError `catalog_invalid` for an unknown kind or parameter
 */
export function createMask(spec: MaskSpec): Mask {
  const { kind, ...parameters } = typeof spec === 'string' ? { kind: spec } : spec;
  if (!isKind(kind)) throw fault(`unknown kind of mask "${kind}"; known: ${MASK_KINDS.join(', ')}`);
  return FACTORIES[kind](parameters);
}

/** Whether a text has the form of this mask's output, which a write must not contain. */
export const isMasked = (spec: MaskSpec, text: string): boolean => createMask(spec).recognises(text);
