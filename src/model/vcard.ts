/**
 * The grammar of vCard 3.0 and 4.0 (RFC 2426, RFC 6350): one property a line; lines may be folded anywhere, even within a character. Offsets
 * refer to the body, so that unchanged parts can be copied. A function that returns a string describes a fault.
 */

export interface Property {
  /** upper case */
  readonly name: string;
  /** offsets into the body, including the line end */
  readonly start: number;
  readonly end: number;
  readonly eol: '\r\n' | '\n';
  /** the line without folds; other spans are offsets into it */
  readonly line: Buffer;
  /** offset in the body of each byte of the line, and of its end */
  readonly at: Uint32Array;
  readonly group: Group | null;
  readonly parameters: readonly Parameter[];
  /** offset of the value, after the colon */
  readonly value: number;
}

interface Group {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface Parameter {
  /** upper case */
  readonly name: string;
  readonly values: readonly string[];
  /** offset of its semicolon */
  readonly start: number;
  readonly end: number;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(bytes: Uint8Array): string | null {
  try {
    return UTF8.decode(bytes);
  } catch {
    return null;
  }
}

const CR = 0x0d;
const LF = 0x0a;
const HEAD = /^(?:([A-Za-z0-9-]+)\.)?([A-Za-z0-9-]+)(?=[;:])/;
const PARAMETER = /;(?:([A-Za-z0-9-]+)=)?((?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)(?=[;:])/y;

/** Names of the components of structured properties, in order. Later ones (RFC 9554) are numbered. */
const COMPONENTS: Readonly<Record<string, readonly string[]>> = {
  N: ['family', 'given', 'additional', 'prefix', 'suffix'],
  ADR: ['box', 'extended', 'street', 'city', 'region', 'code', 'country'],
};

/** Null: the property has a single value. */
function componentNames(property: string): ((k: number) => string) | null {
  const names = Object.hasOwn(COMPONENTS, property) ? COMPONENTS[property] : undefined;
  return names === undefined ? null : (k) => names[k] ?? String(k + 1);
}

const SYNTAX: ReadonlySet<string> = new Set(['ENCODING', 'VALUE']);
const KINDS =
  /^(?:b|base64|text|uri|date|time|date-time|date-and-or-time|timestamp|boolean|integer|float|utc-offset|language-tag|binary|phone-number|vcard)$/i;

/** A parameter that says how the value is spelled, and nothing else. */
const isSyntax = (name: string, values: readonly string[]): boolean =>
  SYNTAX.has(name) && values.every((value) => KINDS.test(value));

/** TYPE values are compared without case (RFC 6350 §5.6). */
const parameterText = (name: string, values: readonly string[]): string =>
  name === 'TYPE' ? values.join(',').toLowerCase() : values.join(',');

/** Offset after the folded line that begins at `start`, including its line end; -1: it has not arrived completely. */
export function lineEnd(bytes: Buffer, start: number, final: boolean): number {
  for (let from = start; ; ) {
    const end = bytes.indexOf(LF, from);
    if (end < 0) return final && start < bytes.length ? bytes.length : -1;
    if (end + 1 >= bytes.length) return final ? end + 1 : -1;
    const next = bytes[end + 1];
    if (next !== 0x20 && next !== 0x09) return end + 1;
    from = end + 1;
  }
}

export function propertyOf(bytes: Buffer, start: number, end: number): Property | string {
  // RFC 6350 §3.1 allows none: some readers ignore it, others take it as part of the name.
  if (bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf)
    return 'has a byte order mark: save it as UTF-8 without one';
  const line = Buffer.alloc(end - start);
  const at = new Uint32Array(end - start + 1);
  let length = 0;
  let eol: Property['eol'] = '\n';
  let stop = end;
  for (let i = start; i < end; i++) {
    const isCrlf = bytes[i] === CR && bytes[i + 1] === LF && i + 1 < end;
    if (isCrlf || bytes[i] === LF) {
      const after = i + (isCrlf ? 2 : 1);
      if (isCrlf) eol = '\r\n';
      if (after >= end) {
        stop = i;
        break;
      }
      // The line end and the following blank are the fold.
      i = after;
      continue;
    }
    if (bytes[i] === CR) return 'has a lone carriage return';
    line[length] = bytes[i]!;
    at[length++] = i;
  }
  at[length] = stop;
  const unfolded = line.subarray(0, length);
  const colon = headEnd(unfolded);
  if (colon < 0) return 'has a line that is no property';
  const head = unfolded.toString('latin1', 0, colon + 1);
  const [named, group, name = ''] = HEAD.exec(head) ?? [];
  if (named === undefined) return 'has a line that is no property';
  const parameters: Parameter[] = [];
  let from = named.length;
  while (head[from] === ';') {
    PARAMETER.lastIndex = from;
    const [all, key, text = ''] = PARAMETER.exec(head) ?? [];
    if (all === undefined) return 'has a parameter that is none';
    const values = parameterValues(text);
    if (values === null) return 'has a parameter that is not UTF-8';
    const parameter = key?.toUpperCase() ?? nameOfBare(text);
    parameters.push({ name: parameter, values, start: from, end: from + all.length });
    from += all.length;
  }
  if (from !== colon) return 'has a parameter that is none';
  return {
    name: name.toUpperCase(),
    start,
    end,
    eol,
    line: unfolded,
    at,
    group: group === undefined ? null : { name: group, start: 0, end: group.length + 1 },
    parameters,
    value: colon + 1,
  };
}

const ENCODINGS = /^(?:quoted-printable|base64|[78]bit)$/i;

/** `TEL;CELL:` and `PHOTO;BASE64:` of old writers. */
const nameOfBare = (value: string): string => (ENCODINGS.test(value) ? 'ENCODING' : 'TYPE');

/** offset of the first colon outside quotes */
function headEnd(line: Buffer): number {
  let isQuoted = false;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === 0x22) isQuoted = !isQuoted;
    else if (line[i] === 0x3a && !isQuoted) return i;
  }
  return -1;
}

/** Decodes the escapes of RFC 6868. */
function parameterValues(latin1: string): readonly string[] | null {
  const text = utf8(Buffer.from(latin1, 'latin1'));
  if (text === null) return null;
  return (text.match(/"[^"]*"|[^,]+/g) ?? []).map((value) =>
    value
      .replace(/^"(.*)"$/s, '$1')
      .replace(/\^([n^'])/g, (_, c: string) => ({ n: '\n', '^': '^', "'": '"' })[c] ?? c),
  );
}

const parameterOf = ({ parameters }: Property, name: string): readonly string[] =>
  parameters.filter((p) => p.name === name).flatMap(({ values }) => values);

/** Text of a value with its escapes decoded; null if it is not UTF-8. */
export function textOf(bytes: Uint8Array): string | null {
  const text = utf8(bytes);
  if (text === null) return null;
  return text.replace(/\\([\s\S])/g, (_, c: string) => (c === 'n' || c === 'N' ? '\n' : c));
}

/** Escapes a text for use as a value or a component. */
export const escaped = (text: string): string =>
  text.replace(/\r\n?|\n/g, '\n').replace(/[\\,;\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));

/** Spans of the components of a value, which semicolons without a backslash separate. */
function componentsOf({ line, value }: Property): readonly (readonly [number, number])[] {
  const spans: [number, number][] = [];
  let start = value;
  for (let i = value; i < line.length; i++) {
    if (line[i] === 0x5c) i++;
    else if (line[i] === 0x3b) {
      spans.push([start, i]);
      start = i + 1;
    }
  }
  spans.push([start, line.length]);
  return spans;
}

/** True if the value is binary data. */
export function isBinary(property: Property): boolean {
  const encoding = parameterOf(property, 'ENCODING').join().toLowerCase();
  return (
    encoding !== '' ||
    property.line.toString('latin1', property.value, property.value + 5).toLowerCase() === 'data:'
  );
}

/** Length of a URI scheme before a number or an address (`tel:+86…`, `mailto:…`). */
const schemeOf = ({ line, value }: Property): number =>
  /^(?:tel|mailto|sms):/i.exec(line.toString('latin1', value, value + 7))?.[0].length ?? 0;

/** The parameters that are data, by name: TYPE may be given in several parameters. */
export function dataParameters(
  property: Property,
): readonly { readonly name: string; readonly text: string }[] {
  const names = new Set(property.parameters.map(({ name }) => name));
  return [...names].flatMap((name) => {
    const values = parameterOf(property, name);
    return isSyntax(name, values) ? [] : [{ name, text: parameterText(name, values) }];
  });
}

/** A value of a property, or a component of its value; a span of `line`. */
export interface ValueSpan {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The components of a structured property by name; else one `value`, without the scheme of its URI. */
export function valueSpans(property: Property): readonly ValueSpan[] {
  const { line, value, name } = property;
  const names = componentNames(name);
  if (names === null) return [{ name: 'value', start: value + schemeOf(property), end: line.length }];
  return componentsOf(property).map(([start, end], k) => ({ name: names(k), start, end }));
}

/** The fault of a card that makes it unreadable, or null. */
export function cardFault(properties: readonly Property[]): string | null {
  const versions = properties.filter(({ name }) => name === 'VERSION');
  const [version] = versions.map(({ line, value }) => line.toString('latin1', value).trim());
  if (versions.length !== 1 || (version !== '3.0' && version !== '4.0'))
    return 'has a card of another version than 3.0 and 4.0';
  for (const property of properties) {
    if (property.name === 'BEGIN') return 'has a card within a card';
    const encoding = parameterOf(property, 'ENCODING').join().toLowerCase();
    if (encoding !== '' && encoding !== 'b' && encoding !== 'base64')
      return 'has a value in an encoding that its version has not';
    // A reader that follows the declared charset would read another text than the inspected one.
    if (parameterOf(property, 'CHARSET').some((charset) => !/^(?:utf-?8|us-ascii)$/i.test(charset)))
      return 'has a value in another charset than UTF-8';
  }
  return null;
}

/** `BEGIN:VCARD`, `END:VCARD` */
export const isMark = ({ name, line, value, parameters, group }: Property, mark: 'BEGIN' | 'END'): boolean =>
  name === mark &&
  parameters.length === 0 &&
  group === null &&
  line.toString('latin1', value).trim().toUpperCase() === 'VCARD';
