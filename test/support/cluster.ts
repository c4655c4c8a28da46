/** A primary of PostgreSQL and a hot standby that follows it, with ports and directories of their own. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './port.ts';
import { until } from './served.ts';

const exec = promisify(execFile);

export interface Cluster {
  readonly primary: string;
  readonly standby: string;
  /** one statement at a server, as its administrator */
  run(url: string, sql: string): Promise<readonly Record<string, unknown>[]>;
  /** the standby has replayed everything that the primary has committed */
  caughtUp(): Promise<void>;
  /** the standby receives nothing any more */
  cutOff(): Promise<void>;
  /** without a word to anybody */
  killPrimary(): void;
  promote(): Promise<void>;
  close(): Promise<void>;
}

/** The server refuses to run as root. */
function postgresUser(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

export async function startCluster(): Promise<Cluster> {
  const bin = execFileSync('pg_config', ['--bindir'], { encoding: 'utf8' }).trim();
  const user = postgresUser();
  const dir = mkdtempSync(join(tmpdir(), 'sluice-cluster-'));
  if (user.uid !== undefined) chownSync(dir, user.uid, user.gid!);
  const [first, second] = [await freePort(), await freePort()];
  const options = { ...user, cwd: dir, env: { ...process.env, LC_ALL: 'C.UTF-8' } };
  const start = (name: string, port: number) =>
    spawn(
      join(bin, 'postgres'),
      ['-D', join(dir, name), '-p', String(port), '-k', dir, '-h', '127.0.0.1'].concat(
        ['fsync=off', 'shared_buffers=16MB', 'wal_receiver_status_interval=1s'].flatMap((o) => ['-c', o]),
      ),
      { ...options, stdio: 'ignore' },
    );
  const url = (port: number): string => `postgres://postgres@127.0.0.1:${port}/postgres`;
  const run: Cluster['run'] = async (at, sql) => {
    const client = new pg.Client(at);
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const answers = (port: number): Promise<void> =>
    until(() =>
      run(url(port), 'SELECT 1').then(
        () => true,
        () => false,
      ),
    );
  await exec(
    join(bin, 'initdb'),
    ['-D', join(dir, 'primary'), '-U', 'postgres', '-A', 'trust', '--no-sync'],
    options,
  );
  const servers = [start('primary', first)];
  const close = async (): Promise<void> => {
    for (const server of servers) {
      const ended = server.exitCode === null && server.signalCode === null ? once(server, 'exit') : null;
      server.kill('SIGQUIT');
      await ended;
    }
    rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  try {
    await answers(first);
    await exec(
      join(bin, 'pg_basebackup'),
      ['-d', url(first), '-D', join(dir, 'standby'), '-R', '-X', 'stream', '-c', 'fast', '--no-sync'],
      options,
    );
    servers.push(start('standby', second));
    await answers(second);
  } catch (e) {
    await close();
    throw e;
  }
  return {
    primary: url(first),
    standby: url(second),
    run,
    async caughtUp() {
      const [at] = await run(url(first), 'SELECT pg_current_wal_lsn()::text AS lsn');
      await until(async () => {
        const [row] = await run(
          url(second),
          `SELECT pg_last_wal_replay_lsn() >= '${String(at!['lsn'])}'::pg_lsn AS done`,
        );
        return row?.['done'] === true;
      });
    },
    async cutOff() {
      await run(url(second), "ALTER SYSTEM SET primary_conninfo = ''");
      await run(url(second), 'SELECT pg_reload_conf()');
      await until(async () => (await run(url(second), 'SELECT 1 FROM pg_stat_wal_receiver')).length === 0);
    },
    killPrimary: () => void servers[0]!.kill('SIGQUIT'),
    async promote() {
      await run(url(second), 'SELECT pg_promote()');
    },
    close,
  };
}
