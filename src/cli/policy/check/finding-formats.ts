/** Output formats of findings: text, JSON, GitHub Actions commands, and SARIF for code scanning. */
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import colours from 'picocolors';
import { colourful, type Io } from '../../io.ts';
import { version } from '../../../version.ts';
import { type Finding, type Place, spellPlace } from './findings.ts';

export const FORMATS = ['text', 'json', 'github', 'sarif'] as const;
export type Format = (typeof FORMATS)[number];

/** What each rule checks: for `--format sarif`, and for the table in docs/policy-tools.md. */
export const RULES: { readonly [rule: string]: string } = {
  agreement: 'An agreement with a partner that has ended or soon ends.',
  approval: 'The policy has the approval that policy.require_approval asks for.',
  builtin: 'Built-in functions whose answer cannot be replayed are refused.',
  bundle: 'The bundle that the configuration names can be loaded.',
  catalog: 'Each resource has one catalog, and each of its fields a class.',
  compile: 'The rules compile.',
  complete: 'A file of refusals says that it is whole.',
  config: 'The configuration can be read, and its routes name what the catalogs have.',
  consent: 'Consents can be read and name what the policy knows.',
  coverage: 'Every role, purpose, resource and class is reached by some request.',
  data: 'Data files keep to their schema.',
  default: 'A rule that allows has a default that does not.',
  format: 'Rules are written as `opa fmt` writes them.',
  identifier: 'Ids of data subjects have the form that the policy gives them.',
  key: 'Files with keys can be read and hold keys.',
  reference: 'Names in one file exist in those that define them.',
  revocation: 'The list of revoked tokens and subjects can be read.',
  scenario: 'Scenarios can be read and name what the policy knows.',
  schema: 'The schema that a file names is there.',
  strict: 'The rules read only what the input has.',
  style: 'Rules are easy to review.',
  treatment: 'Treatments have parameters that fit.',
  usage: 'What the policy gives was used (--journal).',
};

const MARKS = { fault: 'red', warning: 'yellow', note: 'cyan' } as const;
/** other places that a line names */
const NAMED = 3;

export function tell(list: readonly Finding[], io: Io): void {
  const paint = colourful(io);
  const colour = colours.createColors(paint);
  for (const f of list) {
    const place = spellPlace(f);
    const mark = colour[MARKS[f.severity]](f.severity);
    io.stdout.write(
      `${place === '' ? '' : `${place}: `}${mark}: ${f.message}${besides(f)} ${colour.dim(`[${f.rule}]`)}\n`,
    );
  }
}

const besides = ({ also = [] }: Finding): string =>
  also.length === 0
    ? ''
    : `; also at ${also.slice(0, NAMED).map(spellPlace).join(', ')}${also.length > NAMED ? ` and ${also.length - NAMED} more places` : ''}`;

const COMMANDS = { fault: 'error', warning: 'warning', note: 'notice' } as const;

/** Base of file names, so that code hosts find the files: the repository, in any directory of a GitHub Actions step. */
export function repositoryOf({ cwd, env }: Pick<Io, 'cwd' | 'env'>): string {
  const workspace = env['GITHUB_WORKSPACE'];
  return workspace !== undefined && isAbsolute(workspace) && isWithin(workspace, cwd)
    ? resolve(workspace)
    : cwd;
}

const isWithin = (dir: string, path: string): boolean => {
  const short = relative(dir, path);
  return short !== '..' && !short.startsWith(`..${sep}`) && !isAbsolute(short);
};

/**
 * GitHub Actions commands, one for each finding: an annotation at its line. The runner ends a command at a line break, and
 * a property also at `:` and `,`.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
 */
export function githubCommands(list: readonly Finding[], cwd: string, root: string): string {
  const named = <P extends Place>(place: P): P =>
    place.file === undefined ? place : { ...place, file: forward(inRoot(resolve(cwd, place.file), root)) };
  return list
    .map((found) => {
      const f = { ...named(found), ...(found.also === undefined ? {} : { also: found.also.map(named) }) };
      const properties = [
        ['file', f.file],
        ['line', f.line],
        ['col', f.column],
        ['title', `sluice check: ${f.rule}`],
      ].flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${property(String(value))}`]));
      return `::${COMMANDS[f.severity]} ${properties.join(',')}::${data(`${f.message}${besides(f)}`)}\n`;
    })
    .join('');
}

const data = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

const LEVELS = { fault: 'error', warning: 'warning', note: 'note' } as const;
const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';

/**
 * SARIF 2.1.0: one run, files relative to `root` (`SRCROOT`), places in characters, as in YAML and Rego. Code scanning rejects a
 * result without a place, so findings without a file are placed at the checked directory or file.
 * @param about directory or file
 */
export function sarifOf(
  list: readonly Finding[],
  { cwd, root, about }: { readonly cwd: string; readonly root: string; readonly about: string },
): object {
  const at = (place: Place): object => locationOf({ file: about, ...place }, cwd, root);
  const used = [...new Set(list.map((f) => f.rule))].sort();
  const index = new Map(used.map((rule, i) => [rule, i]));
  return {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'sluice',
            semanticVersion: version(),
            rules: used.map((id) => ({ id, shortDescription: { text: RULES[id] ?? id } })),
          },
        },
        originalUriBaseIds: { SRCROOT: { uri: `${pathToFileURL(root).href.replace(/\/$/, '')}/` } },
        columnKind: 'utf16CodeUnits',
        results: list.map((f) => ({
          ruleId: f.rule,
          ruleIndex: index.get(f.rule)!,
          level: LEVELS[f.severity],
          message: { text: f.message },
          locations: [at(f)],
          ...(f.also === undefined ? {} : { relatedLocations: f.also.map(at) }),
        })),
      },
    ],
  };
}

function locationOf({ file = '', line = 1, column }: Place, cwd: string, root: string): object {
  const path = resolve(cwd, file);
  const artifactLocation = isWithin(root, path)
    ? { uri: relative(root, path).split(sep).map(encodeURIComponent).join('/') || '.', uriBaseId: 'SRCROOT' }
    : { uri: pathToFileURL(path).href };
  return {
    physicalLocation: {
      artifactLocation,
      region: { startLine: line, ...(column === undefined ? {} : { startColumn: column }) },
    },
  };
}

const inRoot = (path: string, root: string): string => (isWithin(root, path) ? relative(root, path) : path);
const forward = (file: string): string => file.split(sep).join('/');
