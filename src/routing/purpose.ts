/** Purpose, recipient, tier, justification and grant of a request, and the rules on who may claim what. */
import type { PurposeConfig } from '../config/sections/purpose.ts';
import { SluiceError } from '../errors.ts';
import type { Subject } from '../model/input.ts';
import type { CompiledRoute, Headers, Known, PurposeOfUse } from './types.ts';

/** Purposes and partners of a policy's data (`data.purposes`, `data.partners`): keys of an object, or `name`s of a list. */
export function knownFrom(_data: { readonly [name: string]: unknown }): Known {
  throw new SluiceError('internal', 'purpose is being built');
}

export interface PurposeRequest {
  readonly headers: Headers;
  readonly subject: Subject;
  readonly claims: Readonly<Record<string, unknown>>;
  /** the client's default */
  readonly purpose: string | null;
  readonly route: Pick<CompiledRoute, 'purpose'>;
  readonly known: Known;
}

/** @throws SluiceError `purpose_missing`, `purpose_unknown`, `recipient_unknown`, `tier_invalid`, `request_malformed` */
export function resolvePurpose(_config: PurposeConfig, _request: PurposeRequest): PurposeOfUse {
  throw new SluiceError('internal', 'purpose is being built');
}
