/** Everything that can be said of a policy without running it on traffic, all faults at once. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSluiceError } from '../../errors.ts';
import type { Catalog } from '../../model/catalog.ts';
import { classOf } from '../../model/catalog.ts';
import { parameterFaults } from '../../disclosure/treatments/check.ts';
import { parseCatalog, readCatalogs } from '../../policy/catalog.ts';
import { compileFiles } from '../../policy/compile.ts';
import { type PolicyDirectory, type PolicyFile, readPolicyDirectory } from '../../policy/directory.ts';
import { isObject, type YamlDocument } from '../../policy/document.ts';
import type { Opa } from '../../policy/opa.ts';
import { faultsIn, faultsOf, type PolicyFault } from '../../policy/opa-faults.ts';
import { DisclosureInputSchema } from '../../policy/schemas.ts';
import { createSnapshot, type LivePolicy } from '../../policy/snapshot.ts';
import { compileRoutes } from '../../routing/compile.ts';
import { axesOf } from './axes.ts';
import { readDocument } from './documents.ts';
import { everySchema, schemaText } from './emitted.ts';
import { type Finding, findings } from './findings.ts';
import { gridOf } from './grid.ts';
import { referenceFaults } from './references.ts';
import { readScenarios } from './scenario-files.ts';
import { stage, type Staged } from './stage.ts';
import { styleFindings, unformatted } from './style.ts';
import { parseTrees } from './tree.ts';

export interface Inspection {
  readonly findings: readonly Finding[];
  readonly counts: {
    readonly rules: number;
    readonly tests: number;
    readonly data: number;
    readonly catalogs: number;
    readonly fields: number;
    readonly scenarios: number;
  };
}

interface CatalogAt {
  readonly catalog: Catalog;
  readonly document: YamlDocument;
}

/** @throws SluiceError `policy_unavailable` when there is nothing to look at, `opa_*` */
export async function inspectPolicy(dir: string, opa: Opa): Promise<Inspection> {
  const files = await readPolicyDirectory(dir);
  const found: Finding[] = [];
  const documents = dataFindings(files, found);
  const catalogs = catalogFindings(files, found);
  found.push(...findings(referenceFaults(documents, catalogs), 'reference'));
  const scenarios = scenarioFindings(files, catalogs, found);
  const policy = await compiled(files, opa, found);
  await regoFindings(files, opa, policy?.source.dataJson ?? '{}', found);
  // What a fault closes would be told again as a warning, once for every role.
  if (policy !== null && found.every((f) => f.severity === 'warning'))
    found.push(...askedFindings(policy, documents, catalogs));
  return {
    findings: found,
    counts: {
      rules: files.rego.length,
      tests: files.tests.length,
      data: files.data.length,
      catalogs: files.catalogs.length,
      fields: catalogs.reduce((n, c) => n + Object.keys(c.catalog.fields).length, 0),
      scenarios,
    },
  };
}

function dataFindings(files: PolicyDirectory, found: Finding[]): Map<string, YamlDocument[]> {
  const documents = new Map<string, YamlDocument[]>();
  for (const { path, text } of files.data) {
    const read = readDocument(join(files.dir, path), text, null);
    found.push(...findings(read.faults, 'data'), ...findings(read.unchecked, 'schema', 'warning'));
    if (read.document === null || read.schema === null) continue;
    documents.set(read.schema, [...(documents.get(read.schema) ?? []), read.document]);
  }
  return documents;
}

function catalogFindings(files: PolicyDirectory, found: Finding[]): CatalogAt[] {
  const at = (f: PolicyFile): string => join(files.dir, f.path);
  found.push(
    ...attempted('catalog', () => readCatalogs(files.catalogs.map((f) => ({ file: at(f), text: f.text })))),
  );
  return files.catalogs.flatMap((f) => {
    const { document } = readDocument(at(f), f.text, null);
    if (document === null) return [];
    try {
      const catalog = parseCatalog(at(f), f.text);
      for (const [pointer, entry] of Object.entries(catalog.fields))
        if ('category' in entry)
          for (const message of parameterFaults(entry)) {
            const treatment = message.slice(0, message.indexOf(':'));
            found.push(
              ...findings(
                [document.fault(['fields', pointer, treatment], `${pointer}: ${message}`)],
                'treatment',
              ),
            );
          }
      return [{ catalog, document }];
    } catch (e) {
      if (!isSluiceError(e)) throw e;
      return [];
    }
  });
}

