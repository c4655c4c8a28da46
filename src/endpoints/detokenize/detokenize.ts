/**
 * `POST /v1/detokenize` on the admin listener: a token of `tokenize` turned back into the value, for a caller who proves who
 * they are, says why, and whom the policy lets. Recorded as a disclosure, durable before the value leaves; the record names
 * the field and never the token or the value.
 *
 * Two questions, as for a search: may this caller detokenize at all (`sluice/decision`), and would they see this field of a
 * data subject of whom nothing is known undisguised (`sluice/disclosure`)? A token has its value's shape and no room for more: field, key
 * and audience are the caller's word. What the catalog and the policy's data exclude is refused; among the rest a wrong word gives
 * another value, and who may turn back one field of a resource can turn back its others that have the same parameters.
 */
import express, { type Express, type Request, type Response } from 'express';
import { Account } from '../../pipeline/account.ts';
import { isSluiceError, SluiceError } from '../../errors.ts';
import { type Catalog, classOf, type FieldEntry } from '../../model/catalog.ts';
import type { PolicyInput } from '../../model/input.ts';
import type { ProxyRequest, Reply } from '../../model/exchange.ts';
import type { PolicySnapshot } from '../../model/policy.ts';
import { inTier } from '../../model/verdict.ts';
import { denied, record, refuse } from '../../pipeline/refusal.ts';
import type { Stages } from '../../pipeline/stages.ts';

export const DETOKENIZE = 'POST /v1/detokenize';
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
  (stages: Stages, reverse: Reverse) =>
  (app: Express): void => {
    const raw = express.raw({ type: () => true, limit: BODY_BYTES, inflate: false });
    app
      .route('/v1/detokenize')
      .post(async (req, res) => {
        const account = new Account(stages.newDecisionId(), stages.clock);
        const ip = req.socket.remoteAddress?.replace(/^::ffff:/, '') ?? null;
        account.labels = stages.labels;
        account.action = ACTION;
        account.errors = 'problem';
        account.request = { client_ip: ip, method: 'POST', path: '/v1/detokenize', route: DETOKENIZE };
        try {
          await answer(req, res, account, stages, reverse, () => bodyOf(raw, req, res));
        } catch (error) {
          await refuse(asProxied(req, ip), replyOf(res), account, stages, error);
        }
      })
      .all((_req, res) => {
        res
          .status(405)
          .set('Allow', 'POST')
          .type('application/problem+json')
          .send({ title: 'Use POST', status: 405 });
      });
  };

async function answer(
  req: Request,
  res: Response,
  account: Account,
  stages: Stages,
  reverse: Reverse,
  read: () => Promise<unknown>,
): Promise<void> {
  stages.log.check();
  const ip = account.request?.client_ip ?? null;
  const caller = await stages.identity.authenticate(req.headers, { ip });
  account.subject = caller.subject;
  account.spent('identity');

  const asked = askedOf(await read());
  account.resource = { type: asked.resource, properties: {} };
  const snapshot = stages.policy.current();
  account.policy = { bundle: snapshot.bundle, revision: snapshot.revision };
  const use = stages.purposeOf({
    headers: req.headers,
    subject: caller.subject,
    claims: caller.claims,
    purpose: caller.purpose,
    route: { purpose: null },
    known: stages.knownOf(snapshot),
  });
  account.meant(use);
  const origin = { recipient: asked.recipient ?? use.recipient, purpose: asked.purpose ?? use.purpose };
  if (use.recipient !== 'internal' && origin.recipient !== use.recipient)
    throw new SluiceError(
      'recipient_unknown',
      'A caller from outside can only turn back tokens that were made for itself.',
    );

  const grants = stages.grants ? await stages.grants.active(caller.subject, new Date(account.timestamp)) : [];
  const input = account.question(
    {
      name: ACTION,
      properties: { body_fields: [], made_for: origin, query_fields: [asked.field] },
    },
    grants,
  );
  const decision = snapshot.decide(input);
  account.decided(decision);
  if (!decision.allow) throw denied(decision.reasons, decision.obligations.step_up ?? null);
  if ((decision.obligations.max_records ?? 1) < 1 || (decision.obligations.min_group_size ?? 1) > 1)
    throw new SluiceError(
      'group_size_unmet',
      'The policy discloses groups here, or nothing at all; a single value is neither.',
    );
  const entry = fieldOf(snapshot.catalogs.get(asked.resource), asked);
  await seen(stages, account, snapshot, inTier(input, account.tier));
  madeFor(origin, stages.knownOf(snapshot));
  account.spent('policy');

  const { value, key } = turnedBack(asked, origin, entry.tokenize, reverse);
  account.labels = { ...account.labels, token_key: key };
  const body = Buffer.from(`${JSON.stringify({ value, key_id: key, decision_id: account.id })}\n`);
  await record(
    account.record('allowed', 200, body.byteLength, {
      records: 1,
      records_withheld: 0,
      released: [asked.field],
      withheld: [],
      by_class: { [classOf(entry)]: { [ACTION]: 1 } },
      data_subjects: [],
    }),
    stages,
  );
  replyOf(res).send(
    200,
    {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'private, no-store',
      'sluice-decision-id': account.id,
    },
    [body],
  );
}

/**
 * A token says nothing of whom it was made for, and any other audience gives some other value: one that no token can have been made for is
 * refused at least.
 * @throws SluiceError `token_not_reversible`
 */
