/** `format` of JSON Schema, as gojsonschema checks it; an unknown format accepts everything. */
import { isIPv4, isIPv6 } from 'node:net';
import { compile } from '../text/regex.ts';
import { parseTime, RFC3339 } from '../time/layouts.ts';
import { parseUri } from '../uri.ts';

const succeeds = (run: () => unknown): boolean => {
  try {
    run();
    return true;
  } catch {
    return false;
  }
};

const isTime =
  (...layouts: readonly string[]) =>
  (text: string): boolean =>
    layouts.some((layout) => succeeds(() => parseTime(layout, text)));

const HOST =
  /^(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]{0,61}[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]{0,61}[a-zA-Z0-9]))*$/;
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\u0080-\\uffff-]+";
/** RFC 5322 address, with or without a display name */
const ADDRESS = new RegExp(
  `^\\s*(?:(?:${ATOM}|"(?:[^"\\\\]|\\\\.)*")(?:\\s+(?:${ATOM}|"(?:[^"\\\\]|\\\\.)*"))*\\s*)?<((?:${ATOM}(?:\\.${ATOM})*|"(?:[^"\\\\]|\\\\.)*")@(?:${ATOM}(?:\\.${ATOM})*|\\[[^\\]]*\\]))>\\s*$|` +
    `^\\s*(?:${ATOM}(?:\\.${ATOM})*|"(?:[^"\\\\]|\\\\.)*")@(?:${ATOM}(?:\\.${ATOM})*|\\[[^\\]]*\\])\\s*$`,
);
/** longer than any mailbox; bounds the time of the backtracking expression */
const MAX_ADDRESS_LENGTH = 512;

const isUri = (text: string): boolean => {
  if (text.includes('\\')) return false;
  try {
    return parseUri(text).scheme !== '';
  } catch {
    return false;
  }
};

const isReference = (text: string): boolean => !text.includes('\\') && succeeds(() => parseUri(text));

const isTemplate = (text: string): boolean =>
  isReference(text) &&
  !/^[^{]*\}|\{[^}]*\{|\{[^}]*$/.test(
    parseUri(text).path.replace(/\{[^}]*(?:\}|$)/g, (part) => (part.endsWith('}') ? '' : part)),
  );

const isEmail = (text: string): boolean => text.length <= MAX_ADDRESS_LENGTH && ADDRESS.test(text);

const FORMATS: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['date', isTime('2006-01-02')],
  ['time', isTime('15:04:05Z07:00', '15:04:05')],
  ['date-time', isTime('15:04:05', '15:04:05Z07:00', '2006-01-02', RFC3339)],
  ['hostname', (text) => text.length < 256 && HOST.test(text)],
  ['email', isEmail],
  ['idn-email', isEmail],
  ['ipv4', (text) => isIPv4(text) || (isIPv6(text) && text.includes('.') && !text.includes('%'))],
  ['ipv6', (text) => isIPv6(text) && !text.includes('%')],
  ['uri', isUri],
  ['uri-reference', isReference],
  ['iri', isUri],
  ['iri-reference', isReference],
  ['uri-template', isTemplate],
  ['uuid', (text) => /^[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$/i.test(text)],
  ['regex', (text) => succeeds(() => compile(text))],
  ['json-pointer', (text) => /^(?:\/(?:[^~/]|~0|~1)*)*$/.test(text)],
  ['relative-json-pointer', (text) => /^(?:0|[1-9][0-9]*)(?:#|(?:\/(?:[^~/]|~0|~1)*)*)$/.test(text)],
]);

export const isFormat = (format: string, text: string): boolean => FORMATS.get(format)?.(text) ?? true;
