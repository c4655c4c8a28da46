/**
 * SCIM 2.0 (RFC 7644) on the admin listener: an identity provider that deactivates a user takes away their access, at once and everywhere. It asks for the
 * same operations as the admin API (`subjects.*`), and `sluice/admin` permits them.
 */
import type { Express, Request, Response } from 'express';
import { callRecorder } from '../../changes/recorder.ts';
import type { RevocationChanges } from '../../changes/revocations.ts';
import { SluiceError } from '../../errors.ts';
import type { Reply } from '../../model/exchange.ts';
import type { OperationName } from '../../model/operations.ts';
import { inRealm } from '../../model/realm.ts';
import { asSeen } from '../../model/spelling.ts';
import { type AdminTarget, administer } from '../../pipeline/administer.ts';
import { type FailureLimit, handle } from '../../pipeline/handle.ts';
import { type DecisionEntry, openEntry } from '../../pipeline/record.ts';
import { release } from '../../pipeline/release.ts';
import type { Stages } from '../../pipeline/stages.ts';
import { clientIpOf, jsonReader, peerOf, refusableOf, replyOf, withProblems } from '../express.ts';
import {
  activeOf,
  ERROR,
  filteredId,
  idOf,
  LIST,
  patchedActive,
  requireSameId,
  RESOURCE_TYPES,
  SCHEMAS,
  SERVICE_PROVIDER_CONFIG,
  type SubjectAttribute,
  userOf,
} from './user.ts';

export interface Scim {
  readonly revocations: RevocationChanges;
  readonly subject: SubjectAttribute;
  /** of its users; absent: callers have none */
  readonly realm?: string;
  /** request header of API keys; null: none are configured */
  readonly apiKeyHeader: string | null;
  readonly now: () => Date;
}

const TYPE = 'application/scim+json';
const BODY_BYTES = 65_536;
const LONGEST_ID = 512;
const readJson = jsonReader(BODY_BYTES, /^application\/(?:scim\+)?json\s*(;|$)/i);

type Revocation = Awaited<ReturnType<RevocationChanges['ofSubject']>>[number];

interface Wanted {
  readonly id: string;
  /** null: nothing is to change */
  readonly active: boolean | null;
  /** of the answer */
  readonly status: 200 | 201 | 204;
  readonly isList: boolean;
}

interface Target extends AdminTarget {
  readonly wanted: Wanted | null;
  /** `subject.id` */
  readonly name: string;
  readonly current: readonly Revocation[];
}

export const provisioning =
  (stages: Stages, scim: Scim, limit: FailureLimit) =>
  (app: Express): void => {
    const published = (path: string, document: object): void =>
      void app.get(`/scim/v2/${path}`, (_req, res) => void res.type(TYPE).send(JSON.stringify(document)));
    published('ServiceProviderConfig', SERVICE_PROVIDER_CONFIG);
    published('ResourceTypes', RESOURCE_TYPES);
    published('Schemas', SCHEMAS);
    app.use('/scim/v2', async (req, res) => {
      const { method } = req;
      const entry = openEntry(
        stages,
        { client_ip: clientIpOf(req), method, path: null, route: null },
        req.headers,
      );
      entry.kind = 'admin';
      entry.errorFormat = 'problem';
      const reply = inScim(replyOf(res));
      const served = () => serve(req, res, reply, entry, stages, scim);
      await handle(refusableOf(req), reply, entry, stages, served, limit);
    });
  };

async function serve(
  req: Request,
  res: Response,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
  scim: Scim,
): Promise<void> {
  const { target, caller } = await administer<Target>(
    {
      headers: withKey(req.headers, scim.apiKeyHeader),
      peer: peerOf(req),
      target: () => targetOf(req, res, entry, scim),
    },
    entry,
    stages,
  );
  const { wanted, name, current, operation } = target;
  if (wanted === null) return answer(200, listOf([]), reply, entry, stages);
  const { id, status, isList } = wanted;
  // Told to those alone who may give access back.
  const isForeign = (r: Revocation): boolean => r.revoked_by !== caller.subject.id || r.name !== asSeen(name);
  if (operation === 'subjects.restore' && current.some(isForeign))
    throw new SluiceError(
      'revocation_foreign',
      'Somebody else has taken away the access of this user (sluice subject list): only they, or an administrator, give it back.',
    );
  const recorder = callRecorder(entry, caller.subject, status, stages);
  let active = current.length === 0;
  if (operation === 'subjects.revoke') {
    await scim.revocations.revoke({ kind: 'subject', name }, {}, 'deactivated by SCIM', recorder);
    active = false;
  } else if (operation === 'subjects.restore') {
    await scim.revocations.restoreOwn({ kind: 'subject', name }, 'activated by SCIM', recorder);
    active = true;
  }
  const user = userOf(id, active);
  const body = status === 204 ? null : isList ? listOf([user]) : user;
  if (!recorder.isRecorded) return answer(status, body, reply, entry, stages);
  await reply.send(status, headersOf(entry), body === null ? [] : [textOf(body)]);
}

