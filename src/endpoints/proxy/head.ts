/**
 * Checks of a request's head, on the raw header list, which still has duplicates and odd spellings (RFC 9110 §7.2 Host). The fields that
 * frame a body are checked before, on the bytes (`framing.ts`).
 */
import { SluiceError } from '../../errors.ts';

/** Allowed once: of two, different recipients may use different ones. */
const SINGLE_NAMES = [
  'host',
  'content-type',
  'content-encoding',
  'authorization',
  'expect',
  'soapaction',
  'sluice-purpose',
  'sluice-recipient',
  'sluice-tier',
  'sluice-justification',
  'sluice-grant',
  'sluice-assertion',
  'sluice-case',
  'sluice-code',
];
/** a bit for each name: the names seen in one request are a number */
const SINGLE: ReadonlyMap<string, number> = new Map(SINGLE_NAMES.map((name, i) => [name, 1 << i]));
const HOST = SINGLE.get('host')!;

export interface Head {
  readonly rawHeaders: readonly string[];
  /** `1.0` or `1.1` */
  readonly version: string;
}

export type CheckHead = (head: Head) => void;

/**
 * @param count header fields at most (limits.header_count)
 * @returns a function that throws SluiceError `host_ambiguous`, `request_malformed`, `body_encoding_unsupported`
 */
export const createCheckHead =
  (count: number): CheckHead =>
  ({ rawHeaders, version }) => {
    if (version !== '1.1' && version !== '1.0') throw malformed('is neither of HTTP/1.1 nor of HTTP/1.0');
    if (rawHeaders.length > count * 2)
      throw malformed(`has more than ${count} header fields (limits.header_count)`);
    let seen = 0;
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = (rawHeaders[i] ?? '').toLowerCase();
      const bit = SINGLE.get(name);
      if (bit === undefined) continue;
      if ((seen & bit) !== 0)
        throw name === 'host'
          ? new SluiceError('host_ambiguous', 'The request has more than one Host header.')
          : malformed(`has more than one ${name} header`);
      seen |= bit;
      checkValue(name, rawHeaders[i + 1] ?? '');
    }
    if ((seen & HOST) === 0 && version !== '1.0')
      throw new SluiceError('host_ambiguous', 'The request has no Host header.');
  };

function checkValue(name: string, value: string): void {
  switch (name) {
    case 'host':
      if (!/^(?:[\w.-]+|\[[\d:a-f.]+\])(?::\d{1,5})?$/i.test(value))
        throw new SluiceError('host_ambiguous', 'The Host header does not name one host.');
      return;
    case 'content-encoding':
      // a route says which of them it accepts
      if (!/^(?:identity|(?:x-)?gzip|deflate|br)$/i.test(value))
        throw new SluiceError(
          'body_encoding_unsupported',
          'The request has a Content-Encoding that is not supported: send its body without.',
        );
      return;
    case 'expect':
      if (value.toLowerCase() !== '100-continue')
        throw malformed('expects something other than 100-continue');
  }
}

const malformed = (what: string): SluiceError => new SluiceError('request_malformed', `The request ${what}.`);
