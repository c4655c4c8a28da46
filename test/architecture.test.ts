/** Who may import what (design §4). Each rule is one sentence; a breach names the file and the import. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

interface Import {
  readonly file: string;
  readonly from: string;
  readonly typeOnly: boolean;
  /** `import()`: loaded when it is needed */
  readonly isLate: boolean;
}

const files = (readdirSync(SRC, { recursive: true }) as string[])
  .map((f) => f.replaceAll('\\', '/'))
  // AssemblyScript, compiled to the module beside it, is no TypeScript.
  .filter((f) => f.endsWith('.ts') && !f.endsWith('.d.ts') && !f.includes('/assembly/'))
  .sort();

/** The formatter keeps every import and re-export in one of these shapes, so that a pattern is enough to find them. */
const STATEMENT =
  /(?:^|\n)(?:import|export)(\s+type)?(?:\s+[^'";]*?\s+from)?\s*'([^']+)'|(?<!typeof )\bimport\(\s*'([^']+)'\s*\)(?!\.)|\bimport\('([^']+)'\)/g;

const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return [...text.matchAll(STATEMENT)].map((m) => {
    const target = m[2] ?? m[3] ?? m[4] ?? '';
    const from = target.startsWith('.')
      ? relative(SRC, resolve(SRC, dirname(file), target)).replaceAll('\\', '/')
      : target;
    return {
      file,
      from,
      typeOnly: m[1] !== undefined || m[4] !== undefined,
      isLate: m[3] !== undefined,
    };
  });
});

/** A source file without its comments. */
const codeOf = (file: string): string =>
  readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');

const room = (path: string): string => (path.includes('/') ? (path.split('/')[0] as string) : path);
const local = imports.filter((i) => files.includes(i.from) || i.from.startsWith('..'));
const breaches = (list: readonly Import[]): string[] => list.map((i) => `${i.file} imports ${i.from}`);

const STAGES = [
  'identity',
  'routing',
  'policy',
  'consent',
  'upstream',
  'disclosure',
  'decision-log',
  'store',
  'reviews',
  'grants',
  'quotas',
  'idempotency',
  'signing',
  'erasure',
  'links',
  'notices',
  'shares',
  'verification',
];

describe('architecture', () => {
  test('the scan sees the imports', () => {
    expect(imports.length).toBeGreaterThan(files.length);
    expect(local.some((i) => i.file === 'main.ts' && i.from === 'cli/run.ts')).toBe(true);
  });

  test('model imports only model', () => {
    expect(
      breaches(
        imports.filter(
          (i) => room(i.file) === 'model' && !i.from.startsWith('node:') && room(i.from) !== 'model',
        ),
      ),
    ).toEqual([]);
  });

  test('model imports nothing that runs', () => {
    expect(
      breaches(imports.filter((i) => room(i.file) === 'model' && !i.typeOnly && room(i.from) !== 'model')),
    ).toEqual([]);
  });

  test('a stage imports model, documents, errors, observability and its own files', () => {
    const allowed = (i: Import): boolean => {
      const to = room(i.from);
      return (
        ['model', 'documents', 'errors.ts', 'observability', 'json-parse.ts', room(i.file)].includes(to) ||
        (to === 'rego' && ['policy', 'decision-log'].includes(room(i.file)))
      );
    };
    expect(breaches(local.filter((i) => STAGES.includes(room(i.file)) && !allowed(i)))).toEqual([]);
  });

  test('the entry points of the process, its threads and its children import json-parse.ts before everything else, and nothing else does', () => {
    // A thread of a few lines of text has no module.
    const STARTS = /new Worker\((?![A-Z]+, \{ eval: true)|(?<![.\w])fork\(/;
    const threads = files.flatMap((f) =>
      STARTS.test(codeOf(f))
        ? [...codeOf(f).matchAll(/'(\.[^']*\.ts)'\s*:/g)].map((m) => join(dirname(f), m[1]!))
        : [],
    );
    expect(threads).toHaveLength(files.filter((f) => STARTS.test(codeOf(f))).length);
    const entries = ['main.ts', ...threads].sort();
    expect(imports.filter((i) => i.from === 'json-parse.ts').map((i) => i.file)).toEqual(entries);
    for (const entry of entries)
      expect([entry, imports.find((i) => i.file === entry)?.from]).toEqual([entry, 'json-parse.ts']);
    // What it imports is loaded before it acts.
    expect(imports.filter((i) => i.file === 'json-parse.ts').map((i) => i.from)).toEqual([
      'model/json-text.ts',
    ]);
    expect(imports.filter((i) => i.file === 'model/json-text.ts')).toEqual([]);
  });

  test('scripts outside of src that run its code import json-parse.ts before everything else', () => {
    const scripts = ['bench', 'examples', 'test'].flatMap((folder) =>
      (readdirSync(join(ROOT, folder), { recursive: true }) as string[])
        .filter((f) => f.endsWith('.ts') && !f.includes('node_modules') && !f.endsWith('.d.ts'))
        .map((f) => `${folder}/${f.replaceAll('\\', '/')}`),
    );
    const importsIn = new Map(
      scripts.map((file) => {
        const text = readFileSync(join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
        const found = [...text.matchAll(STATEMENT)].filter((m) => m[1] === undefined && m[4] === undefined);
        return [
          file,
          found
            .map((m) => m[2] ?? m[3] ?? '')
            .map((to) => (to.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), to)) : to)),
        ] as const;
      }),
    );
    const runsSrc = (file: string, seen = new Set<string>()): boolean => {
      if (seen.has(file)) return false;
      seen.add(file);
      return (importsIn.get(file) ?? []).some((to) => to.startsWith('src/') || runsSrc(to, seen));
    };
    const imported = new Set([...importsIn.values()].flat());
    // What vitest runs has it from vitest.config.ts.
    const entries = scripts.filter(
      (f) =>
        !f.endsWith('.test.ts') &&
        (!imported.has(f) || /process\.argv/.test(readFileSync(join(ROOT, f), 'utf8'))),
    );
    expect(entries.length).toBeGreaterThan(10);
    expect(entries.filter((f) => runsSrc(f) && importsIn.get(f)![0] !== 'src/json-parse.ts')).toEqual([]);
  });

  test('documents imports model, errors and its own files', () => {
    expect(
      breaches(
        local.filter(
          (i) => room(i.file) === 'documents' && !['documents', 'model', 'errors.ts'].includes(room(i.from)),
        ),
      ),
    ).toEqual([]);
  });

  test('config imports nothing of a stage but its section', () => {
    const ofStages = local.filter(
      (i) => room(i.file) === 'config' && [...STAGES, 'endpoints', 'observability'].includes(room(i.from)),
    );
    expect(breaches(ofStages.filter((i) => !/\/section\.ts$/.test(i.from)))).toEqual([]);
  });

  test('only config puts sections together: elsewhere a section is run by its own folder alone', () => {
    const sections = local.filter((i) => /(?:^|\/)section(?:\.ts$|\/)/.test(i.from) && !i.typeOnly);
    expect(
      breaches(sections.filter((i) => room(i.file) !== 'config' && room(i.file) !== room(i.from))),
    ).toEqual([]);
  });

  test('the pipeline takes its stages as arguments: it imports types of them, and runs none', () => {
    expect(
      breaches(
        local.filter((i) => room(i.file) === 'pipeline' && STAGES.includes(room(i.from)) && !i.typeOnly),
      ),
    ).toEqual([]);
  });

  test('changes takes its stores as arguments: it imports types of them, and runs none', () => {
    expect(
      breaches(
        local.filter((i) => room(i.file) === 'changes' && STAGES.includes(room(i.from)) && !i.typeOnly),
      ),
    ).toEqual([]);
  });

  test('a store is changed through changes alone: commands and endpoints call no function of a store that changes it', () => {
    const makes = /\bcreate(?:ConsentRecords|Grants|RevocationRecords|ApiKeyRecords)\(/;
    const making = files.filter((f) => makes.test(codeOf(f).replace(/export function \w+\(/g, '')));
    expect(making).toEqual(['cli/opened.ts', 'compose/admin.ts']);
  });

  test('rego imports nothing of Sluice', () => {
    expect(breaches(local.filter((i) => room(i.file) === 'rego' && room(i.from) !== 'rego'))).toEqual([]);
  });

  test('others import only rego/index.ts of rego', () => {
    expect(
      breaches(
        local.filter((i) => room(i.from) === 'rego' && room(i.file) !== 'rego' && i.from !== 'rego/index.ts'),
      ),
    ).toEqual([]);
  });

  test('only compose wires: nothing but commands imports it', () => {
    expect(
      breaches(
        local.filter(
          (i) => room(i.from) === 'compose' && !['cli', 'main.ts', 'compose'].includes(room(i.file)),
        ),
      ),
    ).toEqual([]);
  });

  test('an endpoint uses stages only through authorize, disclose and what records and releases their results', () => {
    const foreign = local.filter(
      (i) => room(i.file) === 'endpoints' && [...STAGES, 'cli', 'compose'].includes(room(i.from)),
    );
    expect(breaches(foreign)).toEqual([]);
    const entries = [
      'administer',
      'authorize',
      'call',
      'disclose',
      'disclose-field',
      'handle',
      'permitted',
      'proxy',
      'record',
      'release',
    ];
    const deep = local.filter(
      (i) =>
        room(i.file) === 'endpoints' &&
        room(i.from) === 'pipeline' &&
        !i.typeOnly &&
        !entries.includes(i.from.slice('pipeline/'.length, -'.ts'.length)),
    );
    expect(breaches(deep)).toEqual([]);
    // An endpoint passes the stages on: it reads no member of them.
    const reads = /(?<!\/)\bstages\s*(?:\?\.|\.|\[)|\}\s*(?::\s*[^,)=]*\bStages\b|=\s*stages\b)/;
    expect(reads.test('stages.guard.query(x)') && reads.test('({ log }: Stages)')).toBe(true);
    expect(files.filter((f) => f.startsWith('endpoints/') && reads.test(codeOf(f)))).toEqual([]);
  });

  test('the pipeline knows no endpoint', () => {
    expect(
      breaches(local.filter((i) => room(i.file) === 'pipeline' && room(i.from) === 'endpoints')),
    ).toEqual([]);
  });

  test('the input of sluice/decision is built in pipeline/authorize.ts alone, for commands as well', () => {
    const builds = /\bcontext: \{[^{}]*\bgrants\b/;
    expect(files.filter((f) => builds.test(codeOf(f)) && !f.startsWith('model/'))).toEqual([
      'pipeline/authorize.ts',
    ]);
  });

  test('sluice/decision is asked in pipeline/authorize.ts alone, by commands as well', () => {
    const elsewhere: Readonly<Record<string, string>> = {
      'policy/shadow.ts': 'asks the live and the shadow policy what authorize asks',
    };
    const asks = /[\w)\]]\s*\??\.decide\b|\{[^{}]*\bdecide\b[^{}]*\}\s*=\s*\w*(?:policy|snapshot)/i;
    const asking = files.filter((f) => asks.test(codeOf(f)));
    expect(asking.filter((f) => f !== 'pipeline/authorize.ts' && !(f in elsewhere))).toEqual([]);
    expect(['pipeline/authorize.ts', ...Object.keys(elsewhere)].filter((f) => !asking.includes(f))).toEqual(
      [],
    );
  });

  test('reports are made from decisions alone: they import model, errors and types of the query interface', () => {
    const isQuery = (i: Import): boolean => i.from === 'decision-log/index/query.ts' && i.typeOnly;
    expect(
      breaches(
        local.filter(
          (i) =>
            room(i.file) === 'reports' &&
            !['reports', 'model', 'errors.ts'].includes(room(i.from)) &&
            !isQuery(i),
        ),
      ),
    ).toEqual([]);
  });

  test('the console sees only the query interface of the decision log', () => {
    expect(
      breaches(
        local.filter(
          (i) =>
            room(i.file) === 'console' &&
            !['console', 'model', 'errors.ts'].includes(room(i.from)) &&
            i.from !== 'decision-log/index/query.ts',
        ),
      ),
    ).toEqual([]);
  });

  /** folders or files that may import a package; several only with a reason */
  const OWNERS: Readonly<
    Record<string, readonly string[] | { readonly in: readonly string[]; readonly why: string }>
  > = {
    '@nats-io/jetstream': ['decision-log/sinks/nats.ts'],
    '@nats-io/transport-node': ['decision-log/sinks/nats.ts'],
    '@noble/ciphers': ['disclosure/treatments/'],
    '@open-policy-agent/opa-wasm': ['rego/instance.ts'],
    '@opentelemetry/otlp-transformer': ['decision-log/sinks/otlp.ts'],
    '@opentelemetry/api': ['observability/tracing.ts'],
    '@opentelemetry/exporter-trace-otlp-http': ['observability/tracing.ts'],
    '@opentelemetry/resources': {
      in: ['decision-log/sinks/otlp.ts', 'observability/tracing.ts'],
      why: 'logs and spans both say which process they are of',
    },
    '@opentelemetry/sdk-trace': ['observability/tracing.ts'],
    '@redis/client': {
      in: ['quotas/connection.ts', 'store/hints.ts'],
      why: 'counters and hints of changes may be in two servers, and either is used without the other',
    },
    'age-encryption': ['decision-log/age.ts'],
    ajv: ['cli/policy/check/documents.ts'],
    'ajv-formats': ['cli/policy/check/documents.ts'],
    aws4fetch: ['decision-log/journal/object-store.ts'],
    asn1js: ['rego/builtins/x509'],
    'cli-progress': ['cli/'],
    'cli-table3': ['cli/'],
    commander: ['cli/'],
    'csv-parse': ['cli/consent/read.ts'],
    echarts: ['reports/chart.ts'],
    express: ['endpoints/'],
    'fastest-levenshtein': ['documents/near-name.ts'],
    graphql: ['rego/builtins/graphql'],
    'iconv-lite': ['disclosure/formats/shared/charsets.ts'],
    jose: {
      in: ['identity/', 'policy/bundle/', 'disclosure/treatments/', 'signing/'],
      why: 'tokens, signatures of bundles, encrypted values and what Sluice signs are uses of one library of cryptography',
    },
    'pg-copy-streams': ['decision-log/index'],
    'lru-cache': { in: [''], why: 'a cache belongs to what it caches' },
    pg: {
      in: ['decision-log/index/', 'store/'],
      why: 'the index of decisions is another database than the store, often on another server',
    },
    picocolors: ['cli/'],
    pino: ['observability/'],
    'prom-client': ['observability/'],
    re2js: { in: ['documents/pattern.ts', 'rego/builtins/'], why: 'rego imports nothing of Sluice' },
    saxes: {
      in: ['disclosure/formats/xml/', 'routing/body/', 'decision-log/journal/object-store.ts'],
      why: 'answers and requests are read by two stages, which import nothing of each other; a store lists its objects in XML',
    },
    'shamir-secret-sharing': ['cli/recovery.ts'],
    'string-width': ['cli/text.ts'],
    'structured-headers': ['endpoints/'],
    'tar-stream': {
      in: ['policy/bundle/', 'cli/decisions/evidence.ts'],
      why: 'a bundle of a policy is read into memory, within limits; evidence may be larger than memory',
    },
    typebox: ['documents/kinds.ts'],
    undici: {
      in: ['upstream/', 'decision-log/sinks/posting.ts', 'decision-log/journal/object-store.ts'],
      why: 'a sink needs client certificates and limits, which fetch does not have, and no upstream; a store wants the length of a file that is streamed',
    },
    yaml: {
      in: ['documents/', 'rego/builtins/'],
      why: 'the built-ins yaml.* of Rego read values of a policy as OPA does, and no documents of Sluice',
    },
  };
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };

  test('every package has an owner, and only one unless a reason is given', () => {
    expect(Object.keys(OWNERS).sort()).toEqual(Object.keys(manifest.dependencies).sort());
    expect(Object.entries(OWNERS).filter(([, of]) => Array.isArray(of) && of.length > 1)).toEqual([]);
  });

  test.each(['ajv', 'ajv-formats', 'asn1js', 'aws4fetch', 'echarts', 'graphql'])(
    'the package %s is loaded when it is needed, and not at every start',
    (name) => {
      // graphql's lists of names are a file each
      const loads = imports.filter(
        ({ from, typeOnly, isLate }) =>
          !typeOnly &&
          !isLate &&
          (from === name || (from.startsWith(`${name}/`) && !from.startsWith('graphql/language/'))),
      );
      expect(breaches(loads)).toEqual([]);
    },
  );

  test.each(Object.keys(OWNERS))('the package %s is imported by its owner alone', (name) => {
    const of = OWNERS[name]!;
    const folders = 'why' in of ? of.in : of;
    const users = imports.filter((i) => i.from === name || i.from.startsWith(`${name}/`));
    expect(breaches(users.filter((i) => !folders.some((folder) => i.file.startsWith(folder))))).toEqual([]);
  });

  test('SQLite is used by the decision log and the store alone', () => {
    const users = imports.filter((i) => i.from === 'node:sqlite');
    expect(users.length).toBeGreaterThan(0);
    expect(breaches(users.filter((i) => !/^(?:decision-log|store)\//.test(i.file)))).toEqual([]);
  });

  const filesWith = (code: RegExp): string[] =>
    files.filter((f) => code.test(readFileSync(join(SRC, f), 'utf8')));

  test('only documents resolves env: and file:', () => {
    expect(filesWith(/startsWith\(\s*'(?:env|file):'|\/\^\(?(?:\?:)?(?:env|file):/)).toEqual([
      'documents/secrets.ts',
    ]);
  });

  test('the escapes of JSON Pointers are decoded in model/pointer.ts alone', () => {
    // rego imports nothing of Sluice
    const decoding = filesWith(/replaceAll\('~[01]'/).filter((f) => !f.startsWith('rego/'));
    expect(decoding).toEqual(['model/pointer.ts']);
  });

  const FORMATS = 'disclosure/formats/';

  test('a format imports format.ts, formats/shared/ and its own folder', () => {
    const own = (i: Import): string => i.file.split('/').slice(0, 3).join('/');
    const allowed = (i: Import): boolean =>
      i.from === `${FORMATS}format.ts` ||
      [own(i), `${FORMATS}shared`].some((folder) => i.from.startsWith(`${folder}/`)) ||
      ['model', 'errors.ts'].includes(room(i.from));
    const formats = local.filter(
      (i) => /^disclosure\/formats\/[^/]+\//.test(i.file) && !i.file.startsWith(`${FORMATS}shared/`),
    );
    expect(formats.length).toBeGreaterThan(50);
    expect(breaches(formats.filter((i) => !allowed(i)))).toEqual([]);
  });

  test('formats.ts alone registers formats: no other file imports one, except documents in fields (inner/)', () => {
    const isFormat = (file: string): boolean => /^disclosure\/formats\/(?!shared\/)[^/]+\//.test(file);
    expect(
      breaches(
        local.filter(
          (i) =>
            isFormat(i.from) &&
            !isFormat(i.file) &&
            i.file !== `${FORMATS}formats.ts` &&
            !i.file.startsWith('disclosure/inner/'),
        ),
      ),
    ).toEqual([]);
  });

  test('of disclosure, formats/ imports subjects/ and treatments/ alone, which import no other part of it', () => {
    const below = [FORMATS, 'disclosure/subjects/', 'disclosure/treatments/'];
    const within = (i: Import): boolean => i.from.startsWith('disclosure/');
    expect(
      breaches(
        local.filter(
          (i) => i.file.startsWith(FORMATS) && within(i) && !below.some((b) => i.from.startsWith(b)),
        ),
      ),
    ).toEqual([]);
    for (const folder of below.slice(1))
      expect(
        breaches(local.filter((i) => i.file.startsWith(folder) && within(i) && !i.from.startsWith(folder))),
      ).toEqual([]);
  });

  test('whatever emits errors has a listener for them in the file that creates it', () => {
    // Of Node and of the packages that we use: what ends the process if its 'error' event is not heard.
    const created =
      /(?<![.\w])(?:createServer|createTlsServer|spawn|fork|execFile|new Worker|new Pool|new Client|new InterimClient|createReadStream|createWriteStream|create(?:Gunzip|Gzip|Inflate|InflateRaw|Deflate|BrotliCompress|BrotliDecompress|ZstdCompress|ZstdDecompress)|new EventEmitter|new Socket|createConnection)\(|= (?:watch|extract|pack|connect)\(|pino\.destination\(|new pg\.Pool\(|cluster\.fork\(/g;
    /** who else hears it */
    const elsewhere: Readonly<Record<string, string>> = {
      'compose/listen.ts':
        '`listen` and `draining` of endpoints/listening.ts, for the admin server and its sockets',
      'endpoints/proxy/proxy.ts': '`listen` of endpoints/listening.ts, for the server; its sockets here',
      'policy/bundle/archive.ts': '`pipeline` and the loops that read',
      'decision-log/journal/archive.ts': '`pipeline`',
      'decision-log/journal/unarchive.ts': '`pipeline`',
      'decision-log/verify/file.ts': 'the loops that read',
      'cli/decisions/evidence.ts': '`pipeline` and the loops that read',
      'decision-log/evidence/write.ts': 'the loop that reads',
    };
    const heard = /\.on\('error'|heard\(|\bpipeline\(/g;
    const silent = files.filter((f) => {
      // The built-ins of the policy are plain functions; some have names of these.
      if (f.startsWith('rego/builtins/') || f in elsewhere) return false;
      const text = readFileSync(join(SRC, f), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      const count = (pattern: RegExp): number => text.match(pattern)?.length ?? 0;
      const emitters = count(created);
      return emitters > 0 && count(heard) < emitters;
    });
    expect(silent).toEqual([]);
    expect(Object.keys(elsewhere).filter((f) => !files.includes(f))).toEqual([]);
  });

  test('there are no cycles', () => {
    const edges = new Map<string, string[]>();
    for (const i of local) if (!i.typeOnly) edges.set(i.file, [...(edges.get(i.file) ?? []), i.from]);
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (file: string, path: string[]): void => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
        return;
      }
      state.set(file, 'open');
      for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      state.set(file, 'done');
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test('answers of the policy are interpreted in model/verdict.ts alone, and questions about records are built there', () => {
    /** files that read members of an answer and draw no conclusion from them */
    const elsewhere: Readonly<Record<string, string>> = {
      'policy/shadow.ts': 'compares two answers member by member',
      'disclosure/fields/program.ts': 'indexes the named fields by pointer for `choiceIn`',
      'disclosure/fields/catalogs.ts': 'adds the named fields to the automaton',
      'disclosure/session/unasked.ts': 'adds fields to an answer',
      'disclosure/session/summary.ts': 'writes the answer into the record',
      'cli/explain.ts': 'prints what `explain` found, which has members of these names',
      'cli/policy/explain/account.ts': 'says whether an answer named a field or its class',
    };
    const answer = '(?:answer|answers\\[\\w+\\]!?|live|shadow|writable|shown|decision)';
    const reads = new RegExp(
      [
        // treatments by class and by field, and whether the record is disclosed at all
        '(?<!\\.)\\.classes\\b(?!\\()',
        `\\b${answer}\\??\\.(?:fields\\b|disclose\\b(?!\\())`,
        `\\{[^{}]*\\b(?:classes|fields|disclose)\\b[^{}]*\\} = ${answer}\\b`,
        // the tier in force
        '(?<!flags|options)\\.tier \\?\\?',
        `\\b${answer}\\.tier (?:===|!==) null \\?`,
        // the question about a record
        'record: \\{ attributes(?:: \\{\\})? \\}',
      ].join('|'),
    );
    const reading = files.filter((f) => f !== 'model/verdict.ts' && reads.test(codeOf(f)));
    expect(reading.filter((f) => !(f in elsewhere))).toEqual([]);
    expect(Object.keys(elsewhere).filter((f) => !reading.includes(f))).toEqual([]);
    expect(reads.test(codeOf('model/verdict.ts'))).toBe(true);
  });

  test('a benchmark is type-checked, and takes its stages from compose/build.ts', () => {
    const { include } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')) as {
      readonly include: readonly string[];
    };
    expect(include).toContain('bench');
    const bench = (readdirSync(join(ROOT, 'bench'), { recursive: true }) as string[])
      .filter((f) => f.endsWith('.ts') && !f.includes('node_modules'))
      .map((f) => [f, readFileSync(join(ROOT, 'bench', f), 'utf8')] as const);
    const wired = bench.filter(([, text]) => text.includes('createProxyPipeline('));
    expect(wired.map(([f]) => f)).toContain('pipeline.ts');
    expect(wired.filter(([, text]) => !text.includes('compose/build.ts')).map(([f]) => f)).toEqual([]);
  });

  test('a cache subscribes to announcements of changes, or its answers depend on nothing but their key', () => {
    const reasons: Readonly<Record<string, string>> = {
      'verification/cases.ts':
        'cases that were found, for verification.case.cache: the upstream announces nothing',
      'verification/failures.ts': 'counts of failed proofs, no answers',
      'consent/lookups.ts': 'entries expire: the upstream that was asked announces nothing',
      'consent/states.ts': 'equal states are one object',
      'decision-log/sinks/masking.ts': 'belongs to the rules of one policy; the key has all that they read',
      'disclosure/fields/catalogs.ts': 'compiled from the catalog and the pointer in the key',
      'disclosure/subjects/places.ts': 'compiled patterns',
      'endpoints/responses.ts': 'the spelling of a header',
      'policy/snapshot/index.ts': 'belongs to one snapshot; the key has all that the policy reads',
      'policy/snapshot/projection.ts': 'numbers of texts',
      'store/sqlite.ts': 'prepared statements',
      'decision-log/index/postgres.ts': 'documents never change; emptied with the tables',
      'decision-log/index/sqlite.ts': 'the same',
    };
    const caches = files.filter(
      (f) => !['rego', 'cli'].includes(room(f)) && /new LRUCache\b/.test(codeOf(f)),
    );
    const subscribes = (f: string): boolean => /\binvalidation\??\.subscribe\(/.test(codeOf(f));
    expect(caches.filter((f) => !subscribes(f) && !(f in reasons))).toEqual([]);
    expect(caches.filter(subscribes)).toContain('identity/index.ts');
  });

  test('no file is called utils, helpers, manager or impl', () => {
    expect(files.filter((f) => /(^|\/)(utils?|helpers?|.*manager|.*impl)(\.ts|\/)/i.test(f))).toEqual([]);
  });

  test('a folder of more than 15 files has a README', () => {
    const counts = Map.groupBy(files, (f) => dirname(f));
    const unexplained = [...counts].filter(
      ([folder, list]) => list.length > 15 && !existsSync(join(SRC, folder, 'README.md')),
    );
    expect(unexplained.map(([folder, list]) => `${folder}: ${list.length} files`)).toEqual([]);
  });

  test('a source file over 330 lines says why in its first comment', () => {
    const silent = files.filter((f) => {
      const text = readFileSync(join(SRC, f), 'utf8');
      if (text.split('\n').length <= 330) return false;
      const first = /^(?:#![^\n]*\n)?\s*\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? '';
      return !/\b(long|longer|length|lines|one file|one place)\b/i.test(first);
    });
    expect(silent).toEqual([]);
  });

  test('every top-level entry of the repository is one that the design names', () => {
    const named = new Set([
      'policies',
      'src',
      'schemas',
      'examples',
      'test',
      'bench',
      'docs',
      '.ci',
      'Dockerfile',
      '.dockerignore',
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'tsconfig.build.json',
      'vitest.config.ts',
      'biome.json',
      'README.md',
      'LICENSE',
      'CONTRIBUTING.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      '.gitignore',
      '.npmrc',
      '.git',
      '.gitattributes',
    ]); // prettier-ignore
    const untracked = new Set(['node_modules', 'dist', 'data', 'coverage', '.tmp']);
    expect(
      readdirSync(ROOT).filter(
        (e) =>
          !named.has(e) && !untracked.has(e) && !(statSync(join(ROOT, e)).isFile() && e.endsWith('.tgz')),
      ),
    ).toEqual([]);
  });
});
