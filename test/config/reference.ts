/** The reference part of docs/configuration.md, from the schema. `node test/config/reference.ts` writes it anew. */
import '../../src/json-parse.ts';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Schema } from '../../src/documents/reader.ts';
import { configSchema } from '../../src/config/schema.ts';

export const DOCUMENT = join(import.meta.dirname, '../../docs/configuration.md');
const BEGIN = '<!-- from the schema: node test/config/reference.ts -->';

interface Row {
  readonly path: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** Every member that a configuration may have, depth first. */
export function rows(schema: Schema, path = ''): Row[] {
  const found: Row[] = [];
  const inner = (s: Schema): Schema[] =>
    s.anyOf ? s.anyOf.flatMap(inner) : [...(s.items ? inner(s.items) : [s])];
  const walk = (s: Schema, at: string): void => {
    for (const part of inner(s)) {
      const suffix = isList(s) ? '[]' : '';
      for (const [name, member] of Object.entries(part.properties ?? {})) {
        const here = `${at}${suffix}${at === '' ? '' : '.'}${name}`;
        found.push({
          path: here,
          schema: member,
          required: part.required?.includes(name) === true && member.default === undefined,
        });
        walk(member, here);
      }
      for (const member of Object.values(part.patternProperties ?? {})) walk(member, `${at}${suffix}.<name>`);
    }
  };
  walk(schema, path);
  return found;
}

const isList = (s: Schema): boolean => s.items !== undefined;

function typeOf(s: Schema): string {
  if (s.kind && s.kind !== 'one_or_more') return s.kind;
  if (s.anyOf) return [...new Set(s.anyOf.map(typeOf))].join(' or ');
  if (s.const !== undefined) return `\`${String(s.const)}\``;
  if (s.enum) return s.enum.map((v) => `\`${String(v)}\``).join(', ');
  if (s.items) return `list of ${typeOf(s.items)}`;
  if (s.patternProperties) return `table of ${typeOf(Object.values(s.patternProperties)[0] ?? {})}`;
  if (s.properties) return 'section';
  return s.type === 'integer' ? 'whole number' : s.type === 'string' ? 'text' : String(s.type ?? 'any');
}

function bounds(s: Schema): string {
  const least = s.min ?? s.minimum;
  const most = s.max ?? s.maximum;
  if (least === undefined && most === undefined) return '';
  return ` (${least ?? ''}…${most ?? ''})`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export function reference(): string {
  const sections = new Map<string, Row[]>();
  for (const row of rows(configSchema as unknown as Schema)) {
    const section = /^[a-z_]+/.exec(row.path)?.[0] ?? '';
    sections.set(section, [...(sections.get(section) ?? []), row]);
  }
  return [...sections]
    .map(([section, members]) => {
      const lines = members.map(({ path, schema, required }) => {
        const initial = schema.default;
        const shown =
          initial === undefined ||
          (typeof initial === 'object' && initial !== null && Object.keys(initial).length === 0)
            ? required
              ? 'required'
              : ''
            : `\`${JSON.stringify(initial)}\``;
        return `| \`${path}\` | ${cell(typeOf(schema))}${bounds(schema)} | ${cell(shown)} | ${cell(schema.description ?? '')} |`;
      });
      return `### ${section}\n\n| member | type | default | |\n|---|---|---|---|\n${lines.join('\n')}\n`;
    })
    .join('\n');
}

export const documented = (): string => readFileSync(DOCUMENT, 'utf8').split(BEGIN)[1]?.trim() ?? '';

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  writeFileSync(DOCUMENT, `${readFileSync(DOCUMENT, 'utf8').split(BEGIN)[0]}${BEGIN}\n\n${reference()}`);
