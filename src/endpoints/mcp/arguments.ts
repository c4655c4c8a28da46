/** Arguments of a tool as the body of its route; parts of a URI as its path. */
import { SluiceError } from '../../errors.ts';
import { tokensOf } from '../../model/pointer.ts';
import { argumentsNamed } from './lists.ts';
import { isMembers, membersOf, sliceOf } from './message.ts';
import type { ToolConfig } from './section.ts';

export interface Given {
  /** as the caller has written them */
  readonly passed: string;
  /** the same values under the names of fields that the guard knows; null: there are none */
  readonly checked: Uint8Array | null;
}

const unknown = (message: string): SluiceError => new SluiceError('mcp_argument_unknown', message);

/**
 * @param raw the arguments as JSON
 * @throws SluiceError `mcp_argument_unknown`
 */
export function argumentsGiven(tool: ToolConfig, value: unknown, raw: string | undefined): Given {
  if (value === undefined || raw === undefined) return { passed: '{}', checked: null };
  if (!isMembers(value)) throw unknown('params.arguments is no object.');
  const named = argumentsNamed(tool);
  if (Object.keys(value).some((name) => !named.has(name)))
    throw unknown(
      named.size === 0
        ? 'This tool takes no arguments here.'
        : `The call has an argument that is none of ${[...named].join(', ')}.`,
    );
  if (Object.keys(value).length === 0) return { passed: raw, checked: null };
  return { passed: raw, checked: Buffer.from(renamed(tool.body, raw)) };
}

/** A node of an object that is written: raw JSON, or members. */
type Node = string | Map<string, Node>;

/** The arguments that are written stand under the pointers of their fields. */
function renamed(body: ToolConfig['body'], raw: string): string {
  const moves = new Map(
    Object.entries(body).map(([argument, field]) => [tokensOf(argument)[0]!, tokensOf(field)]),
  );
  if ([...moves].every(([name, field]) => field.length === 1 && field[0] === name)) return raw;
  const root = new Map<string, Node>();
  for (const [name, slice] of membersOf(raw)) {
    const steps = moves.get(name) ?? [name];
    let node = root;
    for (const step of steps.slice(0, -1)) {
      const next = node.get(step) ?? new Map<string, Node>();
      if (typeof next === 'string') throw unknown('Two arguments are about one field.');
      node.set(step, next);
      node = next;
    }
    const last = steps.at(-1)!;
    if (node.has(last)) throw unknown('Two arguments are about one field.');
    node.set(last, sliceOf(raw, slice));
  }
  return written(root);
}

const written = (node: Node): string =>
  typeof node === 'string'
    ? node
    : `{${[...node].map(([name, inner]) => `${JSON.stringify(name)}:${written(inner)}`).join(',')}}`;

interface Parts {
  /** the path of the parts of a URI; null: it is another one */
  of(uri: string): string | null;
  /** a path that the route of the resource takes */
  readonly example: string;
}

const COMPILED = new Map<string, Parts>();

/** @param template of the configuration, of which there are few */
export function partsOf(template: string): Parts {
  const known = COMPILED.get(template);
  if (known !== undefined) return known;
  const pattern = new RegExp(
    `^${template
      .split(/(\{[A-Za-z_][A-Za-z0-9_]*\})/)
      .map((part, i) => (i % 2 === 1 ? '([^/?#]+)' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
      .join('')}$`,
    'u',
  );
  const names = template.match(/\{[A-Za-z_][A-Za-z0-9_]*\}/g) ?? [];
  const parts: Parts = {
    of(uri) {
      const found = pattern.exec(uri);
      if (found === null) return null;
      // Only the canonical spelling of a part, so that the server reads what Sluice has read.
      if (!found.slice(1).every((part) => spelled(part) === part)) return null;
      return found
        .slice(1)
        .map((part) => `/${part}`)
        .join('');
    },
    example: names.map(() => '/x').join(''),
  };
  COMPILED.set(template, parts);
  return parts;
}

function spelled(part: string): string | null {
  try {
    return encodeURIComponent(decodeURIComponent(part));
  } catch {
    return null;
  }
}