/** @throws SluiceError `route_unknown`, `method_not_allowed`, `input_invalid` */
async function targetOf(req: Request, res: Response, entry: DecisionEntry, scim: Scim): Promise<Target> {
  const wanted = await wantedOf(req, res, entry, scim);
  if (wanted === null)
    return {
      wanted,
      name: '',
      current: [],
      operation: 'subjects.list',
      resource: { type: 'subjects', properties: {} },
    };
  const { id, active } = wanted;
  const at = scim.now().getTime();
  const name = inRealm(scim.realm, id);
  const current = (await scim.revocations.ofSubject(name)).filter((r) => isWhole(r) && isInForce(r, at));
  const operation: OperationName =
    active === false && !current.some(({ ends_at }) => ends_at === null)
      ? 'subjects.revoke'
      : active === true && current.length > 0
        ? 'subjects.restore'
        : 'subjects.list';
  return { wanted, name, current, operation, resource: { type: 'subjects', properties: {} } };
}

/** Of all credentials, whoever issued them and when. */
const isWhole = ({ issuer, issued_before }: Revocation): boolean => issuer === null && issued_before === null;

const isInForce = ({ restored_at, starts_at, ends_at }: Revocation, at: number): boolean =>
  restored_at === null && (starts_at ?? at) <= at && (ends_at ?? Infinity) > at;

/** @returns null: a list in which nobody is found */
async function wantedOf(
  req: Request,
  res: Response,
  entry: DecisionEntry,
  { subject: attribute }: Scim,
): Promise<Wanted | null> {
  const { method } = req;
  const [path = '', query = ''] = req.originalUrl.split('?', 2);
  const [, id] = /^\/scim\/v2\/Users(?:\/([^/]+))?\/?$/.exec(path) ?? [null, null];
  if (id === null)
    throw new SluiceError(
      'route_unknown',
      'SCIM has /Users, /ServiceProviderConfig, /ResourceTypes and /Schemas here.',
    );
  const route = id === undefined ? '/scim/v2/Users' : '/scim/v2/Users/{id}';
  entry.request = {
    client_ip: entry.request?.client_ip ?? null,
    method,
    path: route,
    route: `${method} ${route}`,
  };
  if (id === undefined) {
    if (method === 'GET') {
      const [filter, ...others] = new URLSearchParams(query).getAll('filter');
      if (filter === undefined || others.length > 0)
        throw new SluiceError(
          'input_invalid',
          `Sluice keeps no list of users: look one up by one filter=${attribute} eq "…".`,
        );
      const found = filteredId(filter, attribute);
      return found === null ? null : { id: checkedId(found), active: null, status: 200, isList: true };
    }
    if (method !== 'POST') throw notAllowed('GET, POST');
    const body = await readJson(req, res);
    return {
      id: checkedId(idOf(body, attribute)),
      active: activeOf(body) ?? true,
      status: 201,
      isList: false,
    };
  }
  const one = { id: checkedId(decoded(id)), isList: false };
  switch (method) {
    case 'GET':
      return { ...one, active: null, status: 200 };
    case 'DELETE':
      return { ...one, active: false, status: 204 };
    case 'PUT': {
      const body = await readJson(req, res);
      const active = activeOf(body);
      requireSameId(body, attribute, one.id, active);
      return { ...one, active, status: 200 };
    }
    case 'PATCH':
      return { ...one, active: patchedActive(await readJson(req, res), attribute, one.id), status: 200 };
    default:
      throw notAllowed('GET, PUT, PATCH, DELETE');
  }
}

const notAllowed = (allow: string): SluiceError =>
  new SluiceError('method_not_allowed', { message: `This path has ${allow}.`, headers: { allow } });

function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    throw new SluiceError(
      'path_not_canonical',
      'The path has a percent sign that does not begin a character of UTF-8.',
    );
  }
}

/** What no database keeps as it is, or what names nobody. */
function checkedId(id: string): string {
  if (id.trim() === '' || id.length > LONGEST_ID || id.includes('\0') || !id.isWellFormed())
    throw new SluiceError('input_invalid', `The id of a user is a text of 1 to ${LONGEST_ID} characters.`);
  return id;
}

/** Clients of SCIM send one secret as a bearer token: one that is no JWT is an API key. */
function withKey(headers: Request['headers'], header: string | null): Request['headers'] {
  const [, key] = /^bearer +([^ .]+)$/i.exec(headers.authorization ?? '') ?? [];
  // Beside a key in its own header, both are left to be refused.
  if (header === null || key === undefined || headers[header.toLowerCase()] !== undefined) return headers;
  const { authorization: _, ...rest } = headers;
  return { ...rest, [header.toLowerCase()]: key };
}

const listOf = (users: readonly object[]): object => ({
  schemas: [LIST],
  totalResults: users.length,
  startIndex: 1,
  itemsPerPage: users.length,
  Resources: users,
});

const textOf = (body: object): Buffer => Buffer.from(`${JSON.stringify(body)}\n`);

const headersOf = ({ id }: DecisionEntry): Record<string, string> => ({
  'content-type': `${TYPE}; charset=utf-8`,
  'cache-control': 'private, no-store',
  'x-content-type-options': 'nosniff',
  'sluice-decision-id': id,
});

const answer = (
  status: number,
  body: object | null,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
): Promise<void> =>
  release(
    { status, headers: headersOf(entry), body: body === null ? null : textOf(body) },
    null,
    reply,
    entry,
    stages,
  );

/** A refusal as SCIM has it (RFC 7644 §3.12), with the members of a problem beside. */
const inScim = (reply: Reply): Reply =>
  withProblems(reply, (status, { detail, code, decision_id, reasons }) => ({
    status,
    type: TYPE,
    body: {
      schemas: [ERROR],
      status: String(status),
      ...(status === 400 ? { scimType: 'invalidValue' } : {}),
      detail,
      code,
      decision_id,
      reasons,
    },
  }));
