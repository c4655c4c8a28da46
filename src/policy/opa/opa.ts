/**
 * The OPA binary, which compiles Rego. It is needed to build a policy, and never to evaluate one.
 *
 * The binary that `OPA_BIN` names is run as it is. A binary that was found elsewhere is run only if its SHA-256 is one that the
 * OPA project published, so that a planted `opa` on PATH is not executed with the sidecar's rights.
 */
import { spawn } from 'node:child_process';
import { giveWay } from '../../observability/background.ts';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, chmod, constants, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SluiceError } from '../../errors.ts';
import { stampOf } from '../../observability/stable.ts';

export const OPA_VERSION = '1.19.0';

/** SHA-256 of the official static builds, by `process.platform`/`process.arch` */
const PUBLISHED: { readonly [platform: string]: { readonly asset: string; readonly sha256: string } } = {
  'linux/x64': {
    asset: 'opa_linux_amd64_static',
    sha256: '1dd5c5591ff856f5e20a1d66bafae9511ddf3c5552ed3b5070c70b2b6580ee3f',
  },
  'linux/arm64': {
    asset: 'opa_linux_arm64_static',
    sha256: '06680087ed236c8c6aaa021660d83178db829a2ad30bdb3482481fada6791b2a',
  },
};

const RELEASES = 'https://github.com/open-policy-agent/opa/releases/download';
const DOWNLOAD_LIMIT = 256 * 1024 * 1024;

export interface OpaRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface OpaRunOptions {
  readonly cwd?: string;
  readonly stdin?: string;
  /** milliseconds; default 120 000 */
  readonly timeout?: number;
  /** stops the process */
  readonly signal?: AbortSignal;
  /** gives way to other processes: requests are answered meanwhile */
  readonly isBackground?: boolean;
}

export interface Opa {
  readonly path: string;
  /** how the binary was found, for messages */
  readonly origin: 'OPA_BIN' | 'PATH' | 'npm' | 'download';
  /** Runs a subcommand, which sends no requests, and returns its exit code and output. @throws SluiceError `opa_failed` if it cannot be started or does not end */
  run(args: readonly string[], options?: OpaRunOptions): Promise<OpaRun>;
}

export interface ResolveOptions {
  readonly env?: { readonly [name: string]: string | undefined };
  /** `linux/x64`… */
  readonly platform?: string;
  /** where a downloaded binary is kept */
  readonly cacheDir?: string;
  readonly releases?: string;
  /** path of the binary in the npm package, or null when it is not installed */
  readonly packaged?: () => string | null;
}

/** @throws SluiceError `opa_not_found`, `opa_digest_mismatch` */
export const resolveOpa = async (options: ResolveOptions = {}): Promise<Opa> => {
  const env = options.env ?? process.env;
  const named = env['OPA_BIN'];
  if (named !== undefined && named !== '') {
    if (!(await isExecutable(named)))
      throw new SluiceError('opa_not_found', `OPA_BIN names ${named}, which is not an executable file.`);
    return opaAt(named, 'OPA_BIN');
  }
  const platform = options.platform ?? `${process.platform}/${process.arch}`;
  const official = PUBLISHED[platform];
  const refused: string[] = [];
  for (const [path, origin] of [
    [await onPath(env['PATH'] ?? ''), 'PATH'],
    [(options.packaged ?? packagedBinary)(), 'npm'],
  ] as const) {
    if (path === null || !(await isExecutable(path))) continue;
    if (await isPublished(path)) return opaAt(path, origin);
    refused.push(`${path} (${origin}) is not the official OPA ${OPA_VERSION} build`);
  }
  if (official !== undefined) {
    const cache = options.cacheDir ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice');
    try {
      return opaAt(await download(official, cache, options.releases ?? RELEASES), 'download');
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      refused.push(`download failed (${(cause as Error).message})`);
    }
  }
  const mismatch = refused.some((r) => r.includes('not the official'));
  throw new SluiceError(mismatch ? 'opa_digest_mismatch' : 'opa_not_found', {
    message:
      `OPA ${OPA_VERSION} compiles the policy and was not found${refused.length > 0 ? `: ${refused.join('; ')}` : ''}. ` +
      'Set OPA_BIN to a binary you trust, install the optional dependency opa-linux-x64, or give a prebuilt bundle (policy.bundle), which needs no OPA.',
  });
};

const packagedBinary = (): string | null => {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('opa-linux-x64/package.json')), 'opa');
  } catch {
    return null;
  }
};

const onPath = async (path: string): Promise<string | null> => {
  for (const dir of path.split(delimiter)) {
    // A relative or empty entry means the working directory, which may belong to another user.
    if (!isAbsolute(dir)) continue;
    const file = join(dir, process.platform === 'win32' ? 'opa.exe' : 'opa');
    if (await isExecutable(file)) return file;
  }
  return null;
};

const isExecutable = async (path: string): Promise<boolean> => {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
};

/** Digest by path, inode, size and times of the file: hashing 60 MB takes 0.2 s. */
const digests = new Map<string, string>();

