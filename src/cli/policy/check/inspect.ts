/** Checks a policy without running requests, and reports all faults. The file is long: it runs one check after the other. */
import { basename, join } from 'node:path';
import { isSluiceError } from '../../../errors.ts';
import { parameterFaults } from '../../../disclosure/treatments/check.ts';
import { parseCatalog, readCatalogs } from '../../../policy/catalog/read.ts';
import { DEFAULT_LIMITS } from '../../../policy/bundle/archive.ts';
import { type PolicyBundle, readBundle } from '../../../policy/bundle/bundle.ts';
import { compileFiles } from '../../../policy/compile.ts';
import { type PolicyDirectory, type PolicyFile, readPolicyDirectory } from '../../../policy/directory.ts';
import type { YamlDocument } from '../../../documents/yaml.ts';
import type { Opa } from '../../../policy/opa/opa.ts';
import { type Fault, faultsIn, sentenceOf } from '../../../documents/faults.ts';
import type { SigningConfig } from '../../../policy/bundle/signatures.ts';
import { readBounded } from '../../../policy/sources/file.ts';
import { checkQuotas } from '../../../quotas/index.ts';
import { createSnapshot, type LivePolicy } from '../../../policy/snapshot/index.ts';
import { readRoutes } from '../../../config/index.ts';
import { type Catalog, type WriteMode, writeModeOf } from '../../../model/catalog.ts';
import { compileRoutes, type RouteFault } from '../../../routing/compile.ts';
import { layoutOf } from '../../../disclosure/media.ts';
import { routeWarnings } from '../../../routing/warnings.ts';
import { readDocument } from './documents.ts';
import { type CausedFault, type Finding, findings } from './findings.ts';
import { type BySchema, nearestOrAll, referenceFaults, unknown } from './references.ts';
import { readScenarios } from '../testing/scenario-files.ts';
import { absentData } from './absent-data.ts';
import { agreementFindings } from './agreements.ts';
import {
  dataOf,
  fieldReferences,
  type KnownNames,
  knownNames,
  scenarioReferences,
} from './scenario-references.ts';
import { ASKED_ONCE, filesOf } from '../source.ts';
import { stage } from '../stage.ts';
import { annotated, strict } from './strict.ts';
import { styleFindings, unformatted } from './style.ts';
import { parseTrees } from '../explain/tree.ts';
import { type CatalogAt, obligationFindings, unreached } from './unreached.ts';
import { ambiguousWords } from './yaml-words.ts';

export interface Inspection {
  readonly findings: readonly Finding[];
  /** by resource; only those without faults */
  readonly catalogs: ReadonlyMap<string, Catalog>;
  /** resources whose catalog has faults; consequences of these are not reported */
  readonly broken: ReadonlySet<string>;
  /** roles, purposes and other names in its data */
  readonly names: KnownNames;
  /** null if it does not compile */
  readonly policy: LivePolicy | null;
  /** the bundle that would be loaded; null if it cannot be loaded */
  readonly bundle: PolicyBundle | null;
  /** data by schema */
  readonly documents: BySchema;
  /** of the policy; null if it does not compile */
  readonly data: { readonly [name: string]: unknown } | null;
  readonly counts: {
    readonly rules: number;
    readonly tests: number;
    readonly data: number;
    readonly catalogs: number;
    readonly fields: number;
    readonly scenarios: number;
  };
  /** fields of each resource by write mode */
  readonly writes: { readonly [resource: string]: { readonly [mode in WriteMode]: number } };
}

const NOTHING: Omit<Inspection, 'findings'> = {
  catalogs: new Map(),
  broken: new Set(),
  names: new Map(),
  policy: null,
  bundle: null,
  documents: new Map(),
  data: null,
  counts: { rules: 0, tests: 0, data: 0, catalogs: 0, fields: 0, scenarios: 0 },
  writes: {},
};

/** @throws SluiceError `policy_unavailable` if there is no policy, `opa_*` */
export async function inspectPolicy(dir: string, opa: Opa): Promise<Inspection> {
  let files: PolicyDirectory;
  try {
    files = await readPolicyDirectory(dir);
  } catch (e) {
    if (!isSluiceError(e, 'policy_compile_failed')) throw e;
    return { ...NOTHING, findings: findings(faultsIn(e), 'compile') };
  }
  return inspectFiles(files, opa);
}