function scenarioFindings(files: PolicyDirectory, catalogs: readonly CatalogAt[], found: Finding[]): number {
  const { documents, faults } = readScenarios(files.dir, files.scenarios);
  found.push(...findings(faults, 'scenario'));
  const resources = new Set(catalogs.map((c) => c.catalog.resource));
  for (const { content, document } of documents) {
    for (const [i, route] of content.routes.entries())
      if (!resources.has(route.resource))
        found.push(
          ...findings(
            [
              document.fault(
                ['routes', i, 'resource'],
                `there is no catalog of a resource "${route.resource}"`,
              ),
            ],
            'scenario',
          ),
        );
    found.push(
      ...findings(
        routeFaults(content.routes).map(({ route, key, message }) =>
          document.fault(['routes', route, ...key], message),
        ),
        'scenario',
      ),
    );
  }
  return documents.reduce((n, d) => n + d.content.scenarios.length, 0);
}

/** What the router says to them, with what sluice.yaml fills in. */
function routeFaults(routes: readonly object[]): ReturnType<typeof compileRoutes>['faults'] {
  const filled = routes.map((r) => ({
    upstream: 'crm',
    action: 'read',
    params: {},
    properties: {},
    query_fields: {},
    query_params: [],
    repeatable: [],
    ...r,
    request: {
      format: 'json',
      refused_fields: 'refuse',
      fields: {},
      params: [],
      domains: {},
      ...member(r, 'request'),
    },
    response: { options: {}, ...member(r, 'response') },
  }));
  return compileRoutes(filled as unknown as Parameters<typeof compileRoutes>[0]).faults;
}

const member = (value: object, name: string): object => {
  const found = (value as { readonly [k: string]: unknown })[name];
  return isObject(found) ? found : {};
};

function attempted(rule: string, work: () => unknown): Finding[] {
  try {
    work();
    return [];
  } catch (e) {
    if (!isSluiceError(e)) throw e;
    return findings(faultsIn(e), rule);
  }
}

async function compiled(files: PolicyDirectory, opa: Opa, found: Finding[]): Promise<LivePolicy | null> {
  try {
    return await createSnapshot(await compileFiles(files, { opa }));
  } catch (e) {
    if (!isSluiceError(e) || e.code.startsWith('opa_')) throw e;
    // What is wrong with data and catalogs has been told by their own checks, with more of them.
    const told = new Set(found.map((f) => `${f.file}:${f.line}`));
    const rule = e.code === 'policy_builtin_refused' ? 'builtin' : 'compile';
    found.push(
      ...findings(
        faultsIn(e).filter((f) => !told.has(`${f.file}:${f.line}`)),
        rule,
      ),
    );
    return null;
  }
}

async function regoFindings(
  files: PolicyDirectory,
  opa: Opa,
  dataJson: string,
  found: Finding[],
): Promise<void> {
  const staged = await stage(files, dataJson, { tests: true });
  try {
    const told = new Set(found.map((f) => `${f.file}:${f.line}`));
    found.push(
      ...findings(await strict(opa, staged, annotated(files)), 'strict').filter(
        (f) => !told.has(`${f.file}:${f.line}`),
      ),
    );
    const trees = await parseTrees(opa, staged, [...files.rego, ...files.tests]);
    found.push(...styleFindings(trees, files), ...(await unformatted(opa, staged)));
  } finally {
    await staged.remove();
  }
}

