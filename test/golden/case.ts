/** Runs one case: sends its request, lets the upstream answer as the case says, and returns the case with the actual answer and record. */
import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import type { DecisionRecord } from '../../src/model/record.ts';
import { type HostileUpstream, chunks, type Received } from '../support/hostile.ts';
import type { Running } from '../support/sluice.ts';
import { type Answer, exchange } from '../support/wire.ts';
import { type CaseFile, CaseError, parseCase, type Section, withSections, yamlOf } from './case-file.ts';
import { bodyText, headerIn, isCharset, type Message, messageOf } from './message.ts';

export const readCase = (path: string, text: string): CaseFile => parseCase(path, text, isCharset);

const named = (file: CaseFile, name: string): Section[] => file.sections.filter((s) => s.name === name);
export const sectionOf = (file: CaseFile, name: string): Section | undefined => named(file, name)[0];

/** @returns the text of the case with the actual sections in place of the expected ones: the same text if the case passes */
export async function play(
  source: string,
  file: CaseFile,
  { running, upstream }: { readonly running: Running; readonly upstream: HostileUpstream },
): Promise<string> {
  const answers = named(file, 'upstream answers');
  upstream.received.length = 0;
  upstream.answer = (received, socket) => {
    const section = answers[upstream.received.length - 1];
    if (section === undefined) return void socket.destroy();
    if (section.options.includes('silent')) return;
    socket.write(answerBytes(section, received.method));
    if (section.options.includes('break off')) socket.destroySoon();
  };
  const token = await tokenOf(file, running);
  for (const { text, options } of named(file, 'request before'))
    await exchange(running.port, requestBytes(messageOf(text, options), token), { timeout: 10_000 });
  const before = running.records().length;
  const request = messageOf(sectionOf(file, 'request')!.text, sectionOf(file, 'request')!.options);
  const answer = await exchange(running.port, requestBytes(request, token), {
    bodiless: request.start.startsWith('HEAD '),
    timeout: 10_000,
  });
  const records = running.records().slice(before);
  const faults = [
    ...(records.length === 1 ? [] : [`There are ${records.length} decision records, and not one.`]),
    ...(upstream.received.length === answers.length
      ? []
      : [
          `The upstream got ${upstream.received.length} requests, and not ${answers.length}${told(upstream.received)}.`,
        ]),
    ...(answer.complete ? [] : ['The answer is cut short.']),
    ...(records[0] === undefined ? [] : disagreements(answer, records[0])),
    ...leaks(answer, running),
  ];
  if (faults.length > 0) {
    const got = `It was answered: ${answer.status} ${answer.body.toString('utf8', 0, 400)}`;
    throw new CaseError(file.path, sectionOf(file, 'answer')!.line, [...faults, got].join('\n  '));
  }

  const changed = new Map<Section, Partial<Section>>();
  const keep = (section: Section, text: string, options = section.options): void => {
    if (section.text !== text || !isDeepStrictEqual(section.options, options))
      changed.set(section, { text, options });
  };
  for (const [i, section] of named(file, 'upstream receives').entries()) {
    const received = upstream.received[i];
    if (received === undefined)
      throw new CaseError(
        file.path,
        section.line,
        'There is no "upstream answers" for this "upstream receives".',
      );
    const { text, options } = forwarded(received, section);
    keep(section, text, options);
  }
  const expected = sectionOf(file, 'answer')!;
  const { text, options } = answered(
    answer,
    records[0]!,
    [expected, ...answers].flatMap((s) => s.options),
  );
  keep(expected, text, options);
  const record = sectionOf(file, 'record')!;
  const wanted = yamlOf(file, record);
  const projected = project(
    Object.keys(wanted).length === 0 ? summaryOf(records[0]!) : wanted,
    records[0],
  ) as Record<string, unknown>;
  if (!isDeepStrictEqual(projected, wanted)) keep(record, spelled(projected));
  return withSections(source, file, changed);
}

const told = (received: readonly Received[]): string =>
  received.length === 0 ? '' : `: ${received.map((r) => `${r.method} ${r.target}`).join(', ')}`;

// --- what is sent

function requestBytes({ start, headers, body }: Message, token: string | null): Buffer {
  const has = (name: string): boolean => headerIn(headers, name) !== undefined;
  const line = start.includes(' HTTP/') ? start : `${start} HTTP/1.1`;
  const lines = [
    ...(has('host') ? [] : ['Host: crm.example']),
    ...(token === null || has('authorization') ? [] : [`Authorization: Bearer ${token}`]),
    ...headers.map(([name, value]) => `${name}: ${value.replaceAll('{token}', token ?? '')}`),
    ...(body.length === 0 || has('content-length') || has('transfer-encoding')
      ? []
      : [`Content-Length: ${body.length}`]),
  ];
  const chunked = headerIn(headers, 'transfer-encoding') === 'chunked';
  return Buffer.concat([
    Buffer.from(`${[line, ...lines].join('\r\n')}\r\n\r\n`),
    chunked ? chunks(body, [7]) : body,
  ]);
}