/** @throws SluiceError `opa_*` */
export async function inspectFiles(files: PolicyDirectory, opa: Opa): Promise<Inspection> {
  const found: Finding[] = [];
  const documents = dataFindings(files, found);
  const { catalogs, broken } = catalogFindings(files, found);
  found.push(...findings(referenceFaults(documents, catalogs, broken), 'reference'));
  const names = knownNames(documents);
  const scenarios = scenarioFindings(files, documents, catalogs, broken, found);
  found.push(...agreementFindings(documents, new Date()));
  const policy = await compiled(files, opa, found);
  if (policy !== null) found.push(...absentData(policy, files));
  await regoFindings(files, opa, policy?.source.dataJson ?? '{}', found);
  // The consequences of a fault would be reported again as warnings, once for every role.
  if (policy !== null && found.every((f) => f.severity !== 'fault'))
    found.push(...obligationFindings(policy, files.dir), ...unreached(policy, documents, catalogs));
  return {
    findings: told(found),
    catalogs: byResource(catalogs),
    broken,
    names,
    policy,
    bundle: policy?.source ?? null,
    documents,
    data: policy?.data ?? null,
    counts: {
      rules: files.rego.length,
      tests: files.tests.length,
      data: files.data.length,
      catalogs: files.catalogs.length,
      fields: catalogs.reduce((n, c) => n + Object.keys(c.catalog.fields).length, 0),
      scenarios,
    },
    writes: writesOf(catalogs, policy?.data ?? {}),
  };
}

/** If both the schema and another check reject a value, the other check's message is better: it suggests a name or a date. */
const told = (found: readonly Finding[]): readonly Finding[] => {
  const at = ({ file, line, column }: Finding): string => `${file}:${line}:${column}`;
  const known = new Set(found.filter((f) => f.rule === 'reference' || f.rule === 'agreement').map(at));
  return found.filter((f) => f.rule !== 'data' || f.line === undefined || !known.has(at(f)));
};

/**
 * A bundle that `sluice build` made is looked at as the directory that it was made of, besides what keeps it from being loaded.
 * @throws SluiceError `bundle_unavailable`, `opa_*`
 */
export async function inspectBundle(
  file: string,
  signing: SigningConfig | undefined,
  opa: Opa,
): Promise<Inspection> {
  let bundle: PolicyBundle;
  try {
    bundle = await readBundle(readBounded(file, DEFAULT_LIMITS.compressed), {
      name: file,
      ...(signing === undefined ? {} : { signing }),
    });
  } catch (e) {
    if (!isSluiceError(e) || e.code === 'bundle_unavailable') throw e;
    return { ...NOTHING, findings: findings([{ file, message: e.message }], 'bundle') };
  }
  if (Object.keys(bundle.sources).length > 0)
    return { ...(await inspectFiles(filesOf(bundle, file), opa)), bundle };
  const note =
    'this bundle does not say what it was made of: only what its catalogs and data show is checked';
  return {
    ...NOTHING,
    bundle,
    findings: [
      ...findings([{ file, message: note }], 'bundle', 'note'),
      ...attempted('data', () => checkQuotas(bundle.data)),
    ],
    catalogs: bundle.catalogs,
    data: bundle.data,
  };
}

/** How many fields of each resource are written in which way, as their lines and categories say. */
function writesOf(
  catalogs: readonly CatalogAt[],
  data: { readonly [name: string]: unknown },
): Inspection['writes'] {
  return Object.fromEntries(
    catalogs.map(({ catalog }) => {
      const modes = { never: 0, as_read: 0, always: 0 };
      for (const entry of Object.values(catalog.fields))
        if ('category' in entry) modes[writeModeOf(entry, data)] += 1;
      return [catalog.resource, modes];
    }),
  );
}

const byResource = (catalogs: readonly CatalogAt[]): ReadonlyMap<string, Catalog> =>
  new Map(catalogs.map(({ catalog }) => [catalog.resource, catalog]));

/** data that Sluice itself goes by, so that they need not name their schema */
const OWN_DATA: ReadonlyMap<string, string> = new Map(
  ['identifiers', 'quotas'].map((name) => [`${name}.yaml`, `policy-${name}.schema.json`]),
);

function dataFindings(files: PolicyDirectory, found: Finding[]): Map<string, YamlDocument[]> {
  const documents = new Map<string, YamlDocument[]>();
  for (const { path, text } of files.data) {
    const read = readDocument(join(files.dir, path), text, OWN_DATA.get(basename(path)) ?? null);
    found.push(...findings(read.faults, 'data'), ...findings(read.unchecked, 'schema', 'warning'));
    if (read.document === null || read.schema === null) continue;
    if (!path.endsWith('.json')) found.push(...findings(ambiguousWords(read.document), 'data'));
    documents.set(read.schema, [...(documents.get(read.schema) ?? []), read.document]);
  }
  return documents;
}

function catalogFindings(
  files: PolicyDirectory,
  found: Finding[],
): { readonly catalogs: readonly CatalogAt[]; readonly broken: ReadonlySet<string> } {
  const broken = new Set<string>();
  const at = (f: PolicyFile): string => join(files.dir, f.path);
  found.push(
    ...attempted('catalog', () =>
      readCatalogs(files.catalogs.map((f) => ({ file: at(f), text: f.text }))),
    ).map((f) => {
      const [, resource] = /: no catalog for resource "([^"]+)"/.exec(f.message) ?? [];
      return resource === undefined ? f : { ...f, cause: unknown('catalog of a resource', resource) };
    }),
  );
  const catalogs = files.catalogs.flatMap((f) => {
    const { document } = readDocument(at(f), f.text, null);
    if (document === null) {
      for (const name of resourcesOf(f)) broken.add(name);
      return [];
    }
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
      for (const name of resourcesOf(f)) broken.add(name);
      return [];
    }
  });
  return { catalogs, broken };
}