const isPublished = async (path: string): Promise<boolean> => {
  const s = await stat(path);
  const key = `${path}\0${s.ino}\0${s.size}\0${s.mtimeMs}\0${s.ctimeMs}`;
  let digest = digests.get(key);
  if (digest === undefined) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
    digest = hash.digest('hex');
    digests.set(key, digest);
  }
  return Object.values(PUBLISHED).some((p) => p.sha256 === digest);
};

const download = async (
  official: { readonly asset: string; readonly sha256: string },
  cacheDir: string,
  releases: string,
): Promise<string> => {
  const target = join(cacheDir, `opa-${OPA_VERSION}`);
  if ((await isExecutable(target)) && (await isPublished(target))) return target;
  const response = await fetch(`${releases}/v${OPA_VERSION}/${official.asset}`, {
    signal: AbortSignal.timeout(120_000),
  });
  if (!response.ok || response.body === null) throw new Error(`HTTP status ${response.status}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > DOWNLOAD_LIMIT) throw new Error('answer larger than any OPA build');
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  if (createHash('sha256').update(bytes).digest('hex') !== official.sha256)
    throw new SluiceError(
      'opa_digest_mismatch',
      `What ${releases} serves as OPA ${OPA_VERSION} does not have the published SHA-256; it was not executed.`,
    );
  await mkdir(cacheDir, { recursive: true, mode: 0o700 });
  const partial = `${target}.${process.pid}.partial`;
  try {
    await writeFile(partial, bytes, { mode: 0o700 });
    await chmod(partial, 0o700);
    await rename(partial, target);
  } finally {
    await rm(partial, { force: true });
  }
  return target;
};

const OUTPUT_LIMIT = 512 * 1024 * 1024;

/**
 * Subcommands that compile rules. They fetch schemas that annotations refer to by URL, and tests may call `http.send`, unless
 * OPA's capabilities forbid it.
 */
const COMPILING: ReadonlySet<string> = new Set(['build', 'check', 'eval', 'test']);

const opaAt = (path: string, origin: Opa['origin']): Opa => {
  const start = starter(path);
  const opa: Opa = {
    path,
    origin,
    run: async (args, options = {}) => {
      const [command = '', ...rest] = args;
      if (!COMPILING.has(command) || args.includes('--capabilities')) return start(args, options);
      const dir = await mkdtemp(join(tmpdir(), 'sluice-opa-'));
      try {
        const file = join(dir, 'capabilities.json');
        await writeFile(file, JSON.stringify(await capabilitiesOf(opa)));
        return await start([command, '--capabilities', file, ...rest], options);
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    },
  };
  return opa;
};

export interface Capabilities {
  readonly builtins: readonly { readonly name: string }[];
  /** empty: OPA sends no requests */
  readonly allow_net: readonly string[];
}

/** by path and stamp of the OPA binary; one entry */
const capabilities = new Map<string, Promise<Capabilities>>();

/** OPA's capabilities without network access. @throws SluiceError `opa_failed` */
export const capabilitiesOf = (opa: Opa): Promise<Capabilities> => {
  const key = `${opa.path} ${stampOf(opa.path)}`;
  let known = capabilities.get(key);
  if (known === undefined) {
    capabilities.clear();
    known = listed(opa);
    capabilities.set(key, known);
    known.catch(() => void capabilities.delete(key));
  }
  return known;
};

const listed = async (opa: Opa): Promise<Capabilities> => {
  const run = await opa.run(['capabilities', '--current']);
  if (run.code !== 0)
    throw new SluiceError('opa_failed', `OPA at ${opa.path} does not list its capabilities: is it OPA 1.x?`);
  return { ...(JSON.parse(run.stdout) as Capabilities), allow_net: [] };
};

const starter =
  (path: string): Opa['run'] =>
  (args, options = {}) =>
    new Promise<OpaRun>((resolve, reject) => {
      const child = spawn(path, [...args], {
        cwd: options.cwd,
        // Rego can read the environment (opa.runtime), so Sluice's environment is not passed on.
        env: {
          PATH: process.env['PATH'] ?? '',
          HOME: process.env['HOME'] ?? '',
          TMPDIR: process.env['TMPDIR'] ?? '',
        },
        stdio: ['pipe', 'pipe', 'pipe'],
        timeout: options.timeout ?? 120_000,
        killSignal: 'SIGKILL',
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      if (options.isBackground === true) giveWay(child);
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      let size = 0;
      const take = (into: Buffer[]) => (chunk: Buffer) => {
        size += chunk.length;
        if (size > OUTPUT_LIMIT) child.kill('SIGKILL');
        else into.push(chunk);
      };
      child.stdout.on('data', take(out));
      child.stderr.on('data', take(err));
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => undefined);
      child.stdin.end(options.stdin ?? '');
      child.on('error', (cause) => {
        reject(new SluiceError('opa_failed', { message: `OPA at ${path} could not be started.`, cause }));
      });
      child.on('close', (code) => {
        if (code === null) {
          const why = size > OUTPUT_LIMIT ? 'wrote more output than is allowed' : 'did not end in time';
          reject(new SluiceError('opa_failed', `\`opa ${args[0] ?? ''}\` ${why} and was stopped.`));
          return;
        }
        resolve({
          code,
          stdout: Buffer.concat(out).toString('utf8'),
          stderr: Buffer.concat(err).toString('utf8'),
        });
      });
    });
