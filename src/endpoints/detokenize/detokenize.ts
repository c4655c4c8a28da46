/**
 * `POST /v1/detokenize` on the admin listener: turns a token of `tokenize` back into the value, for a caller who is authenticated, states a
 * purpose, and is permitted. Recorded as a disclosure before the value leaves; the record names the field, never the token or the value.
 *
 * Two questions, as for a search: may this caller detokenize at all (`sluice/decision`), and would the caller be shown this field undisguised
 * (`sluice/disclosure`)? A token has its value's shape and no room for more, so field, key and audience are the caller's word. What the
 * catalog and the policy's data exclude is refused. Otherwise a wrong word gives another value; and who may turn back one field of a
 * resource can turn back its others that have the same parameters.
 */
import type { Express } from 'express';
import { isSluiceError, SluiceError } from '../../errors.ts';
import { classOf, type FieldEntry } from '../../model/catalog.ts';
import type { Reply } from '../../model/exchange.ts';
import { type Authorized, authorize, type Target } from '../../pipeline/authorize.ts';
import { discloseField } from '../../pipeline/disclose-field.ts';
import { type FailureLimit, handle } from '../../pipeline/handle.ts';
import { type DecisionEntry, openEntry } from '../../pipeline/record.ts';
import { release } from '../../pipeline/release.ts';
import type { Stages } from '../../pipeline/stages.ts';
import { clientIpOf, jsonReader, peerOf, refusableOf, replyOf, unreadable } from '../express.ts';

const DETOKENIZE = 'POST /v1/detokenize';
const BODY_BYTES = 16_384;
const ACTION = 'detokenize';

/** for whom, why and with what a token was made */
export interface TokenOrigin {
  readonly recipient: string;
  readonly purpose: string;
  /** absent: the current key */
  readonly keyId?: string;
  /** of the field, in the catalog */
  readonly parameters: { readonly [name: string]: unknown };
}

/** @throws SluiceError `token_not_reversible`, `treatment_key_unknown` */
export type Reverse = (
  token: string,
  origin: TokenOrigin,
) => { readonly value: string; readonly key: string };

export const detokenizing =
  (stages: Stages, reverse: Reverse, limit: FailureLimit) =>
  (app: Express): void => {
    const readJson = jsonReader(BODY_BYTES);
    app
      .route('/v1/detokenize')
      .post(async (req, res) => {
        const ip = clientIpOf(req);
        const reply = replyOf(res);
        const entry = openEntry(
          stages,
          { client_ip: ip, method: 'POST', path: '/v1/detokenize', route: DETOKENIZE },
          req.headers,
        );
        entry.action = ACTION;
        entry.errorFormat = 'problem';
        const serve = async (): Promise<void> => {
          const authorized = await authorize(
            {
              headers: req.headers,
              peer: peerOf(req),
              target: async () => targetOf(queryOf(await readJson(req, res))),
            },
            entry,
            stages,
          );
          await answer(authorized, reply, entry, stages, reverse);
        };
        await handle(refusableOf(req), reply, entry, stages, serve, limit);
      })
      .all((_req, res) => {
        res
          .status(405)
          .set('Allow', 'POST')
          .type('application/problem+json')
          .send({ title: 'Use POST', status: 405 });
      });
  };

interface TokenQuery {
  readonly token: string;
  readonly resource: string;
  readonly field: string;
  readonly recipient?: string;
  readonly purpose?: string;
  readonly key_id?: string;
}

interface TokenTarget extends Target {
  readonly query: TokenQuery;
}

const targetOf = (query: TokenQuery): TokenTarget => ({
  query,
  action: ACTION,
  resource: { type: query.resource, properties: {} },
  purpose: null,
  single: true,
  verification: null,
  properties(use) {
    const audience = audienceOf(query, use);
    if (use.recipient !== 'internal' && audience.recipient !== use.recipient)
      throw new SluiceError(
        'recipient_unknown',
        'A caller from outside can only turn back tokens that were made for itself.',
      );
    return { body_fields: [], made_for: audience, query_fields: [query.field] };
  },
});

