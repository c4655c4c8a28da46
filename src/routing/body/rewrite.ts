/** Replaces numbers in a body that was checked, and keeps every other byte. For pages that the body requests. */
import type { Steps } from '../pointer.ts';
import { encode } from '../path.ts';
import { readQuery } from '../query.ts';
import type { BodyRules, RequestFormat } from './index.ts';
import { closingQuote } from '../../model/json-text.ts';
import type { TextCodec } from './text.ts';

export interface Change {
  readonly steps: Steps;
  readonly value: number;
}

/** Formats whose bodies can be rewritten. */
export const REWRITABLE: ReadonlySet<RequestFormat> = new Set(['json', 'form', 'xml']);

/** @returns null if the bytes of a number, or the position of a missing one, are not certain */
export function rewritten(
  bytes: Uint8Array,
  { format, overrides }: Pick<BodyRules, 'format' | 'overrides'>,
  codec: TextCodec,
  changes: readonly Change[],
): Uint8Array | null {
  let text = codec.decode(bytes);
  for (const change of changes) {
    if (text === null) return null;
    text =
      format === 'json'
        ? inJson(text, change)
        : format === 'form'
          ? inForm(text, change, codec, overrides)
          : format === 'xml'
            ? inXml(text, change)
            : null;
  }
  return text === null ? null : codec.encode(text);
}

/** The text is valid JSON without duplicate names. */
function inJson(text: string, { steps, value }: Change): string | null {
  const span = spanOf(text, steps);
  if (span !== null) {
    const [start, end] = span;
    return text.slice(0, start) + (text[start] === '"' ? `"${value}"` : String(value)) + text.slice(end);
  }
  const around = spanOf(text, steps.slice(0, -1));
  if (around === null || text[around[0]] !== '{') return null;
  const at = around[0] + 1;
  const isEmpty = /^\s*\}/.test(text.slice(at, around[1]));
  return `${text.slice(0, at)}${JSON.stringify(steps.at(-1))}:${value}${isEmpty ? '' : ','}${text.slice(at)}`;
}

/** start and end of the value at a pointer; null: there is none */
function spanOf(text: string, steps: Steps): readonly [start: number, end: number] | null {
  let at = afterWhite(text, 0);
  for (const step of steps) {
    const open = text[at];
    if (open !== '{' && open !== '[') return null;
    at = afterWhite(text, at + 1);
    for (let index = 0; ; index++) {
      if (text[at] === '}' || text[at] === ']') return null;
      let name = String(index);
      if (open === '{') {
        const end = closingQuote(text, at) + 1;
        name = JSON.parse(text.slice(at, end)) as string;
        at = afterWhite(text, afterWhite(text, end) + 1);
      }
      if (name === step) break;
      at = afterWhite(text, valueEnd(text, at));
      if (text[at] === ',') at = afterWhite(text, at + 1);
    }
  }
  return [at, valueEnd(text, at)];
}

function valueEnd(text: string, start: number): number {
  let depth = 0;
  let i = start;
  for (;;) {
    const c = text[i];
    if (c === '"') i = closingQuote(text, i);
    else if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
    i++;
    const next = text[i];
    if (depth === 0 && (next === undefined || c === '"' || c === '}' || c === ']' || /[\s,\]}]/.test(next)))
      return i;
  }
}

function afterWhite(text: string, start: number): number {
  let i = start;
  while (i < text.length && text.charCodeAt(i) <= 0x20) i++;
  return i;
}

function inForm(
  text: string,
  { steps: [name = ''], value }: Change,
  codec: TextCodec,
  overrides: BodyRules['overrides'],
): string | null {
  const pieces = text.split('&');
  const places = pieces.flatMap((piece, i) =>
    piece !== '' && readQuery(piece, 'form', codec, overrides)[0]?.[0] === name ? [i] : [],
  );
  const [place, ...more] = places;
  if (more.length > 0) return null;
  const pair = `${encode(name)}=${value}`;
  return place === undefined
    ? [...pieces.filter((piece) => piece !== ''), pair].join('&')
    : pieces.with(place, pair).join('&');
}

/** The element or attribute must be the only one of its name in the entire text. */
function inXml(text: string, { steps, value }: Change): string | null {
  const last = steps.at(-1) ?? '';
  const name = last.replace(/^@/, '').replace(/^.*:/, '');
  // Text in CDATA may look like elements.
  if (!/^[\w.-]+$/.test(name) || text.includes('<![CDATA[')) return null;
  const escaped = name.replaceAll('.', '\\.');
  const [all, places] = last.startsWith('@')
    ? [
        new RegExp(`(?<![\\w.:-])${escaped}\\s*=`, 'g'),
        new RegExp(`((?<![\\w.:-])${escaped}\\s*=\\s*["'])[0-9]+(?=["'])`, 'g'),
      ]
    : [
        new RegExp(`<(?:[\\w.-]+:)?${escaped}(?![\\w.:-])`, 'g'),
        new RegExp(`(<(?:[\\w.-]+:)?${escaped}(?:\\s[^<>]*)?>)[0-9]+(?=</)`, 'g'),
      ];
  if ([...text.matchAll(all)].length !== 1 || [...text.matchAll(places)].length !== 1) return null;
  return text.replace(places, (_, before: string) => `${before}${value}`);
}
