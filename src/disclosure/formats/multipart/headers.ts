/** Parses the headers of one part of a multipart form strictly: a name that readers could interpret differently is refused. */
import { SluiceError } from '../../../errors.ts';

export interface PartHeaders {
  readonly name: string;
  /** the range of the parameter `; filename="…"`; `raw`: its bytes as Latin-1 characters */
  readonly filename: { readonly start: number; readonly end: number; readonly raw: string } | null;
  readonly charset: string | null;
  /** lines that are kept, line ends included */
  readonly kept: readonly { readonly start: number; readonly end: number }[];
}

const LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/s;
const DISPOSITION =
  /^form-data((?:[ \t]*;[ \t]*[a-z]+=(?:"[^"\\\r\n\0]*"|[!#$%&'*+.^_`|~0-9A-Za-z-]+))*)[ \t]*$/i;
const PARAMETER = /[ \t]*;[ \t]*([a-z]+)=(?:"([^"]*)"|([^ \t;"]+))/gi;
const PLAIN_TYPE =
  /^([!#$&^_.+0-9a-z-]+\/[!#$&^_.+0-9a-z-]+)(?:[ \t]*;[ \t]*charset="?([0-9a-z_.:-]+)"?)?[ \t]*$/i;

/** @param end of the last header's text. @throws SluiceError `response_malformed` */
export function parseHeaders(body: Buffer, start: number, end: number): PartHeaders {
  let found: { name: string; filename: PartHeaders['filename'] } | null = null;
  let charset: string | null = null;
  const seen = new Set<string>();
  const kept: { start: number; end: number }[] = [];
  for (let at = start; at < end; ) {
    const crlf = body.indexOf('\r\n', at, 'latin1');
    const stop = crlf < 0 || crlf > end ? end : crlf;
    const [, header = '', value = ''] = LINE.exec(body.toString('latin1', at, stop)) ?? [];
    const key = header.toLowerCase();
    if (key === '' || /[\r\n\0]/.test(value)) throw malformed('has an invalid or folded header');
    if (seen.has(key)) throw malformed('has a duplicate header');
    seen.add(key);
    const line = { start: at, end: stop + 2 };
    if (key === 'content-disposition') {
      found = disposition(value, stop - value.length);
      kept.push(line);
    } else if (key === 'content-type') {
      const [, type = '', named] = PLAIN_TYPE.exec(value) ?? [];
      if (/^\s*(multipart|message)\//i.test(value))
        throw malformed('contains another multipart, which is not supported');
      charset = named ?? null;
      if (type !== '') kept.push(line);
    } else if (key === 'content-transfer-encoding' && !/^(7bit|8bit|binary)[ \t]*$/i.test(value))
      throw malformed('has a Content-Transfer-Encoding (RFC 7578 §4.7 has none)');
    at = stop + 2;
  }
  if (found === null) throw malformed('has no Content-Disposition with a name');
  return { ...found, charset, kept };
}

function disposition(value: string, at: number): { name: string; filename: PartHeaders['filename'] } {
  const parameters = DISPOSITION.exec(value)?.[1];
  // readers differ in whether a backslash is an escape; `name*` (RFC 5987) is not allowed in forms
  if (parameters === undefined)
    throw malformed('has a Content-Disposition that readers interpret differently');
  const offset = at + 'form-data'.length;
  const found = new Map<string, { start: number; end: number; raw: string }>();
  for (const m of parameters.matchAll(PARAMETER)) {
    const key = m[1]!.toLowerCase();
    if (found.has(key) || (key !== 'name' && key !== 'filename'))
      throw malformed('has a Content-Disposition with a duplicate or unknown parameter');
    found.set(key, { start: offset + m.index, end: offset + m.index + m[0].length, raw: m[2] ?? m[3] ?? '' });
  }
  const raw = found.get('name')?.raw;
  if (raw === undefined) throw malformed('has no Content-Disposition with a name');
  const name = Buffer.from(raw, 'latin1').toString('utf8');
  if (name === '_charset_')
    throw malformed('states the charset of the other parts (RFC 7578 §4.6), which is not supported');
  return { name, filename: found.get('filename') ?? null };
}

const malformed = (what: string): SluiceError =>
  new SluiceError('response_malformed', `A part of the multipart form ${what}.`);
