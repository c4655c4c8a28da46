/** Templates from which a route takes an id: `{id}`, `{query:record}`, `{body:/params/0}`, with text in between. */
import { compilePattern, type Pattern } from '../documents/pattern.ts';
import type { RouteConfig } from './section.ts';
import { SluiceError } from '../errors.ts';
import { pointerOf, tokensOf } from '../model/pointer.ts';
import { unreadable } from './body/text.ts';
import { at, type Steps } from './pointer.ts';
import type { Parameters } from './query.ts';
import type { CompiledRoute } from './types.ts';

type Part =
  | { readonly from: 'text'; readonly text: string }
  | { readonly from: 'path'; readonly name: string }
  /** `pattern` (`query_values`): its group `id` is the id within the value; null: the entire value is the id */
  | { readonly from: 'query'; readonly name: string; readonly pattern: Pattern | null }
  | { readonly from: 'body'; readonly steps: Steps };

export type ValueTemplate = readonly Part[];

export interface Sources {
  readonly params: Readonly<Record<string, string>>;
  readonly parameters: Parameters;
  readonly body: unknown;
}

type Patterns = RouteConfig['query_values'];

/** Returns a sentence if the template is invalid. */
export function parseValue(
  text: string,
  params: ReadonlySet<string>,
  patterns: Patterns,
): ValueTemplate | string {
  const parts: Part[] = [];
  let rest = text;
  while (rest !== '') {
    const open = rest.indexOf('{');
    const literal = open === -1 ? rest : rest.slice(0, open);
    if (literal !== '') parts.push({ from: 'text', text: literal });
    if (open === -1) break;
    const close = rest.indexOf('}', open);
    if (close === -1) return 'has a "{" without "}"';
    const part = parsePart(rest.slice(open + 1, close), params, patterns);
    if (typeof part === 'string') return part;
    parts.push(part);
    rest = rest.slice(close + 1);
  }
  return parts;
}

function parsePart(inner: string, params: ReadonlySet<string>, patterns: Patterns): Part | string {
  if (inner.startsWith('query:') && inner.length > 6) {
    const name = inner.slice(6);
    return { from: 'query', name, pattern: patternWithId(patterns[name]) };
  }
  if (inner.startsWith('body:')) {
    const pointer = inner.slice(5);
    if (!pointer.startsWith('/') || /(^|\/)\*+(\/|$)/.test(pointer))
      return 'needs a pointer without "*" after "body:"';
    return { from: 'body', steps: tokensOf(pointer) };
  }
  return params.has(inner) ? { from: 'path', name: inner } : `names {${inner}}, which its path does not have`;
}

/** `eq\.(?<id>.+)`: PostgREST writes an operator before the id. */
function patternWithId(text: Patterns[string] | undefined): Pattern | null {
  if (typeof text !== 'string') return null;
  try {
    const pattern = compilePattern(text);
    return Object.hasOwn(pattern.namedGroups(), 'id') ? pattern : null;
  } catch {
    // `queryPlan` reports it
    return null;
  }
}

/** Names of the parameters and members that provide a value. */
export const namesIn = (template: ValueTemplate): readonly string[] =>
  template.flatMap((part) =>
    part.from === 'text' ? [] : part.from === 'body' ? [part.steps.at(-1) ?? ''] : [part.name],
  );

/** Pointers to the body members that provide a value. */
export const pointersIn = (template: ValueTemplate): readonly string[] =>
  template.flatMap((part) => (part.from === 'body' ? [pointerOf(part.steps)] : []));

/** Characters that databases, C strings and forms remove: to the upstream `C1 ` is C1, to Sluice it would be unknown. */
const TRIMMED = /^\s|\s$|[\p{Cc}\p{Cf}]/u;

/**
 * Undefined if any part is absent.
 * @throws SluiceError `body_unreadable` for a body value that cannot be an id, `request_malformed` for an id that readers trim differently
 */
export function evaluate(template: ValueTemplate, sources: Sources): string | undefined {
  let out = '';
  for (const part of template) {
    const piece = pieceOf(part, sources);
    if (piece === undefined || piece === '') return undefined;
    if (TRIMMED.test(piece))
      throw new SluiceError(
        'request_malformed',
        'The request names a record by an id with white space at an end, or with invisible characters.',
      );
    out += piece;
  }
  return out;
}

/** The values of a template that combines several. */
export const piecesOf = (template: ValueTemplate, sources: Sources): readonly string[] =>
  template.length < 2
    ? []
    : template.flatMap((part) => (part.from === 'text' ? [] : [pieceOf(part, sources) ?? '']));

/**
 * True if other ids accompany the one that a template takes: in a list of which the route accepts any element, or in a repeated
 * parameter. The request would be checked for the first id and executed for all.
 */
export const namesSeveral = (
  template: ValueTemplate,
  { parameters, body }: Sources,
  { config }: CompiledRoute,
): boolean =>
  template.some((part) => {
    if (part.from === 'query') return parameters.filter(([name]) => name === part.name).length > 1;
    if (part.from !== 'body') return false;
    const around = part.steps.slice(0, -1);
    const list = at(body, around);
    const any = config.request.params.some(
      (pointer) =>
        /^\/\*\*?$/.test(pointer.slice(pointerOf(around).length)) && pointer.startsWith(pointerOf(around)),
    );
    return any && Array.isArray(list) && list.length > 1;
  });

function pieceOf(part: Part, { params, parameters, body }: Sources): string | undefined {
  switch (part.from) {
    case 'text':
      return part.text;
    case 'path':
      return params[part.name];
    case 'query': {
      const value = parameters.find(([name]) => name === part.name)?.[1];
      if (part.pattern === null || value === undefined) return value;
      const matcher = part.pattern.matcher(value);
      return matcher.matches() ? (matcher.group('id') ?? undefined) : undefined;
    }
    case 'body':
      return scalar(at(body, part.steps));
  }
}

function scalar(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  // A number that JavaScript cannot represent would name a different record to the upstream.
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  throw unreadable('has an id that is neither text nor an integer');
}
