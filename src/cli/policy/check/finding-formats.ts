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
  agreement: 'Agreements with partners have not ended and do not end soon.',
  approval: 'The policy has the approvals that policy.require_approval requires.',
  builtin: 'Rules call no built-in function whose result cannot be replayed.',
  bundle: 'The bundle in the configuration can be loaded.',
  catalog: 'Each resource has one catalog, and each of its fields has a class.',
  compile: 'The rules compile.',
  complete:
    'Files that grant or refuse something are marked as complete (a first line `---` and a last line `...`).',
  config: 'The configuration is valid, and its routes use resources and fields of the catalogs.',
  consent: 'Consents are valid and use names that the policy defines.',
  coverage: 'Every role, purpose, resource and class is used by at least one possible request.',
  data: 'Data files match their schema.',
  default: 'Every `allow` rule has a `default allow := false`.',
  format: 'Rules are formatted by `opa fmt`.',
  identifier: 'Ids of data subjects match the pattern of their type.',
  key: 'Key files can be read and contain valid keys.',
  reference: 'Names that one file uses are defined in another.',
  revocation: 'The list of revoked tokens and subjects is valid.',
  scenario: 'Scenarios are valid and use names that the policy defines.',
  schema: 'The schema that a file names exists.',
  strict: 'Rules read only members that the input has.',
  style: 'Rules follow the style conventions (length, names, titles).',
  treatment: 'Treatments have valid parameters.',
  usage: 'Permissions of the policy were used in recorded decisions (--journal).',
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
