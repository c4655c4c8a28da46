/** JSON Schemas of tools, as callers are shown them. */
import { isMembers, type Members } from './message.ts';

const DEEPEST = 32;

/** keywords that hold a schema, a list of schemas, or schemas by name */
const ONE: ReadonlySet<string> = new Set(['items', 'additionalProperties']);
const LISTS: ReadonlySet<string> = new Set(['anyOf', 'allOf', 'oneOf', 'prefixItems']);
const TABLES: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions']);
const WORDS: ReadonlySet<string> = new Set(['title', 'description', '$ref', '$schema']);

/**
 * The schema of a result of which anything may be missing, masked or generalized: nothing is required, members may be more, and a value may be null or a
 * text. Keywords that could refuse what is left are dropped. A client that validates (the official SDK does) accepts such a result.
 */
export function relaxed(schema: unknown, depth = 0): unknown {
  if (!isMembers(schema) || depth > DEEPEST) return {};
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(schema)) {
    if (WORDS.has(name) && typeof value === 'string') out[name] = value;
    else if (name === 'type') out['type'] = depth === 0 ? value : loosened(value);
    else if (ONE.has(name) && isMembers(value)) out[name] = relaxed(value, depth + 1);
    // What matched one of several may match more of them when it is relaxed.
    else if (LISTS.has(name) && Array.isArray(value))
      out[name === 'oneOf' ? 'anyOf' : name] = value.map((one) => relaxed(one, depth + 1));
    else if (TABLES.has(name) && isMembers(value))
      out[name] = mapped(value, (one) => relaxed(one, depth + 1));
  }
  return out;
}

const loosened = (type: unknown): unknown => {
  const types = [type].flat().filter((one) => typeof one === 'string');
  return [...new Set([...types, 'null', 'string'])];
};

const mapped = (members: Members, change: (value: unknown) => unknown): Members =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [name, change(value)]));

/** The arguments that the mapping names; others are refused. */
export function argumentsOf(schema: unknown, named: ReadonlySet<string>): Members {
  const own = isMembers(schema) ? schema : {};
  const properties = isMembers(own['properties']) ? own['properties'] : {};
  const required = Array.isArray(own['required']) ? own['required'] : [];
  const shared = Object.fromEntries(
    ['$defs', 'definitions', '$schema'].flatMap((name) =>
      own[name] === undefined ? [] : [[name, own[name]]],
    ),
  );
  return plain({
    ...shared,
    type: 'object',
    properties: Object.fromEntries(Object.entries(properties).filter(([name]) => named.has(name))),
    required: required.filter((name) => typeof name === 'string' && named.has(name)),
    additionalProperties: false,
  }) as Members;
}

/** Without extensions: `x-mcp-header` would have clients repeat arguments in headers, which Sluice does not pass on. */
function plain(value: unknown, depth = 0): unknown {
  if (depth > DEEPEST) return {};
  if (Array.isArray(value)) return value.map((one) => plain(one, depth + 1));
  if (!isMembers(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !name.startsWith('x-'))
      .map(([name, one]) => [name, plain(one, depth + 1)]),
  );
}
