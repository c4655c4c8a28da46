/** A matcher whose root is a state of another matcher: the states, fields and scopes are the same. */
import type { Matcher, StateId } from '../formats/format.ts';

export const matcherAt = (matcher: Matcher, state: StateId): Matcher => ({
  root: state,
  begin: () => state,
  // the inner document is not under a name of its own
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
  // the data subjects of the record were read before the document is parsed
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
