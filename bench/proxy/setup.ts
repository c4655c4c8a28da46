/** The sidecar that is measured: the default policy, one customer record of about 1 KB, strict journaling unless said otherwise. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';

const ROOT = join(import.meta.dirname, '../..');
/** those of the image */
export const FLAGS: readonly string[] = ['--max-semi-space-size=8'];

export interface Sidecar {
  readonly url: string;
  readonly token: string;
  /** of the first process, where there are several */
  readonly pid: number;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

export async function startSidecar(
  dir: string,
  upstream: string,
  options: {
    readonly durability?: 'strict' | 'interval';
    readonly workers?: number;
    readonly routes?: readonly object[];
    /** section `mcp` */
    readonly mcp?: readonly object[];
    readonly limits?: object;
    readonly policies?: string;
    readonly upstreams?: object;
    /** of Node, in place of those that the image sets */
    readonly flags?: readonly string[];
    /** the process has an IPC channel, for a module that `flags` import */
    readonly ipc?: boolean;
  } = {},
): Promise<Sidecar> {
  mkdirSync(dir, { recursive: true });
  const issuer = await createDevelopmentIssuer();
  const token = await issuer.sign({
    sub: 'u-17',
    roles: ['support'],
    dept: 'after-sales',
    org: 'internal',
    clearance: 3,
    amr: ['pwd', 'otp'],
  });
  writeFileSync(join(dir, 'keys.json'), JSON.stringify(issuer.jwks));
  writeFileSync(join(dir, 'consents.yaml'), 'version: 1\ndata_subjects: {}\n');
  const config = {
    version: 1,
    workers: options.workers ?? 1,
    listen: { proxy: '127.0.0.1:0', admin: '127.0.0.1:0' },
    upstreams: { crm: { url: upstream, auth: { bearer: 'env:CRM' }, timeout: '60s' }, ...options.upstreams },
    identity: {
      issuers: [
        {
          issuer: issuer.issuer,
          audience: issuer.audience,
          jwks: { file: './keys.json' },
          algorithms: ['ES256'],
          claims: { roles: 'roles', department: 'dept', organization: 'org', clearance: 'clearance' },
        },
      ],
    },
    policy: { dir: options.policies ?? join(ROOT, 'policies') },
    consent: { file: './consents.yaml' },
    decision_log: { journal: { dir: './journal', durability: options.durability ?? 'strict' } },
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.mcp === undefined ? {} : { mcp: options.mcp }),
    routes: options.routes ?? [
      {
        match: 'GET /api/customers/{id}',
        upstream: 'crm',
        resource: 'customer',
        action: 'read',
        id: '{id}',
        data_subject: '{id}',
      },
    ],
  };
  writeFileSync(join(dir, 'sluice.yaml'), JSON.stringify(config));
  const child = spawn(
    process.execPath,
    [...(options.flags ?? FLAGS), join(ROOT, 'src/main.ts'), 'serve', '--config', join(dir, 'sluice.yaml')],
    {
      stdio: ['ignore', 'pipe', 'inherit', ...(options.ipc ? (['ipc'] as const) : [])],
      env: { ...process.env, CRM: 'bench' },
    },
  );
  const [line] = (await Promise.race([
    once(createInterface(child.stdout!), 'line'),
    once(child, 'exit').then(() => {
      throw new Error('the sidecar did not start');
    }),
  ])) as [string];
  const { proxy } = JSON.parse(line) as { proxy: string };
  return {
    url: proxy,
    token,
    pid: child.pid as number,
    process: child,
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}
