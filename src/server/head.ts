/**
 * What the head of a request must not have, seen on the raw header list, where duplicates and odd spellings still show
 * (RFC 9112 §11.2 request smuggling; RFC 9110 §7.2 Host).
 */
import { SluiceError } from '../errors.ts';

/** At most one of each: a second one means that two readers may see two requests. */
const SINGLE = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'content-type',
  'content-encoding',
  'authorization',
  'soapaction',
  'sluice-purpose',
  'sluice-recipient',
  'sluice-tier',
  'sluice-justification',
  'sluice-grant',
]);

/** @throws SluiceError `host_ambiguous`, `request_malformed`, `body_encoding_unsupported` */
export function checkHead(rawHeaders: readonly string[], httpVersion = '1.1'): void {
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase();
    if (!SINGLE.has(name)) continue;
    if (seen.has(name))
      throw name === 'host'
        ? new SluiceError('host_ambiguous', 'The request has more than one Host header.')
        : new SluiceError('request_malformed', `The request has more than one ${name} header.`);
    seen.add(name);
    const value = rawHeaders[i + 1] ?? '';
    if (name === 'host' && (value.includes(',') || /[\s/@]/.test(value)))
      throw new SluiceError('host_ambiguous', 'The Host header does not name one host.');
    if (name === 'transfer-encoding' && value.toLowerCase() !== 'chunked')
      throw new SluiceError('request_malformed', 'Only "Transfer-Encoding: chunked" is understood.');
    if (name === 'content-encoding' && value.toLowerCase() !== 'identity')
      throw new SluiceError(
        'body_encoding_unsupported',
        'Request bodies are read as they stand: send this one without Content-Encoding.',
      );
  }
  if (seen.has('content-length') && seen.has('transfer-encoding'))
    throw new SluiceError('request_malformed', 'The request has both Content-Length and Transfer-Encoding.');
  if (!seen.has('host') && httpVersion !== '1.0')
    throw new SluiceError('host_ambiguous', 'The request has no Host header.');
}
