/** A PgBouncer of the test's own that shares connections by transaction, in front of the PostgreSQL of the tests. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from './port.ts';
import { POSTGRES } from './postgres.ts';

/** Undefined where it is not installed (Debian: `apt-get install pgbouncer`). */
export const PGBOUNCER = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  .map((dir) => join(dir, 'pgbouncer'))
  .find((path) => existsSync(path));

/** @param more lines of its configuration @returns the URL of the database through it */
export async function pgbouncer(
  database: string,
  more: readonly string[],
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { hostname, port: to, username } = new URL(POSTGRES);
  const dir = await mkdtemp(join(tmpdir(), 'sluice-pgbouncer-'));
  await chmod(dir, 0o755);
  const port = await freePort();
  const file = join(dir, 'pgbouncer.ini');
  await writeFile(
    file,
    [
      '[databases]',
      `${database} = host=${hostname} port=${to || 5432} user=${username || 'postgres'}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = any',
      'pool_mode = transaction',
      ...more,
    ].join('\n'),
  );
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(PGBOUNCER!, [...user, file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr!.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes('process up')) resolve();
    });
    child.once('error', reject).once('exit', () => reject(new Error(`pgbouncer ended: ${said}`)));
  });
  return {
    url: `postgres://sluice@127.0.0.1:${port}/${database}`,
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}
