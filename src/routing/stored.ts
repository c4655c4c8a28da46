/** The plan for reading the stored record with which a write is merged (`request.keep_masked`). */
import type { RouteConfig } from './section.ts';
import { writePath } from './path.ts';
import { erasesOf } from './replacing.ts';
import { parseTemplate, type Template } from './template.ts';
import type { StoredAt } from './types.ts';

/** How to read the stored record that a write is merged with. */
export interface StoredPlan {
  /** null: the path of the request */
  readonly template: Template | null;
  readonly record: string;
  readonly replaces: boolean;
  readonly version: string | null;
}

type Report = (key: readonly (string | number)[], message: string) => void;

export function storedPlan(
  config: RouteConfig,
  params: ReadonlySet<string>,
  report: Report,
): StoredPlan | null {
  const { action, request } = config;
  const { keep_masked: keep, record = '' } = request;
  if (keep === undefined) return null;
  const say = (message: string, ...key: string[]): void =>
    report(['request', 'keep_masked', ...key], message);
  if (action !== 'update') say(`a route that does ${action} changes no stored record`);
  if (request.format !== 'json') say('only JSON can be merged: leave it out, or set request.format: json');
  if (record.includes('*')) say('request.record names several records: one of them can be merged');
  if (!isUtf8(request.charset)) say('only JSON in UTF-8 can be merged (request.charset)');
  const at = keep.record ?? record;
  if (/\/(\*|\[)/.test(at)) say('must lead to one record', 'record');
  if (keep.version !== undefined && /\/(\*|\[)/.test(keep.version)) say('must lead to one member', 'version');
  const template = keep.read === undefined ? null : parseTemplate(keep.read, {});
  if (typeof template === 'string') {
    say(template, 'read');
    return null;
  }
  for (const segment of template?.segments ?? [])
    if (segment.is !== 'text' && !params.has(segment.name))
      say(`names {${segment.name}}, which the path of match does not have`, 'read');
  return { template, record: at, replaces: erasesOf(config) === 'record', version: keep.version ?? null };
}

export const isUtf8 = (charset: string | undefined): boolean =>
  charset === undefined || /^utf-?8$/i.test(charset);

/** @param own segments of the request's path */
export function storedAt(
  { template, ...plan }: StoredPlan,
  params: Readonly<Record<string, string>>,
  own: readonly string[],
): StoredAt {
  const segments =
    template === null
      ? own
      : template.segments.flatMap((segment) =>
          segment.is === 'text'
            ? [segment.text]
            : segment.is === 'rest'
              ? (params[segment.name] ?? '').split('/')
              : [segment.before + (params[segment.name] ?? '') + segment.after],
        );
  return { ...plan, target: writePath(segments) };
}
