/** Path templates: `/api/customers/{id}/notes`, `/files/{path...}`, and their order of specificity. */
import { compilePattern, type Pattern } from '../documents/pattern.ts';

export type Segment =
  | { readonly is: 'text'; readonly text: string }
  | {
      readonly is: 'param';
      readonly name: string;
      /** `Customers('{id}')`, `{id}.json`: the text around the parameter in its segment */
      readonly before: string;
      readonly after: string;
      readonly pattern: Pattern | null;
    }
  | { readonly is: 'rest'; readonly name: string };

export interface Template {
  readonly method: string;
  readonly path: string;
  readonly segments: readonly Segment[];
}

const METHOD = /^(GET|POST|PUT|PATCH|DELETE|SEARCH|QUERY|REPORT|PROPFIND)$/;
const PARAM = /^([^{}]*)\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}([^{}]*)$/;
const LITERAL = /^[\w\-.~!$&'()*+,=:@\u0080-\uffff ]*$/;
/** Maximum length of a parameter; a longer value is not an id. */
const MAX_PARAM = 512;

/** Returns a sentence if the template is invalid. */
export function parseTemplate(match: string, patterns: Readonly<Record<string, string>>): Template | string {
  const [method, path, ...more] = match.split(' ');
  if (method === undefined || path === undefined || more.length > 0 || !METHOD.test(method))
    return 'must be a method and a path, such as "GET /api/customers/{id}"';
  if (!path.startsWith('/')) return 'must have a path that starts with "/"';
  const names = new Set<string>();
  const segments: Segment[] = [];
  const raw = path.slice(1).split('/');
  for (const [i, text] of raw.entries()) {
    const param = PARAM.exec(text);
    const literals = param ? [param[1]!, param[4]!] : [text];
    if (!literals.every((l) => LITERAL.test(l)) || text === '.' || text === '..')
      return `has "${text}", which no canonical path has; a segment takes one parameter, {name}`;
    if (!param) {
      if (text === '' && i < raw.length - 1) return 'has an empty segment (//)';
      segments.push({ is: 'text', text });
      continue;
    }
    const [, before = '', name = '', rest, after = ''] = param;
    if (names.has(name)) return `names the parameter ${name} twice`;
    names.add(name);
    if (rest) {
      if (i < raw.length - 1 || before + after !== '')
        return `has {${name}...} elsewhere than as its last segment`;
      segments.push({ is: 'rest', name });
      continue;
    }
    const source = Object.hasOwn(patterns, name) ? patterns[name]! : null;
    try {
      const pattern = source === null ? null : compilePattern(source);
      segments.push({ is: 'param', name, before, after, pattern });
    } catch {
      return `has a pattern for ${name} that is not RE2 syntax`;
    }
  }
  const stray = Object.keys(patterns).find((name) => !names.has(name));
  if (stray !== undefined) return `has no parameter ${stray}, for which there is a pattern`;
  return { method, path, segments };
}

/** The values of the parameters; null if the path does not match. */
export function matchTemplate(
  template: Template,
  segments: readonly string[],
): Record<string, string> | null {
  const own = template.segments;
  const last = own[own.length - 1];
  if (last?.is === 'rest' ? segments.length < own.length : segments.length !== own.length) return null;
  const params: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [i, segment] of own.entries()) {
    const value = segments[i]!;
    if (segment.is === 'text') {
      if (segment.text !== value) return null;
    } else if (segment.is === 'rest') {
      // The path is canonical, so no segment in the middle is empty.
      params[segment.name] = segments.slice(i).join('/');
    } else {
      const inner = withinSegment(segment, value);
      if (inner === null) return null;
      params[segment.name] = inner;
    }
  }
  return params;
}

export type Param = Extract<Segment, { is: 'param' }>;

export function withinSegment({ before, after, pattern }: Param, segment: string): string | null {
  if (segment.length <= before.length + after.length) return null;
  if (!segment.startsWith(before) || !segment.endsWith(after)) return null;
  const value = segment.slice(before.length, segment.length - after.length);
  if (value.length > MAX_PARAM) return null;
  if (pattern) return pattern.matches(value) ? value : null;
  // `Customers('{id}')` must not match `x',Other='y`: the upstream would read two keys.
  return before + after !== '' && /['"(),=]/.test(value) ? null : value;
}

/** Lower is more specific: text, then a parameter with text around it or a pattern. */
export function rankOf(s: Segment | undefined): number {
  if (s === undefined) return 3;
  if (s.is === 'text') return 0;
  if (s.is === 'rest') return 2;
  return 1 - (s.pattern ? 0.5 : 0) - Math.min(s.before.length + s.after.length, 400) / 1000;
}

/** Negative: `a` is more specific. The leftmost segment that differs decides. */
function compareTemplates(a: Template, b: Template): number {
  const length = Math.max(a.segments.length, b.segments.length);
  for (let i = 0; i < length; i++) {
    const difference = rankOf(a.segments[i]) - rankOf(b.segments[i]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The template without parameter names. Conditions must distinguish routes of the same shape. */
export const shape = (t: Template): string =>
  `${t.method} ${t.segments
    .map((s) => {
      if (s.is === 'text') return `/${s.text}`;
      if (s.is === 'rest') return '/{...}';
      return `/${s.before}{${s.pattern?.pattern() ?? ''}}${s.after}`;
    })
    .join('')}`;

/**
 * True if one path may match both templates, and neither is more specific. Whether two patterns overlap cannot be decided here, so
 * they count as disjoint; a path that matches both is refused at request time.
 */
export function collide(a: Template, b: Template): boolean {
  if (a.method !== b.method || a.segments.length !== b.segments.length || compareTemplates(a, b) !== 0)
    return false;
  return a.segments.every((s, i) => {
    const t = b.segments[i]!;
    if (s.is === 'text' && t.is === 'text') return s.text === t.text;
    if (s.is !== 'param' || t.is !== 'param') return s.is === t.is;
    if (s.pattern && t.pattern && s.pattern.pattern() !== t.pattern.pattern()) return false;
    return (
      (s.before.startsWith(t.before) || t.before.startsWith(s.before)) &&
      (s.after.endsWith(t.after) || t.after.endsWith(s.after))
    );
  });
}
