/** `regex.*` in RE2 syntax and linear time (npm re2js, a port of Go's regexp engine). */
import { LRUCache } from 'lru-cache';
import { RE2JS } from 're2js';
import type { RegoValue } from '../../values.ts';
import { fail, int, string, tooLong } from '../operands.ts';
import type { EvaluationContext, Family } from '../types.ts';
import { globsIntersect } from './globs-match.ts';

const compiled = new LRUCache<string, RE2JS>({ max: 200 });

const attempt = (pattern: string): RE2JS | undefined => {
  try {
    return RE2JS.compile(pattern);
  } catch {
    return undefined;
  }
};

/** Go allows two groups of the same name; re2js does not, so later ones are renamed */
const distinct = (pattern: string): string => {
  const seen = new Map<string, number>();
  return pattern.replace(/\\.|\(\?P?<(\w+)>/gs, (all, name: string | undefined) => {
    if (name === undefined) return all;
    const n = seen.get(name) ?? 0;
    seen.set(name, n + 1);
    return n === 0 ? all : `(?P<${name}__${n}>`;
  });
};

export const compile = (pattern: string): RE2JS => {
  let re = compiled.get(pattern);
  if (re === undefined) {
    re = attempt(pattern) ?? attempt(distinct(pattern)) ?? fail('not a regular expression');
    compiled.set(pattern, re);
  }
  return re;
};

/** A search cannot be interrupted; its time grows with the product of the lengths of pattern and text. */
export const MAX_LENGTH = 1 << 15;
const MAX_STEPS = 1 << 20;

/** @throws RegoError `deadline_exceeded` */
export const searched = (pattern: string, text: string): string => {
  if (text.length > MAX_LENGTH || pattern.length * text.length > MAX_STEPS)
    return tooLong(
      `A text of ${text.length} characters is not searched with a pattern of ${pattern.length} (at most ${MAX_LENGTH}, and ${MAX_STEPS} together)`,
    );
  return text;
};

interface Match {
  readonly start: number;
  readonly end: number;
  /** text of a group; undefined if it did not participate in the match */
  group(n: number | string): string | undefined;
}

const BETWEEN_CHECKS = 64;

/** Go's FindAll: an empty match directly after another match is skipped. */
function* matches(re: RE2JS, text: string, most: number, context: EvaluationContext): Generator<Match> {
  const matcher = re.matcher(searched(re.pattern(), text));
  let previous = -1;
  let count = 0;
  while ((most < 0 || count < most) && matcher.find()) {
    const start = matcher.start();
    const end = matcher.end();
    if (start === end && start === previous) continue;
    previous = end;
    count += 1;
    if (count % BETWEEN_CHECKS === 0) context.check();
    yield {
      start,
      end,
      group: (n) =>
        typeof n === 'number' && n > matcher.groupCount() ? undefined : (matcher.group(n) ?? undefined),
    };
  }
}

const split = (re: RE2JS, text: string, context: EvaluationContext): string[] => {
  if (re.pattern() !== '' && text === '') return [''];
  const out: string[] = [];
  let beginning = 0;
  let end = 0;
  for (const m of matches(re, text, -1, context)) {
    end = m.start;
    if (m.end !== 0) out.push(text.slice(beginning, end));
    beginning = m.end;
  }
  if (end !== text.length) out.push(text.slice(beginning));
  return out;
};

/** the text of the first group of that name that participated in the match */
const named = (m: Match, name: string): string => {
  try {
    for (let n = 0; ; n++) {
      const text = m.group(n === 0 ? name : `${name}__${n}`);
      if (text !== undefined) return text;
    }
  } catch {
    return '';
  }
};

/** Go's Regexp.Expand: `$1`, `${1}`, `$name`, `${name}`, `$$` */
const expand = (template: string, m: Match): string =>
  template.replace(
    /\$(?:\$|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu,
    (all, plain: string | undefined, braced: string | undefined) => {
      const name = plain ?? braced;
      if (name === undefined) return all === '$$' ? '$' : all;
      if (/^\d+$/.test(name)) return m.group(Number(name)) ?? '';
      return named(m, name);
    },
  );

const replace = (re: RE2JS, text: string, template: string, context: EvaluationContext): string => {
  let out = '';
  let end = 0;
  for (const m of matches(re, text, -1, context)) {
    out += text.slice(end, m.start) + expand(template, m);
    end = m.end;
  }
  return out + text.slice(end);
};

/** A template such as `urn:{\w+}`: the text between the delimiters is a pattern, the rest is literal. */
const template = (text: string, open: string, close: string): RE2JS => {
  let pattern = '^';
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === open) {
      if (depth === 0) {
        pattern += RE2JS.quote(text.slice(from, i));
        from = i + 1;
      }
      depth += 1;
    } else if (text[i] === close) {
      depth -= 1;
      if (depth < 0) return fail('the delimiters are not balanced');
      if (depth === 0) {
        pattern += `(${text.slice(from, i)})`;
        from = i + 1;
      }
    }
  }
  if (depth !== 0) return fail('the delimiters are not balanced');
  return compile(`${pattern}${RE2JS.quote(text.slice(from))}$`);
};

const delimiter = (v: RegoValue | undefined): string => {
  const text = string(v);
  return /^[\u0000-\u007f]$/.test(text) ? text : fail('a delimiter is one character');
};

export const regex: Family = {
  'regex.find_n': ([pattern, text, n], context) =>
    [...matches(compile(string(pattern)), string(text), int(n), context)].map((m) =>
      string(text).slice(m.start, m.end),
    ),
  'regex.split': ([pattern, text], context) => split(compile(string(pattern)), string(text), context),
  'regex.replace': ([text, pattern, value], context) =>
    replace(compile(string(pattern)), string(text), string(value), context),
  'regex.template_match': ([pattern, text, open, close]) =>
    template(string(pattern), delimiter(open), delimiter(close))
      .matcher(searched(string(pattern), string(text)))
      .find(),
  'regex.globs_match': ([a, b]) => globsIntersect(string(a), string(b)),
};
