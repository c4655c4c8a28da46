/** A matcher whose records begin at a place of another: the same states, fields and scopes. */
import type { Matcher, StateId } from '../formats/format.ts';

export const matcherAt = (matcher: Matcher, state: StateId): Matcher => ({
  root: state,
  begin: () => state,
  // no name of the outer document is one of the inner one's
  key: () => null,
  nothing: matcher.nothing,
  fields: matcher.fields,
  quasi: matcher.quasi,
  step: (from, name, ...aliases) => matcher.step(from, name, ...aliases),
  item: (from, index) => matcher.item(from, index),
  selectors: (id) => matcher.selectors(id),
  selectorKeys: (id) => matcher.selectorKeys(id),
  select: (id, sibling) => matcher.select(id, sibling),
  field: (id) => matcher.field(id),
  inner: (id) => matcher.inner(id),
  // whose data a record is was read before anything in it was parsed
  marked: () => false,
  marks: () => [],
  through: (id) => matcher.through(id),
  whole: (id) => matcher.whole(id),
  positional: (id) => matcher.positional(id),
  scope: (id) => matcher.scope(id),
  entry: (scope) => matcher.entry(scope),
  path: (field) => matcher.path(field),
  pathOf: (id) => matcher.pathOf(id),
  pointer: (id) => matcher.pointer(id),
  any: (id) => matcher.any(id),
  isRecord: (scope) => matcher.isRecord(scope),
  embedsByKey: false,
  transitions: () => matcher.transitions(),
  isQuasi: (field) => matcher.isQuasi(field),
});
