/** The request that a write sends to the upstream: its body as the guard passes it, merged with the stored record where the route says so. */
import type { DecisionEntry } from './record.ts';
import { SluiceError } from '../errors.ts';
import { statusWithheld, writeConflict } from './refusal.ts';
import type { Selected } from '../routing/index.ts';
import type { Stages } from './stages.ts';
import { isAlike } from './listing.ts';
import { asRead } from '../model/verdict.ts';
import { type Access, disclosurePlan } from './plan.ts';

export interface Write extends Access {
  /** the headers that are forwarded */
  readonly headers: Readonly<Record<string, string>>;
}

export interface WrittenRequest {
  readonly body: Uint8Array | null;
  readonly headers: Record<string, string>;
  /** the upstream is told to write only if the record has not changed since it was merged */
  readonly conditional: boolean;
}

/**
 * A write that also searches changes whatever the search finds. The fields it searches by must be shown to the caller, in the record of the
 * person whom the request names. Where it names nobody, it would also change records that are withheld.
 * @throws SluiceError `query_field_withheld`, `narrowed_write_refused`, `consent_unavailable`
 */
export async function searchedWrite(write: Access, entry: DecisionEntry, stages: Stages): Promise<void> {
  const { selected, dataSubject, snapshot, input, catalog } = write;
  await stages.guard.query(snapshot, input, dataSubject);
  if (dataSubject !== null || isAlike(catalog)) return;
  if (selected.route.config.paging?.narrowed !== 'pass')
    throw new SluiceError(
      'narrowed_write_refused',
      'The request writes whatever a search finds, and does not say whose records these are: records that are withheld would be changed, and the answer would tell that they were found. Name the record in the request, and let the route say whose it is (data_subject).',
    );
  entry.reasons = [
    ...entry.reasons,
    {
      code: 'narrowed_write',
      message: 'The request wrote whatever its search found (paging.narrowed: pass).',
    },
  ];
  stages.metrics.inferenceRisk(entry.request?.route ?? '', 'write');
  stages.logger.warn(
    { decision_id: entry.id, route: entry.request?.route, code: 'narrowed_write' },
    'a write goes to all records that a search finds, also to those that are withheld',
  );
}

/** @throws SluiceError what the guard throws; `write_precondition_missing`; what keeps the stored record from being read */
export async function writtenRequest(
  bytes: Uint8Array | null,
  write: Write,
  entry: DecisionEntry,
  stages: Stages,
): Promise<WrittenRequest> {
  const { selected, dataSubject, snapshot, input } = write;
  const { request } = selected.route.config;
  // An upstream that replaces the record would keep nothing of it.
  if (bytes === null || bytes.byteLength === 0)
    throw new SluiceError(
      'write_erases',
      'The request has no body, and the upstream replaces the record by what it is sent. Send the record; or let the route say that the upstream keeps what a body leaves out (request.replaces: false).',
    );
  const stored = selected.stored === null ? null : await storedRecord(selected.stored, write, entry, stages);
  const guarded = await stages.guard.body(snapshot, input, {
    value: selected.written,
    bytes,
    format: request.format,
    record: selected.route.written.record,
    elements: selected.route.written.elements,
    id: selected.identifier,
    dataSubject: selected.dataSubject,
    person: dataSubject,
    erases: stored === null ? selected.route.written.erases : null,
    strip: request.refused_fields === 'strip' && request.format === 'json',
    stored: stored?.record ?? null,
  });
  if (guarded.stripped.length > 0)
    entry.reasons = [
      ...entry.reasons,
      {
        code: 'body_field_stripped',
        message: `Left out of what was written: ${guarded.stripped.join(', ')}.`,
      },
    ];
  const headers = { ...write.headers };
  if (stored === null) return { body: guarded.bytes, headers, conditional: false };
  const { etag, record } = stored;
  if (guarded.filled > 0) {
    if (etag === null && record.version === null)
      throw new SluiceError(
        'write_precondition_missing',
        'The upstream gives no strong ETag for the stored record and the route names no version (request.keep_masked.version), so that a change in between would be overwritten unseen. Leave out what is masked, and for an upstream that merges what it is sent use request.refused_fields: strip.',
      );
    entry.internalReasons = [
      ...entry.internalReasons,
      { code: 'stored_value_kept', message: `${guarded.filled} values were written as they are stored.` },
    ];
  }
  const { 'if-match': some = '*', 'if-none-match': none } = headers;
  if ((some !== '*' && some !== etag) || none === '*' || (none !== undefined && none === etag))
    throw writeConflict();
  if (etag !== null) headers['if-match'] = etag;
  return { body: guarded.bytes, headers, conditional: etag !== null };
}

/** Read for the guard alone: none of it is in any answer. */
async function storedRecord(
  { target, record, replaces, version }: NonNullable<Selected['stored']>,
  write: Write,
  entry: DecisionEntry,
  stages: Stages,
) {
  const { request, selected } = write;
  const {
    'content-type': _type,
    soapaction: _action,
    'if-match': _some,
    'if-none-match': _none,
    ...asking
  } = write.headers;
  const response = await stages.upstreams.send(
    selected.route.upstream,
    { method: 'GET', target, headers: asking, body: null },
    (abort) => request.onAbort(abort),
  );
  try {
    entry.internalReasons = [...entry.internalReasons, { code: 'stored_record_read' }];
    if (response.status !== 200) throw statusWithheld(response.status);
    const media = stages.mediaOf(response.headers, { format: null, charset: null }, undefined);
    if (media.format !== 'json' || !/^(?:utf-8)?$/i.test(media.charset))
      throw new SluiceError(
        'response_format_unsupported',
        'The stored record, which is needed to keep what is masked, is not JSON in UTF-8.',
      );
    const bytes = await limited(stages.decode(response.body, media.encodings), stages.limits.request_body);
    const plan = disclosurePlan(
      write,
      asRead(write.input),
      { format: 'json', charset: 'utf-8', records: record === '' ? null : record, options: {} },
      entry,
      stages,
    );
    const shown: Uint8Array[] = [];
    let withheld = 0;
    for (const { chunks, summary } of await stages.disclosure.discloseBuffer(bytes, plan)) {
      shown.push(...chunks);
      withheld += summary.records_withheld;
    }
    const etag = response.headers['etag'];
    return {
      // a weak one matches nothing (RFC 9110 §13.1.1)
      etag: typeof etag === 'string' && /^"[\x21\x23-\x7e]*"$/.test(etag) ? etag : null,
      record: { bytes, shown: withheld > 0 ? null : Buffer.concat(shown), record, replaces, version },
    };
  } finally {
    response.body.discard();
  }
}

async function limited(body: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > most)
      throw new SluiceError(
        'response_too_large',
        'The stored record is larger than a request may be (limits.request_body).',
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