/** whether rules name schemas of their own, in annotations */
const annotated = (files: PolicyDirectory): boolean => files.rego.some((f) => /^#\s+schemas:/m.test(f.text));

const INPUT = 'disclosure-input.schema.json';

/** `opa check --strict` with the input's schema: a misspelled member of the input is found before it denies everybody. */
async function strict(opa: Opa, staged: Staged, ownSchemas: boolean): Promise<PolicyFault[]> {
  const dir = join(staged.dir, 'schemas');
  await mkdir(dir);
  for (const [name, schema] of Object.entries(everySchema()))
    await writeFile(join(dir, name.replace('.schema.json', '.json')), schemaText(schema));
  await writeFile(join(staged.dir, INPUT), schemaText(DisclosureInputSchema));
  const run = await opa.run(
    ['check', '--strict', '--format', 'json', '--schema', ownSchemas ? 'schemas' : INPUT, staged.rego],
    { cwd: staged.dir },
  );
  if (run.code === 0) return [];
  const errors = (parsed(run.stderr) ?? parsed(run.stdout))?.errors ?? [];
  const open = new Set(
    errors.filter(isOpen).map((e) => `${e.location?.file}:${e.location?.row}:${e.location?.col}`),
  );
  return faultsOf(run, '')
    .filter((f) => !open.has(`${f.file}:${f.line}:${f.column}`))
    .map((f) => ({ ...f, ...(f.file === undefined ? {} : { file: staged.original(f.file) }) }));
}

interface TypeError {
  readonly location?: { readonly file?: string; readonly row?: number; readonly col?: number };
  readonly details?: { readonly ref?: readonly { readonly value: unknown }[]; readonly pos?: number };
}

const parsed = (text: string): { readonly errors?: readonly TypeError[] } | null => {
  try {
    return JSON.parse(text) as { errors?: readonly TypeError[] };
  } catch {
    return null;
  }
};

/** OPA takes an object that lists members for one that has no others; ours may (claims of your own, obligations). */
function isOpen({ details }: TypeError): boolean {
  if (details?.ref === undefined || details.pos === undefined) return false;
  let schema: unknown = DisclosureInputSchema;
  for (const { value } of details.ref.slice(1, details.pos)) {
    const properties = isObject(schema) ? schema['properties'] : undefined;
    schema = isObject(properties) ? properties[String(value)] : undefined;
  }
  return isObject(schema) && schema['additionalProperties'] === true;
}

/** Found out by asking: classes that no answer names, purposes and roles that nothing gets through with. */
function askedFindings(
  policy: LivePolicy,
  documents: ReadonlyMap<string, readonly YamlDocument[]>,
  catalogs: readonly CatalogAt[],
): Finding[] {
  const options = {
    clearance: 5,
    amr: ['pwd', 'otp', 'mfa'],
    justification: 'sluice check',
    at: new Date().toISOString(),
    // Also what only writes: a purpose may be for that alone.
    action: ['read', 'search', 'export', 'create', 'update', 'delete'],
  };
  const axes = axesOf(policy, options);
  if (axes.roles.length === 0 || axes.purposes.length === 0) return [];
  const grid = gridOf(policy, { ...axes, tiers: [null, 1, 2, 3] }, options);
  const found: PolicyFault[] = [];
  const at = (schema: string, path: readonly string[], message: string): PolicyFault =>
    documents.get(schema)?.[0]?.fault(path, message, 'key') ?? { message };
  const roles = new Set(grid.rows.map((r) => r.role));
  const purposes = new Set(grid.rows.map((r) => r.purpose));
  for (const role of axes.roles)
    if (!roles.has(role))
      found.push(
        at(
          'policy-roles.schema.json',
          ['roles', role],
          `role "${role}" gets through with no purpose, for no recipient`,
        ),
      );
  for (const purpose of axes.purposes)
    if (!purposes.has(purpose))
      found.push(
        at(
          'policy-purposes.schema.json',
          ['purposes', purpose],
          `no role gets through with purpose "${purpose}"`,
        ),
      );
  for (const { catalog, document } of catalogs) {
    const rows = grid.rows.filter((r) => r.resource === catalog.resource);
    if (rows.length === 0) {
      found.push(document.fault(['resource'], `nobody gets through to the resource "${catalog.resource}"`));
      continue;
    }
    const told = new Set<string>();
    for (const [pointer, entry] of Object.entries(catalog.fields)) {
      if (!('category' in entry) || told.has(classOf(entry))) continue;
      const cls = classOf(entry);
      const cells = rows.flatMap((r) => Object.values(r.states).map((s) => s[cls]));
      if (cells.some((c) => c !== undefined && c.because !== 'class_not_named' && c.do !== 'withheld'))
        continue;
      told.add(cls);
      found.push(
        document.fault(
          ['fields', pointer],
          `no answer of the policy names the class ${cls}: a field of it is always dropped`,
          'key',
        ),
      );
    }
  }
  return findings(found, 'coverage', 'warning');
}
