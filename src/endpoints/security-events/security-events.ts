/**
 * `POST /v1/security-events` on the admin listener: a receiver of Security Event Tokens by push (RFC 8935). Its callers need no other credential: each
 * token is signed by a transmitter that is configured. What it revokes is on record, and in force everywhere, before it is acknowledged.
 */
import type { Express, Request, Response } from 'express';
import type { Recorder } from '../../changes/change.ts';
import { callRecorder } from '../../changes/recorder.ts';
import type { RevocationChanges } from '../../changes/revocations.ts';
import { type ErrorCode, SluiceError } from '../../errors.ts';
import type { Reply } from '../../model/exchange.ts';
import { namelessIn, type Subject } from '../../model/input.ts';
import type { SecurityEvent, SecurityEvents } from '../../model/security-event.ts';
import { type FailureLimit, handle } from '../../pipeline/handle.ts';
import { type DecisionEntry, openEntry } from '../../pipeline/record.ts';
import { release } from '../../pipeline/release.ts';
import type { Stages } from '../../pipeline/stages.ts';
import { bytesReader, clientIpOf, refusableOf, replyOf, withProblems } from '../express.ts';

const PATH = '/v1/security-events';
const BODY_BYTES = 65_536;

export interface SecurityEventParts {
  readonly events: SecurityEvents;
  readonly revocations: RevocationChanges;
}

export const receivingEvents =
  (stages: Stages, parts: SecurityEventParts, limit: FailureLimit) =>
  (app: Express): void => {
    app.post(PATH, async (req, res) => {
      const entry = openEntry(
        stages,
        { client_ip: clientIpOf(req), method: 'POST', path: PATH, route: `POST ${PATH}` },
        req.headers,
      );
      entry.kind = 'admin';
      entry.action = 'subjects.revoke';
      entry.errorFormat = 'problem';
      const reply = asRfc8935(replyOf(res));
      const received = () => receive(req, res, reply, entry, stages, parts);
      await handle(refusableOf(req), reply, entry, stages, received, limit);
    });
  };

async function receive(
  req: Request,
  res: Response,
  reply: Reply,
  entry: DecisionEntry,
  stages: Stages,
  { events, revocations }: SecurityEventParts,
): Promise<void> {
  const event = await events.verify(await tokenOf(req, res));
  const subject = transmitterOf(event.transmitter);
  entry.subject = subject;
  entry.labels = { ...entry.labels, security_event: event.id };
  const recorder = callRecorder(entry, subject, 202, stages);
  if (event.revokes !== null && (await revoke(event, event.revokes, revocations, recorder)))
    return void (await reply.send(202, headersOf(entry), []));
  entry.reasons = [
    {
      code: 'event_without_effect',
      message: `The event ${event.type} takes no access away, or was received before.`,
    },
  ];
  await release({ status: 202, headers: headersOf(entry), body: null }, null, reply, entry, stages);
}

/** @returns false: it was received before */
async function revoke(
  { id, type }: SecurityEvent,
  { subject, issuer, issued_before }: NonNullable<SecurityEvent['revokes']>,
  revocations: RevocationChanges,
  recorder: Recorder,
): Promise<boolean> {
  const reason = `${type}, security event ${id}`;
  const known = await revocations.ofSubject(subject);
  if (known.some((r) => r.reason === reason && r.revoked_by === recorder.by)) return false;
  const terms = { issuer, ...(issued_before === null ? {} : { issued_before }) };
  await revocations.revoke({ kind: 'subject', name: subject }, terms, reason, recorder);
  return true;
}

const transmitterOf = (issuer: string): Subject => ({
  type: 'service',
  id: issuer,
  properties: namelessIn('internal'),
});

const readBytes = bytesReader(BODY_BYTES);

async function tokenOf(req: Request, res: Response): Promise<string> {
  if (!/^application\/secevent\+jwt\s*(;|$)/i.test(req.headers['content-type'] ?? ''))
    throw new SluiceError('body_unreadable', 'A security event is sent as application/secevent+jwt.');
  return Buffer.from(await readBytes(req, res))
    .toString('latin1')
    .trim();
}

const headersOf = ({ id }: DecisionEntry): Record<string, string> => ({
  'cache-control': 'no-store',
  'content-length': '0',
  'sluice-decision-id': id,
});

/** RFC 8935 §2.4 */
const CODES: { readonly [code in ErrorCode]?: string } = {
  token_issuer_unknown: 'invalid_issuer',
  token_audience_mismatch: 'invalid_audience',
  token_signature_invalid: 'invalid_key',
  token_key_unknown: 'invalid_key',
  token_algorithm_not_allowed: 'invalid_key',
};

/** Refusals as RFC 8935 §2.3 has them: 400 with `err`; other failures, after which the transmitter tries again, keep their status. */
const asRfc8935 = (reply: Reply): Reply =>
  withProblems(reply, (status, { code, detail }) =>
    status >= 500 || status === 429
      ? null
      : {
          status: 400,
          type: 'application/json',
          body: { err: CODES[code as ErrorCode] ?? 'invalid_request', description: detail },
        },
  );
