/** Reads and writes OPA's bundle format. A bundle of plain `opa build -t wasm` is accepted, too. */
import { createHash } from 'node:crypto';
import { SluiceError } from '../../errors.ts';
import type { Catalog } from '../../model/catalog.ts';
import { type ArchiveLimits, DEFAULT_LIMITS, type Files, readArchive, writeArchive } from './archive.ts';
import { APPROVALS, approvalsIn, withDigest } from './approval.ts';
import { checkRoots, mergeData } from './data.ts';
import { catalogsFromData } from '../catalog/bundled.ts';
import { isObject } from '../../documents/yaml.ts';
import { exactJson } from '../../rego/index.ts';
import { type SigningConfig, type SigningKey, signFiles, verifyFiles } from './signatures.ts';
import { filesOfUnitTests, unitTestsOf } from '../unit-tests/files.ts';
import type { UnitTests } from '../unit-tests/list.ts';
import { refuseReplacedHelpers } from './optimized.ts';

/** What one entrypoint reads: paths of input and data, and built-ins whose results depend on more than their arguments. */
export interface EntrypointReads {
  /** below `input`; `[]` means the whole input */
  readonly input: readonly (readonly string[])[];
  /** below `data` */
  readonly data: readonly (readonly string[])[];
  readonly nondeterministic: readonly string[];
  readonly reads_time: boolean;
  /** `from` or `until` of a consent */
  readonly consent_dates: boolean;
  /** the same if `input.context.grants` is an empty list, if that is less */
  readonly without_grants?: { readonly input: EntrypointReads['input']; readonly reads_time: boolean };
}

export interface Manifest {
  readonly revision: string;
  readonly roots: readonly string[];
  readonly metadata: { readonly [name: string]: unknown };
  readonly wasm: readonly { readonly entrypoint: string; readonly module: string }[];
}

export interface PolicyBundle {
  /** directory, file or URL it came from */
  readonly name: string;
  readonly revision: string;
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** base documents: as values, and as JSON text without loss of precision */
  readonly data: { readonly [name: string]: unknown };
  readonly dataJson: string;
  readonly manifest: Manifest;
  /** null: unknown, so the whole input is part of the cache key */
  readonly reads: ReadonlyMap<string, EntrypointReads> | null;
  readonly catalogs: ReadonlyMap<string, Catalog>;
  /** the files it was built from (rules, tests, data, catalogs, scenarios), relative path → text; empty if the bundle does not contain them */
  readonly sources: { readonly [path: string]: string };
  /** signed approvals in the bundle (`approval.ts`); not part of its content */
  readonly approvals: readonly string[];
  /** its compiled unit tests, if it was built with them */
  readonly tests?: UnitTests;
  /** why it was compiled without OPA's optimizer, although optimization was requested; evaluations may take longer */
  readonly unoptimized?: string;
}

export interface BundleOptions {
  readonly name: string;
  readonly limits?: ArchiveLimits;
  readonly signing?: SigningConfig;
}

const SOURCES = '.sluice/sources.json';
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws SluiceError `bundle_*`, `catalog_invalid` */
export const readBundle = async (bytes: Uint8Array, options: BundleOptions): Promise<PolicyBundle> => {
  const files = await readArchive(bytes, options.name, options.limits ?? DEFAULT_LIMITS);
  await verifyFiles(files, options.signing, options.name);
  const revision = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  try {
    return await bundleOf(files, options.name, revision);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new SluiceError('bundle_malformed', {
      message: `${options.name}: its data are nested too deep. Make them flatter.`,
      cause,
    });
  }
};

/** Yields to the event loop: a large bundle is read in small steps, so that requests are not delayed. */
export const pause = (): Promise<void> => new Promise((resume) => setImmediate(resume));

const bundleOf = async (files: Files, name: string, fallbackRevision: string): Promise<PolicyBundle> => {
  const fail = (message: string, cause?: unknown): never => {
    throw new SluiceError('bundle_malformed', {
      message: `${name}: ${message}`,
      ...(cause === undefined ? {} : { cause }),
    });
  };
  const json = (path: string): unknown => {
    try {
      return exactJson.parse(utf8.decode(files.get(path)));
    } catch (cause) {
      return fail(`${path} is not JSON.`, cause);
    }
  };

  const manifest = readManifest(files.has('.manifest') ? json('.manifest') : {}, name, fallbackRevision);
  const exact = mergeData(files, json, fail);
  await pause();
  checkRoots(manifest.roots, exact, name);
  const wasm = wasmOf(files, manifest, name);
  const reads = readsOf(manifest, wasm);
  await pause();
  const dataJson = exactJson.stringify(exact);
  const data = (exactJson.needed(dataJson) ? exactJson.plain(exact) : exact) as {
    readonly [name: string]: unknown;
  };
  await pause();
  const catalogs = catalogsOf(data, name);
  await pause();

  const sources: { [path: string]: string } = Object.create(null);
  if (files.has(SOURCES)) {
    const listed = json(SOURCES);
    if (isObject(listed))
      for (const [path, text] of Object.entries(listed)) if (typeof text === 'string') sources[path] = text;
  }
  const tests = unitTestsOf(files, json, fail);
  return {
    name,
    revision: manifest.revision,
    wasm: new Uint8Array(wasm),
    data,
    dataJson,
    manifest,
    reads,
    catalogs,
    sources,
    approvals: approvalsIn(files, name),
    ...(tests === null ? {} : { tests }),
  };
};

