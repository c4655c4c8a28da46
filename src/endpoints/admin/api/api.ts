/**
 * The admin API: what can be looked at and changed of consents, grants, reviews, access and API keys. Every call is authenticated and
 * permitted in one place (`administer`), and is on record before its answer leaves; a change also before it is in force.
 */
import type { Express, Request, Response } from 'express';
import { SCHEMA_PATH } from '../../../changes/access-requests.ts';
import { callRecorder } from '../../../changes/recorder.ts';
import { schemaFile } from '../../../documents/json-schema.ts';
import { isSluiceError } from '../../../errors.ts';
import type { Reply } from '../../../model/exchange.ts';
import type { Begun, Idempotency } from '../../../model/idempotency.ts';
import { isChange } from '../../../model/operations.ts';
import type { Logger } from '../../../observability/logger.ts';
import { type AdminTarget, type Administered, administer } from '../../../pipeline/administer.ts';
import { type FailureLimit, handle } from '../../../pipeline/handle.ts';
import { type DecisionEntry, openEntry } from '../../../pipeline/record.ts';
import { release } from '../../../pipeline/release.ts';
import type { Stages } from '../../../pipeline/stages.ts';
import { clientIpOf, peerOf, refusableOf, replyOf } from '../../express.ts';
import { accessRequestSchema } from './access-requests.ts';
import { openApi } from './openapi.ts';
import type { AdminServices, Asked, Done, Operation } from './operation.ts';
import { ADMIN_OPERATIONS } from './operations.ts';
import { bodyOf, find, idempotencyKeyOf, queryOf } from './request.ts';

export interface AdminApi {
  readonly services: AdminServices;
  readonly idempotency: Idempotency;
  readonly logger: Logger;
}

interface Target extends AdminTarget {
  readonly described: Operation;
  readonly asked: Asked;
  readonly key: string | null;
}

export const administering =
  (stages: Stages, api: AdminApi, limit: FailureLimit) =>
  (app: Express): void => {
    app.get('/openapi.json', (_req, res) => void res.json(openApi()));
    app.get(SCHEMA_PATH, (_req, res) => void res.json(schemaFile(accessRequestSchema)));
    app.use('/v1', async (req, res) => {
      const { method } = req;
      const reply = replyOf(res);
      const entry = openEntry(
        stages,
        { client_ip: clientIpOf(req), method, path: null, route: null },
        req.headers,
      );
      entry.kind = 'admin';
      entry.errorFormat = 'problem';
      const serve = async (): Promise<void> => {
        const administered = await administer(
          {
            headers: req.headers,
            peer: peerOf(req),
            target: ({ subject }) => targetOf(req, res, subject, entry, api),
          },
          entry,
          stages,
        );
        await carryOut(administered, reply, entry, stages, api);
      };
      await handle(refusableOf(req), reply, entry, stages, serve, limit);
    });
  };

async function targetOf(
  req: Request,
  res: Response,
  caller: Asked['caller'],
  entry: DecisionEntry,
  { services }: AdminApi,
): Promise<Target> {
  const { operation: described, path } = find(ADMIN_OPERATIONS, req.method, req.originalUrl);
  const { name, method, id } = described;
  entry.request = {
    client_ip: entry.request?.client_ip ?? null,
    method,
    path: described.path,
    route: `${method} ${described.path}`,
  };
  // Also of a call that is denied: whoever looks at a grant later finds it.
  if (name.startsWith('grants.') && id !== undefined) entry.grantId = path[id]!;
  const key = isChange(name) ? idempotencyKeyOf(req) : null;
  const query = queryOf(described, req.originalUrl);
  const body = await bodyOf(described, req, res);
  const asked: Asked = { path, query, body, caller, services };
  const labels = described.labels?.(asked);
  if (labels !== undefined) entry.labels = { ...entry.labels, ...labels };
  const holder = await described.holder?.(asked);
  const recipient = await described.recipient?.(asked);
  const gives = await described.gives?.(asked);
  // A label: the input is masked in records, and an auditor asks who could give what.
  if (gives !== undefined) entry.labels = { ...entry.labels, gives: JSON.stringify(gives) };
  const [type = ''] = name.split('.');
  return {
    described,
    asked,
    key,
    operation: name,
    resource: {
      ...(id === undefined ? {} : { id: path[id]! }),
      properties: {
        ...(gives === undefined ? {} : { gives }),
        ...(holder === undefined ? {} : { holder }),
        ...(recipient === undefined ? {} : { recipient }),
      },
      type,
    },
  };
}

async function carryOut(
  { target, caller, snapshot }: Administered<Target>,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
  { idempotency, logger }: AdminApi,
): Promise<void> {
  const { described, asked, key } = target;
  const status = described.status ?? 200;
  const recorder = callRecorder(entry, caller.subject, status, stages);
  const begun =
    key === null
      ? null
      : await idempotency.begin({
          caller: JSON.stringify([caller.issuer, caller.subject.type, caller.subject.id]),
          key,
          parts: [
            described.path,
            ...[asked.path, asked.query, asked.body].map((part) => JSON.stringify(part)),
          ],
          decision_id: entry.id,
        });
  if (begun !== null && 'replay' in begun) {
    entry.reasons = [...entry.reasons, { code: 'idempotent_replay' }];
    const headers = { ...headersOf(entry), 'idempotency-replayed': 'true' };
    const { replay } = begun;
    await release(
      { status: replay.status, headers, body: Buffer.from(replay.body) },
      null,
      reply,
      entry,
      stages,
    );
    return;
  }
  let done: Done;
  try {
    done = await described.run({
      ...asked,
      snapshot,
      recorder,
      label: (labels) => {
        entry.labels = { ...entry.labels, ...labels };
      },
    });
  } catch (error) {
    // What is on record may have been carried out: only then is the key not free again.
    if (begun !== null && !recorder.isRecorded) await freed(begun, entry, logger);
    throw error;
  }
  const answered = done.status ?? status;
  if (begun !== null) await kept(begun, answered, done, entry, logger);
  const body = bytesOf(done.body);
  const headers = { ...headersOf(entry), ...done.headers };
  if (recorder.isRecorded) {
    await reply.send(answered, headers, [body]);
    return;
  }
  await release({ status: answered, headers, body }, done.disclosure ?? null, reply, entry, stages);
}

/** The change is in force, whatever becomes of its answer: a repetition is refused where it could not be kept. */
async function kept(
  begun: Begun,
  status: number,
  done: Done,
  entry: DecisionEntry,
  logger: Logger,
): Promise<void> {
  try {
    await begun.answered({ status, body: textOf(done.kept ?? done.body) });
  } catch (err) {
    logger.warn({ err, decision_id: entry.id }, 'an answer could not be kept for a repetition of its call');
  }
}

async function freed(begun: Begun, entry: DecisionEntry, logger: Logger): Promise<void> {
  try {
    await begun.forget();
  } catch (err) {
    if (!isSluiceError(err)) throw err;
    logger.warn({ err, decision_id: entry.id }, 'the key of a call that failed could not be set free');
  }
}

const textOf = (body: object): string => `${JSON.stringify(body)}\n`;

const bytesOf = (body: object): Uint8Array => (body instanceof Uint8Array ? body : Buffer.from(textOf(body)));

const headersOf = ({ id }: DecisionEntry): Record<string, string> => ({
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'private, no-store',
  'x-content-type-options': 'nosniff',
  'sluice-decision-id': id,
});
