/** Reads and rewrites case files: a description, then sections that each begin with a line `-- name (options) --` (see README.md). */
import { parseDocument } from 'yaml';
import { didYouMean } from '../../src/documents/near-name.ts';

export interface Section {
  readonly name: string;
  readonly options: readonly string[];
  /** 1-based line of the section's title */
  readonly line: number;
  /** without empty lines at its end */
  readonly text: string;
}

export interface CaseFile {
  readonly path: string;
  readonly description: string;
  readonly sections: readonly Section[];
}

/** Bodies: how the text of the section becomes bytes. Any other option of such a section is a charset. */
const BODY = ['crlf', 'final newline', 'gzip', 'deflate', 'br', 'zstd', 'base64'] as const;

/** name, or the beginning of a name that goes on → its options; null: those of a body */
const SECTIONS: Readonly<Record<string, readonly string[] | null>> = {
  'sluice.yaml': [],
  'consents.yaml': [],
  'policies/data': [],
  'policies/sluice.rego': [],
  'policies/catalog/': [],
  'file ': [],
  token: ['unsigned', 'altered', 'another key', 'unknown key id', 'HS256'],
  'request before': null,
  request: null,
  'upstream receives': null,
  'upstream answers': null,
  answer: null,
  record: [],
};
const UPSTREAM = ['silent', 'break off'];
const REPEATED = new Set([
  'policies/catalog/',
  'file ',
  'request before',
  'upstream receives',
  'upstream answers',
]);
const NEEDED = ['request', 'answer', 'record'];

export class CaseError extends Error {
  constructor(path: string, line: number, message: string) {
    super(`${path}:${line}: ${message}`);
    this.name = 'CaseError';
  }
}

const TITLE = /^-- (.*?)(?: \(([^()]*)\))? --$/;

/** @throws CaseError every fault of the file's structure, with its line */
export function parseCase(path: string, text: string, isCharset: (name: string) => boolean): CaseFile {
  const lines = text.split('\n');
  const titles = lines.flatMap((line, i) => (/^-- .* --$/.test(line) ? [i] : []));
  const fail = (line: number, message: string): never => {
    throw new CaseError(path, line, message);
  };
  const description = lines.slice(0, titles[0]).join('\n').trim();
  if (description === '')
    fail(1, 'A case begins with a sentence that says what it shows, before its first section.');
  const sections = titles.map((at, n): Section => {
    const [, name = '', options] = TITLE.exec(lines[at]!)!;
    const kind = kindOf(name);
    if (kind === undefined)
      return fail(
        at + 1,
        `There is no section "${name}"${didYouMean(name, Object.keys(SECTIONS)) || `. There are: ${Object.keys(SECTIONS).join(', ')}.`}`,
      );
    const given = options === undefined ? [] : options.split(',').map((o) => o.trim());
    const known = SECTIONS[kind] ?? [...BODY, ...(kind === 'upstream answers' ? UPSTREAM : [])];
    for (const option of given)
      if (!known.includes(option) && !(SECTIONS[kind] === null && isCharset(option)))
        fail(
          at + 1,
          `The section "${name}" has no option "${option}"${didYouMean(option, known) || `. It has: ${known.join(', ')}${SECTIONS[kind] === null ? ', and the names of charsets' : ''}.`}`,
        );
    if (!REPEATED.has(kind) && titles.slice(0, n).some((t) => TITLE.exec(lines[t]!)?.[1] === name))
      fail(at + 1, `The section "${name}" stands twice.`);
    const body = lines.slice(at + 1, titles[n + 1]).join('\n');
    return { name, options: given, line: at + 1, text: body.replace(/\n+$/, '') };
  });
  for (const name of NEEDED)
    if (!sections.some((s) => s.name === name)) fail(lines.length, `The section "-- ${name} --" is missing.`);
  return { path, description, sections };
}

const kindOf = (name: string): string | undefined =>
  Object.keys(SECTIONS).find((s) => s === name || (/[ /]$/.test(s) && name.startsWith(s) && name !== s));

/** The YAML of a section; an empty one is an empty object. @throws CaseError with the line in the file */
export function yamlOf(file: CaseFile, section: Section | undefined): Record<string, unknown> {
  if (section === undefined) return {};
  const document = parseDocument(section.text, { uniqueKeys: true });
  const [fault] = document.errors;
  if (fault)
    throw new CaseError(
      file.path,
      section.line + (fault.linePos?.[0].line ?? 1),
      fault.message.split('\n')[0]!,
    );
  const value: unknown = document.toJS() ?? {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new CaseError(file.path, section.line, `The section "${section.name}" is a YAML mapping.`);
  return value as Record<string, unknown>;
}

/** The file with the text of some sections replaced; everything else stays as it is. */
export function withSections(
  source: string,
  file: CaseFile,
  changed: ReadonlyMap<Section, Partial<Section>>,
): string {
  const lines = source.split('\n');
  const out = lines.slice(0, (file.sections[0]?.line ?? 1) - 1);
  for (const [i, section] of file.sections.entries()) {
    const end = file.sections[i + 1]?.line ?? lines.length + 1;
    const change = changed.get(section);
    if (change === undefined) {
      out.push(...lines.slice(section.line - 1, end - 1));
      continue;
    }
    const { name, options, text } = { ...section, ...change };
    out.push(`-- ${name}${options.length === 0 ? '' : ` (${options.join(', ')})`} --`, text);
    if (i < file.sections.length - 1) out.push('');
    else if (lines.at(-1) === '') out.push('');
  }
  return out.join('\n');
}
