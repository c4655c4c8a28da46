/** The certificate of an erasure: what the person, or an authority, gets as proof. It holds no personal data but the id of the data subject. */
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Signing } from '../model/signing.ts';
import type { ErasureStore } from './index.ts';
import { confirmationsOf, type Hold, holdsOf, type RequestRow } from './tables.ts';

export interface Certificate {
  readonly request: string;
  readonly data_subject: string;
  /** RFC 3339 */
  readonly requested_at: string;
  readonly closed_at: string;
  readonly state: 'completed' | 'partly';
  /** what is kept, why and how long */
  readonly held: readonly Hold[];
  /** systems that have confirmed the deletion */
  readonly confirmations: readonly { readonly upstream: string; readonly at: string }[];
  /** somebody has confirmed it, with evidence that is kept */
  readonly confirmed_by_person: boolean;
}

/** @throws SluiceError `erasure_invalid` */
export function certificateOf(request: RequestRow): Certificate {
  const { id, kind, data_subject, state, requested_at, closed_at, evidence } = request;
  // What was completed stays so, also when the person has come back.
  const certified = state === 'lifted' ? 'completed' : state;
  if (kind !== 'erasure' || (certified !== 'completed' && certified !== 'partly'))
    throw new SluiceError(
      'erasure_invalid',
      `There are certificates of erasures that are completed, and this is ${kind === 'access' ? 'an' : 'a'} ${kind} that is ${state.replaceAll('_', ' ')}.`,
    );
  return {
    request: id,
    data_subject,
    requested_at: new Date(requested_at).toISOString(),
    closed_at: new Date(closed_at!).toISOString(),
    state: certified,
    held: holdsOf(request),
    confirmations: confirmationsOf(request).map(({ upstream, at }) => ({ upstream, at })),
    confirmed_by_person: evidence !== null,
  };
}

/** A compact JWS. @throws SluiceError `erasure_invalid`, `signing_key_unavailable` */
export const signedCertificate = async (
  request: RequestRow,
  signing: Pick<Signing, 'sign'>,
): Promise<string> => signing.sign('erasure-certificate', { ...certificateOf(request) });

/**
 * A certificate holds if it was signed here, and the store has the completion that it is about. What was held may have been deleted since.
 * @throws SluiceError `signature_invalid`, `certificate_unknown`, `signing_key_unavailable`, `store_unavailable`
 */
export async function checkCertificate(
  token: string,
  store: Pick<ErasureStore, 'show'>,
  signing: Pick<Signing, 'verify'>,
): Promise<{ readonly certificate: Certificate; readonly kid: string; readonly now: RequestRow }> {
  const { payload, kid } = await signing.verify('erasure-certificate', token);
  const certificate = payload as typeof payload & Certificate;
  const { request, events } = await store.show(String(certificate.request)).catch((e: unknown) => {
    if (isSluiceError(e, 'erasure_not_found')) return NOBODY;
    throw e;
  });
  const isKnown = events.some(
    ({ what, at }) => what === 'completed' && new Date(at).toISOString() === certificate.closed_at,
  );
  if (request === null || request.data_subject !== certificate.data_subject || !isKnown)
    throw new SluiceError(
      'certificate_unknown',
      'The signature is right, and the store does not have the completion that the certificate is about: it was restored from an older backup, or is another store.',
    );
  return { certificate, kid, now: request };
}

const NOBODY = { request: null, events: [] } as const;