function answerBytes(section: Section, method: string): Buffer {
  if (!section.text.startsWith('HTTP/')) return Buffer.from(`${section.text}\r\n`);
  const { start, headers, body } = messageOf(section.text, section.options);
  const status = Number(start.split(' ')[1]);
  const chunked = headerIn(headers, 'transfer-encoding') === 'chunked';
  const framed =
    chunked || headerIn(headers, 'content-length') !== undefined || status === 204 || status === 304;
  const lines = [
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(framed ? [] : [`Content-Length: ${body.length}`]),
  ];
  const head = Buffer.from(`${[start, ...lines].join('\r\n')}\r\n\r\n`);
  if (method === 'HEAD') return head;
  return Buffer.concat([head, chunked ? chunks(body) : body]);
}

const { privateKey: strangersKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** null: the case has no section `token` */
async function tokenOf(file: CaseFile, { issuer }: Running): Promise<string | null> {
  const section = sectionOf(file, 'token');
  if (section === undefined) return null;
  const now = Math.floor(Date.now() / 1000);
  const claims: Record<string, unknown> = { ...yamlOf(file, section) };
  for (const name of ['exp', 'nbf', 'iat']) {
    const offset = /^([+-]\d+)h$/.exec(String(claims[name]));
    if (offset) claims[name] = now + Number(offset[1]) * 3600;
  }
  const is = (option: string): boolean => section.options.includes(option);
  const all = { iss: issuer.issuer, aud: issuer.audience, iat: now, exp: now + 8 * 3600, ...claims };
  if (is('unsigned')) return `${part({ alg: 'none' })}.${part(all)}.`;
  if (is('HS256')) {
    const signed = `${part({ alg: 'HS256', kid: 'development' })}.${part(all)}`;
    return `${signed}.${createHmac('sha256', 'secret').update(signed).digest('base64url')}`;
  }
  if (is('another key') || is('unknown key id')) {
    const kid = is('unknown key id') ? 'stranger' : 'development';
    const signed = `${part({ alg: 'ES256', kid, typ: 'JWT' })}.${part(all)}`;
    const key = { key: strangersKey, dsaEncoding: 'ieee-p1363' as const };
    return `${signed}.${createSign('sha256').update(signed).sign(key, 'base64url')}`;
  }
  const token = await issuer.sign(claims);
  if (!is('altered')) return token;
  const [header, , signature] = token.split('.');
  return `${header}.${part({ ...all, roles: ['dpo'] })}.${signature}`;
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

// --- what came of it

/** Headers of each answer, which cases do not repeat: an answer without one, or with another value, shows it. */
const USUAL: Readonly<Record<string, (value: string, answer: Answer) => boolean>> = {
  date: (value) => /^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/.test(value),
  connection: (value) => value === 'keep-alive',
  'keep-alive': (value) => value === 'timeout=15',
  'content-length': (value, answer) => value === String(answer.body.length),
  'cache-control': (value) => value === 'private, no-store',
  'x-content-type-options': (value) => value === 'nosniff',
  vary: (value) =>
    value ===
    'Authorization, Sluice-Purpose, Sluice-Recipient, Sluice-Tier, Sluice-Justification, Sluice-Grant',
  'sluice-decision-id': () => true,
};
/** those of them without which an answer shows a line `Name: none` */
const REQUIRED = ['cache-control', 'x-content-type-options', 'vary', 'sluice-decision-id'];

/** What a case calls `CANARY` is the upstream's own: it is nowhere but in what the upstream sent. */
function leaks(answer: Answer, running: Running): string[] {
  const places = {
    answer: answer.head + answer.body.toString('latin1'),
    log: running.log(),
    journal: running.journalText(),
  };
  return Object.entries(places).flatMap(([name, text]) =>
    text.includes('CANARY') ? [`CANARY is in the ${name}.`] : [],
  );
}

function disagreements(answer: Answer, record: DecisionRecord): string[] {
  const id = answer.headers.get('sluice-decision-id')?.join();
  return [
    ...(id === record.decision_id
      ? []
      : [`Sluice-Decision-Id is ${id}, that of the record ${record.decision_id}.`]),
    ...(record.response?.status === answer.status
      ? []
      : [`The record has the status ${record.response?.status}, the answer ${answer.status}.`]),
  ];
}

function answered(
  answer: Answer,
  record: DecisionRecord,
  declared: readonly string[],
): { readonly text: string; readonly options: readonly string[] } {
  const headers = [...answer.headers].flatMap(([name, values]) =>
    values.map((v): [string, string] => [name, v]),
  );
  const shown = headers
    .filter(([name, value]) => !USUAL[name]?.(value, answer))
    .map(([name, value]) => `${capitalised(name)}: ${folded(value)}`);
  const missing = REQUIRED.filter((name) => !answer.headers.has(name)).map(
    (name) => `${capitalised(name)}: none`,
  );
  const { text, options } = bodyText(answer.body, headers, declared);
  const lines = [`HTTP/1.1 ${answer.status} ${answer.phrase}`.trimEnd(), ...shown, ...missing];
  return { text: `${lines.join('\n')}${text === '' ? '' : `\n\n${steady(text, record)}`}`, options };
}

/** A text without what differs from one run to the next, and without the explanations of a refusal, which are prose. */
function steady(text: string, { decision_id, reasons }: DecisionRecord): string {
  const encrypted = text.replace(/eyJ[\w-]+(?:\.[\w-]*){4}/g, '{jwe}');
  if (!text.includes(decision_id)) return encrypted;
  const prose = reasons.flatMap(({ message }) => (message === undefined ? [] : [message]));
  return prose
    .flatMap((message) => [JSON.stringify(message).slice(1, -1), escapedXml(message)])
    .reduce((all, message) => all.replaceAll(message, '{text}'), encrypted)
    .replaceAll(decision_id, '{decision_id}')
    .replace(/"(detail|message)":"(?:[^"\\]|\\.)*"/g, '"$1":"{text}"')
    .replace(/(<faultstring>|<soap:Text[^>]*>)[^<]*/, '$1{text}')
    .replace(/<string>[^<]*(?= \(\w+; decision )/, '<string>{text}');
}

const escapedXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Of what an upstream receives: what each request has, and is the runner's or undici's. */
const RECEIVED_USUAL: Readonly<Record<string, (value: string) => boolean>> = {
  host: () => true,
  connection: () => true,
  'content-length': () => true,
  'accept-encoding': (value) => value === 'identity',
};

function forwarded(
  received: Received,
  section: Section,
): { readonly text: string; readonly options: readonly string[] } {
  const headers = Object.entries(received.headers);
  const shown = headers
    .filter(([name, value]) => !RECEIVED_USUAL[name]?.(value))
    .map(([name, value]) => `${capitalised(name)}: ${value}`);
  const { text, options } = bodyText(received.body, headers, section.options);
  return {
    text: `${[`${received.method} ${received.target}`, ...shown].join('\n')}${text === '' ? '' : `\n\n${text}`}`,
    options,
  };
}

const capitalised = (name: string): string =>
  name.replace(/(^|-)([a-z])/g, (_, dash: string, c: string) => dash + c.toUpperCase());

/** A long list goes over several lines, as in RFC 9110 §5.5's obsolete line folding. */
const folded = (value: string): string => (value.length < 100 ? value : value.replaceAll(', "', ',\n  "'));

// --- decision records

/** What a new case is given of its decision record, where it names nothing itself. */
const SUMMARY: Readonly<Record<string, unknown>> = {
  outcome: '',
  reasons: [{ code: '' }],
  disclosure: {
    records: 0,
    records_withheld: 0,
    released: [],
    withheld: [{ path: '', do: '', because: '' }],
    withheld_reasons: {},
  },
};

/** The members of `SUMMARY` that a record has; an allowed request's reasons say only that it is one. */
function summaryOf(record: DecisionRecord): unknown {
  const { reasons, ...rest } = SUMMARY;
  const refused = record.outcome === 'denied' || record.outcome === 'error';
  return present({ outcome: rest['outcome'], ...(refused ? { reasons } : {}), ...rest }, record);
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Of `actual`, the members that `wanted` names; an element of a list is held to the element beside it, or to the first. */
function project(wanted: unknown, actual: unknown): unknown {
  if (isMap(wanted) && isMap(actual)) {
    const all = Object.keys(wanted).length === 0 ? actual : wanted;
    return Object.fromEntries(Object.keys(all).map((key) => [key, project(wanted[key], actual[key])]));
  }
  if (Array.isArray(wanted) && Array.isArray(actual) && wanted.some(isMap))
    return actual.map((element, i) => project(wanted[i] ?? wanted[0], element));
  return actual ?? null;
}

/** The members of a template that a record has. */
function present(template: unknown, actual: unknown): unknown {
  if (!isMap(template) || !isMap(actual)) return template;
  const kept = Object.keys(template).filter((key) => (actual[key] ?? null) !== null);
  return Object.fromEntries(kept.map((key) => [key, present(template[key], actual[key])]));
}

/** Block style for the record and its disclosure, one line for everything else. */
function spelled(record: Readonly<Record<string, unknown>>, indent = ''): string {
  return Object.entries(record)
    .flatMap(([key, value]) => {
      if (key === 'disclosure' && isMap(value)) return [`${indent}${key}:`, spelled(value, `${indent}  `)];
      if (Array.isArray(value) && value.length > 0 && value.every(isMap))
        return [`${indent}${key}:`, ...value.map((v) => `${indent}  - ${flow(v)}`)];
      return [`${indent}${key}: ${flow(value)}`];
    })
    .join('\n');
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (!isMap(value)) return stringify(value, { lineWidth: 0, collectionStyle: 'flow' }).trimEnd();
  const members = Object.entries(value).map(([key, v]) => `${flow(key)}: ${flow(v)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}