function madeFor(
  { recipient, purpose }: { recipient: string; purpose: string },
  known: ReturnType<Stages['knownOf']>,
): void {
  if (recipient !== 'internal' && !known.recipients.has(recipient))
    throw irreversible('No token was made for this recipient: the policy does not know it (data.partners).');
  if (!known.purposes.has(purpose))
    throw irreversible('No token was made for this purpose: the policy does not know it (data.purposes).');
}

/** @throws SluiceError `token_not_reversible`, `treatment_key_unknown` where there is no key at all */
function turnedBack(
  asked: Question,
  origin: Pick<TokenOrigin, 'recipient' | 'purpose'>,
  parameters: FieldEntry['tokenize'],
  reverse: Reverse,
): ReturnType<Reverse> {
  if (parameters === undefined)
    throw irreversible(
      'The catalog does not say that this field has tokens that can be turned back. Add `tokenize: {}` to its line if it has.',
    );
  const keyId = asked.key_id === undefined ? {} : { keyId: asked.key_id };
  try {
    return reverse(asked.token, { ...origin, ...keyId, parameters });
  } catch (error) {
    if (asked.key_id === undefined || !isSluiceError(error, 'treatment_key_unknown')) throw error;
    throw irreversible('No key for tokenize has the id that key_id names, or it has not begun yet.');
  }
}

const irreversible = (message: string): SluiceError => new SluiceError('token_not_reversible', message);

/** @throws SluiceError `policy_denied` for a field that this caller would not be shown as it is */
async function seen(
  stages: Stages,
  account: Account,
  snapshot: PolicySnapshot,
  input: PolicyInput,
): Promise<void> {
  try {
    await stages.guard.query(snapshot, input, null);
  } catch (error) {
    if (!isSluiceError(error, 'query_field_withheld')) throw error;
    account.reasons = [
      { code: 'field_withheld', message: 'The caller may not see this field undisguised.' },
      ...account.reasons,
    ];
    throw new SluiceError('policy_denied', {
      message:
        'The policy does not let this caller see the field undisguised, so no token of it is turned back.',
      paths: input.action.properties.query_fields,
    });
  }
}

interface Question {
  readonly token: string;
  readonly resource: string;
  readonly field: string;
  readonly recipient?: string;
  readonly purpose?: string;
  readonly key_id?: string;
}

const REQUIRED = ['token', 'resource', 'field'] as const;
const MEMBERS: ReadonlySet<string> = new Set([...REQUIRED, 'recipient', 'purpose', 'key_id']);

function askedOf(body: unknown): Question {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw unreadable('The body is not a JSON object.');
  for (const name of REQUIRED) if (!Object.hasOwn(body, name)) throw unreadable(`The body lacks "${name}".`);
  for (const [name, value] of Object.entries(body)) {
    // The name itself is the caller's: it may be a value that landed in the wrong place.
    if (!MEMBERS.has(name))
      throw unreadable(`The body has a member that is none of ${[...MEMBERS].join(', ')}.`);
    if (typeof value !== 'string' || value === '' || value.length > 1_024)
      throw unreadable(`"${name}" is not a text of 1 to 1024 characters.`);
  }
  return body as Question;
}

function fieldOf(catalog: Catalog | undefined, { resource, field }: Question): FieldEntry {
  const entry = catalog && Object.hasOwn(catalog.fields, field) ? catalog.fields[field] : undefined;
  if (entry === undefined)
    throw new SluiceError(
      'catalog_unknown',
      'The catalog of this resource has no such field. Name it as the catalog does, e.g. /contacts/*/phone.',
    );
  if ('resource' in entry)
    throw new SluiceError(
      'catalog_unknown',
      `This field holds another resource: ask for "${entry.resource}" and its field instead of "${resource}".`,
    );
  return entry;
}

async function bodyOf(raw: ReturnType<typeof express.raw>, req: Request, res: Response): Promise<unknown> {
  if (!/^application\/json\s*(;|$)/i.test(req.headers['content-type'] ?? ''))
    throw unreadable('The body is wanted as application/json.');
  await new Promise<void>((resolve, reject) => {
    raw(req, res, (error?: unknown) => (error ? reject(asOurs(error)) : resolve()));
  });
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(req.body as Uint8Array)) as unknown;
  } catch {
    throw unreadable('The body is not JSON in UTF-8.');
  }
}

function asOurs(error: unknown): SluiceError {
  const { type } = error as { type?: string };
  if (type === 'entity.too.large')
    return new SluiceError('body_too_large', `The body is larger than ${BODY_BYTES} bytes.`);
  if (type === 'encoding.unsupported')
    return new SluiceError('body_encoding_unsupported', 'The body is compressed. Send it as it is.');
  return new SluiceError('request_aborted', {
    message: 'The body could not be read to its end.',
    cause: error,
  });
}

const unreadable = (message: string): SluiceError => new SluiceError('body_unreadable', message);

/** What a refusal asks of a request: whether an unread body may still stand on the connection. */
const asProxied = (req: Request, ip: string | null): ProxyRequest => ({
  method: req.method,
  target: req.url,
  version: req.httpVersion,
  headers: req.headers,
  rawHeaders: req.rawHeaders,
  peer: { ip },
  hasBody: !req.complete,
  read: () => Promise.reject(unreadable('The body has been read.')),
  onAbort: () => undefined,
});

const replyOf = (res: Response): Reply => ({
  get started() {
    return res.headersSent;
  },
  send(status, headers, chunks) {
    res.writeHead(status, headers);
    for (const chunk of chunks) res.write(chunk);
    res.end();
  },
  start(status, headers) {
    res.writeHead(status, headers);
  },
  async write(chunks) {
    for (const chunk of chunks) res.write(chunk);
  },
  end() {
    res.end();
  },
  abort() {
    res.destroy();
  },
});
