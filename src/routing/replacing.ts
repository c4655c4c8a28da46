/** What an upstream erases that a body leaves out, as the route states it or as the method implies. */
import type { RouteConfig } from './section.ts';
import { SENDS_RECORD } from '../model/actions.ts';
import { isOverride } from './query.ts';
import type { Erases } from './types.ts';

type Route = Pick<RouteConfig, 'match' | 'when' | 'action' | 'request'>;

/** PUT replaces what is stored (RFC 9110 §9.3.4), also if a member of the body names the method. */
export function isPut({ match, when }: Pick<Route, 'match' | 'when'>): boolean {
  if (/^PUT\s/.test(match)) return true;
  return Object.entries(when?.body ?? {}).some(
    ([pointer, said]) => isOverride(pointer.slice(1)) && [said].flat().includes('PUT'),
  );
}

/** Fields are removed from the body without a replacement, so this is not safe if the upstream replaces the record. */
export const leavesOut = ({ refused_fields, keep_masked }: RouteConfig['request']): boolean =>
  refused_fields === 'strip' && keep_masked === undefined;

/** Null: nothing is erased, or nothing is stored yet. A PUT without `replaces` does not state that the catalog covers all stored fields. */
export function erasesOf(route: Route): Erases | null {
  const { action, request } = route;
  if (!SENDS_RECORD.has(action)) return null;
  const { replaces } = request;
  if (replaces !== undefined) return replaces === false ? null : replaces === true ? 'record' : 'parts';
  if (isPut(route) && !leavesOut(request)) return request.keep_masked === undefined ? 'unsaid' : 'record';
  return action === 'update' ? 'parts' : null;
}