const readManifest = (value: unknown, name: string, fallbackRevision: string): Manifest => {
  const wrong = (what: string): SluiceError =>
    new SluiceError('bundle_malformed', `${name}: .manifest: ${what}.`);
  const m = exactJson.plain(value);
  if (!isObject(m)) throw wrong('not an object');
  const { revision, roots, metadata, wasm } = m;
  if (revision !== undefined && typeof revision !== 'string') throw wrong('revision is not text');
  if (
    roots !== undefined &&
    roots !== null &&
    !(Array.isArray(roots) && roots.every((r) => typeof r === 'string'))
  )
    throw wrong('roots is not a list of paths');
  if (metadata !== undefined && metadata !== null && !isObject(metadata))
    throw wrong('metadata is not an object');
  const modules = wasm ?? [];
  if (
    !Array.isArray(modules) ||
    !modules.every(
      (w) => isObject(w) && typeof w['entrypoint'] === 'string' && typeof w['module'] === 'string',
    )
  )
    throw wrong('wasm is not a list of { entrypoint, module }');
  return {
    revision: revision === undefined || revision === '' ? fallbackRevision : revision,
    roots: (roots as string[] | undefined | null) ?? [''],
    metadata: metadata ?? {},
    wasm: modules as Manifest['wasm'],
  };
};

/** The module with the entrypoints, as the manifest names it; `policy.wasm` if it names none. */
const wasmOf = (files: Files, manifest: Manifest, name: string): Uint8Array => {
  const listed = new Set(manifest.wasm.map((w) => w.module.replace(/^\//, '')));
  const found = [...files.keys()].filter((p) =>
    listed.size > 0 ? listed.has(p) : /(?:^|\/)policy\.wasm$/.test(p),
  );
  const [path] = found;
  if (path === undefined)
    throw new SluiceError(
      'bundle_malformed',
      `${name}: no policy.wasm in the bundle. Build it with \`sluice build\` or \`opa build -t wasm\`.`,
    );
  if (found.length > 1)
    throw new SluiceError(
      'bundle_malformed',
      `${name}: several modules (${found.join(', ')}); the entrypoints must be in one. Give them all to one \`opa build\`.`,
    );
  refuseReplacedHelpers(files, name);
  const wasm = files.get(path)!;
  if (!WebAssembly.validate(new Uint8Array(wasm)))
    throw new SluiceError('bundle_malformed', `${name}: ${path} is not a valid WebAssembly module.`);
  return wasm;
};

/** What the manifest says that entrypoints read; null if the manifest was written for another module. */
const readsOf = (manifest: Manifest, wasm: Uint8Array): ReadonlyMap<string, EntrypointReads> | null => {
  const ours = manifest.metadata['sluice'];
  if (!isObject(ours) || ours['format'] !== 1 || !isObject(ours['entrypoints'])) return null;
  if (ours['wasm_sha256'] !== createHash('sha256').update(wasm).digest('hex')) return null;
  const reads = new Map<string, EntrypointReads>();
  for (const [entrypoint, r] of Object.entries(ours['entrypoints']))
    if (
      isObject(r) &&
      arePaths(r['input']) &&
      arePaths(r['data']) &&
      areTexts(r['nondeterministic']) &&
      typeof r['reads_time'] === 'boolean' &&
      typeof r['consent_dates'] === 'boolean' &&
      (r['without_grants'] === undefined || isLess(r['without_grants']))
    )
      reads.set(entrypoint, r as unknown as EntrypointReads);
  return reads;
};

const isLess = (v: unknown): boolean =>
  isObject(v) && arePaths(v['input']) && typeof v['reads_time'] === 'boolean';
const areTexts = (v: unknown): v is string[] => Array.isArray(v) && v.every((x) => typeof x === 'string');
const arePaths = (v: unknown): v is string[][] => Array.isArray(v) && v.every(areTexts);

const catalogsOf = (
  data: { readonly [name: string]: unknown },
  name: string,
): ReadonlyMap<string, Catalog> => {
  const listed = data['catalog'];
  if (listed === undefined) return new Map();
  if (!isObject(listed))
    throw new SluiceError('catalog_invalid', `${name}: data.catalog is not an object of catalogs.`);
  return catalogsFromData(listed, name);
};

/** Writes a bundle that Sluice and OPA can load. */
export const writeBundle = async (
  bundle: PolicyBundle,
  key?: SigningKey & { readonly kid: string },
): Promise<Buffer> => {
  const text = (value: string): Uint8Array => Buffer.from(value, 'utf8');
  const manifest = {
    revision: bundle.revision,
    roots: bundle.manifest.roots,
    wasm: bundle.manifest.wasm.map((w) => ({ entrypoint: w.entrypoint, module: '/policy.wasm' })),
    rego_version: 1,
    metadata: withDigest(bundle),
  };
  const files = new Map<string, Uint8Array>([
    ['data.json', text(bundle.dataJson)],
    ['policy.wasm', bundle.wasm],
    [SOURCES, text(JSON.stringify(bundle.sources))],
    ...(bundle.approvals.length === 0
      ? []
      : [[APPROVALS, text(JSON.stringify({ approvals: bundle.approvals }))] as const]),
    ...filesOfUnitTests(bundle.tests),
    ['.manifest', text(JSON.stringify(manifest))],
  ]);
  if (key !== undefined) files.set('.signatures.json', text(JSON.stringify(await signFiles(files, key))));
  return writeArchive(files);
};