/** for whom and why a token was made */
type Audience = Pick<TokenOrigin, 'recipient' | 'purpose'>;

/** What the query says of its token, else what the request says of itself. */
const audienceOf = (query: TokenQuery, use: Audience): Audience => ({
  recipient: query.recipient ?? use.recipient,
  purpose: query.purpose ?? use.purpose,
});

async function answer(
  authorized: Authorized<TokenTarget>,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
  reverse: Reverse,
): Promise<void> {
  const { query } = authorized.target;
  const { field } = query;
  const line = await discloseField(
    authorized,
    {
      field,
      withheldMessage:
        'The policy does not let this caller see the field undisguised, so no token of it is turned back.',
    },
    entry,
    stages,
  );
  const audience = audienceOf(query, authorized.use);
  refuseUnknown(audience, authorized);
  entry.endStage('policy');

  const { value, key } = turnedBack(query, audience, line.tokenize, reverse);
  entry.labels = { ...entry.labels, token_key: key };
  const body = Buffer.from(`${JSON.stringify({ value, key_id: key, decision_id: entry.id })}\n`);
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'private, no-store',
    'sluice-decision-id': entry.id,
  };
  const disclosure = {
    records: 1,
    records_withheld: 0,
    released: [field],
    withheld: [],
    by_class: { [classOf(line)]: { [ACTION]: 1 } },
    data_subjects: [],
  };
  await release({ status: 200, headers, body }, disclosure, reply, entry, stages);
}

/**
 * A token does not say for whom it was made, and with another audience it gives another value. An audience for which no token can have been
 * made is refused at least.
 * @throws SluiceError `token_not_reversible`
 */
function refuseUnknown({ recipient, purpose }: Audience, { known }: Authorized): void {
  if (recipient !== 'internal' && !known.recipients.has(recipient))
    throw irreversible('No token was made for this recipient: the policy does not know it (data.partners).');
  if (!known.purposes.has(purpose))
    throw irreversible('No token was made for this purpose: the policy does not know it (data.purposes).');
}

/** @throws SluiceError `token_not_reversible`, `treatment_key_unknown` where there is no key at all */
function turnedBack(
  { token, key_id }: TokenQuery,
  audience: Audience,
  parameters: FieldEntry['tokenize'],
  reverse: Reverse,
): ReturnType<Reverse> {
  if (parameters === undefined)
    throw irreversible(
      'The catalog does not say that this field has tokens that can be turned back. Add `tokenize: {}` to its line if it has.',
    );
  const keyId = key_id === undefined ? {} : { keyId: key_id };
  try {
    return reverse(token, { ...audience, ...keyId, parameters });
  } catch (error) {
    if (key_id === undefined || !isSluiceError(error, 'treatment_key_unknown')) throw error;
    throw irreversible('No key for tokenize has the id that key_id names, or it has not begun yet.');
  }
}

const irreversible = (message: string): SluiceError => new SluiceError('token_not_reversible', message);

const REQUIRED = ['token', 'resource', 'field'] as const;
const MEMBERS: ReadonlySet<string> = new Set([...REQUIRED, 'recipient', 'purpose', 'key_id']);

/** @throws SluiceError `body_unreadable` */
function queryOf(body: unknown): TokenQuery {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw unreadable('The body is not a JSON object.');
  for (const name of REQUIRED) if (!Object.hasOwn(body, name)) throw unreadable(`The body lacks "${name}".`);
  for (const [name, value] of Object.entries(body)) {
    // The name itself is the caller's: it may be a value that is in the wrong place.
    if (!MEMBERS.has(name))
      throw unreadable(`The body has a member that is none of ${[...MEMBERS].join(', ')}.`);
    if (typeof value !== 'string' || value === '' || value.length > 1_024)
      throw unreadable(`"${name}" is not a text of 1 to 1024 characters.`);
  }
  return body as TokenQuery;
}