/** What a catalog with faults is probably about. */
const resourcesOf = ({ path, text }: PolicyFile): readonly string[] => [
  basename(path).replace(/\.[^.]*$/, ''),
  ...[...text.matchAll(/^\s*["']?resource["']?\s*:\s*["']?([\w.:-]+)/gm)].map((m) => m[1]!),
];

function scenarioFindings(
  files: PolicyDirectory,
  data: BySchema,
  catalogs: readonly CatalogAt[],
  broken: ReadonlySet<string>,
  found: Finding[],
): number {
  const { documents, faults } = readScenarios(files.dir, files.scenarios);
  found.push(...findings(faults, 'scenario'));
  const resources = byResource(catalogs);
  found.push(...findings(fieldReferences(documents, resources, broken), 'scenario'));
  for (const scenarios of documents) {
    const own = dataOf(scenarios, data);
    found.push(
      ...findings(scenarioReferences([scenarios], knownNames(own)), 'scenario'),
      // what the policy's files say of each other has been said
      ...findings(
        referenceFaults(own, catalogs, broken).filter(({ file }) => own !== data && file === scenarios.file),
        'reference',
      ),
    );
  }
  for (const { content, document } of documents) {
    for (const [i, route] of content.routes.entries())
      if (!resources.has(route.resource) && !broken.has(route.resource))
        found.push(
          ...findings(
            [
              {
                ...document.fault(
                  ['routes', i, 'resource'],
                  `there is no catalog of a resource "${route.resource}"${nearestOrAll(route.resource, [...resources.keys()])}`,
                ),
                cause: unknown('catalog of a resource', route.resource),
              },
            ],
            'scenario',
          ),
        );
    const { routes, faults: unread } = readRoutes(
      content.routes.map((route) => ({ upstream: 'crm', action: 'read', ...route })),
    );
    const at = ({ route, key, message }: RouteFault): Fault =>
      document.fault(['routes', route, ...key], message);
    found.push(
      ...findings(
        unread.map(({ path, message }) => document.fault(['routes', ...path], sentenceOf({ path, message }))),
        'scenario',
      ),
    );
    if (routes === null) continue;
    found.push(
      ...findings(compileRoutes(routes).faults.map(at), 'scenario'),
      ...routeWarnings(routes, resources, layoutOf)
        .filter(({ key }) => key[0] !== 'resource')
        .flatMap((f) => findings([at(f)], 'scenario', f.severity)),
    );
  }
  return documents.reduce((n, d) => n + d.content.scenarios.length, 0);
}

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
    return await createSnapshot(await compileFiles(files, { opa }), { cache: ASKED_ONCE });
  } catch (e) {
    if (!isSluiceError(e) || e.code.startsWith('opa_')) throw e;
    // What is wrong with data and catalogs has been told by their own checks, with more of them.
    const told = new Set(found.map((f) => `${f.file}:${f.line}`));
    const rule = e.code === 'policy_builtin_refused' ? 'builtin' : 'compile';
    found.push(
      ...findings(
        firstOfParser(faultsIn(e)).filter((f) => !told.has(`${f.file}:${f.line}`)),
        rule,
      ),
    );
    return null;
  }
}

/** Behind the first error of syntax in a file a parser guesses: what it says of the rest follows from that. */
function firstOfParser(faults: readonly CausedFault[]): CausedFault[] {
  const broken = new Set<string | undefined>();
  return faults.filter(({ file, message }) => {
    // OPA stops counting; with `--max-errors 0` the strict check tells the rest.
    if (message.endsWith('error limit reached')) return false;
    if (!message.startsWith('rego_parse_error')) return true;
    return broken.has(file) ? false : broken.add(file) !== undefined;
  });
}

async function regoFindings(
  files: PolicyDirectory,
  opa: Opa,
  dataJson: string,
  found: Finding[],
): Promise<void> {
  if (files.rego.length + files.tests.length === 0) return;
  const staged = await stage(files, dataJson, { tests: true });
  try {
    const told = new Set(found.map((f) => `${f.file}:${f.line}`));
    found.push(
      ...findings(firstOfParser(await strict(opa, staged, annotated(files))), 'strict').filter(
        (f) => !told.has(`${f.file}:${f.line}`),
      ),
    );
    const trees = await parseTrees(opa, staged, [...files.rego, ...files.tests]);
    found.push(...styleFindings(trees, files), ...(await unformatted(opa, staged)));
  } finally {
    await staged.remove();
  }
}
