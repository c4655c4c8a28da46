/** Method + canonical path (+ query, headers, body) → route, resource, action, fields used. */
import type { LimitsConfig } from '../config/sections/listen.ts';
import type { RouteConfig } from '../config/sections/routes.ts';
import { SluiceError } from '../errors.ts';
import type { Router } from './types.ts';

export { knownFrom, resolvePurpose } from './purpose.ts';
export type {
  CompiledRoute,
  Headers,
  Known,
  PurposeOfUse,
  RouteCandidates,
  Router,
  Selected,
} from './types.ts';

export function createRouter(
  _routes: readonly RouteConfig[],
  _limits: Pick<LimitsConfig, 'target' | 'depth'>,
): Router {
  throw new SluiceError('internal', 'routing is being built');
}
