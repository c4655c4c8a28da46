/**
 * The peer: OPA with its decision log on the console, which is not flushed to disk, and no disclosure to record. It decides by a rule that is
 * always true, so what is measured is HTTP and the log.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { Pool } from 'undici';
import { drafts } from './drafts.ts';

const DECISIONS = 20_000;
const AT_ONCE = 32;
const PORT = 18_181;

/** A line of the table, with the pinned binary. */
export async function measureOpa(dir: string): Promise<string> {
  const opa = join(dirname(createRequire(import.meta.url).resolve('opa-linux-x64/package.json')), 'opa');
  writeFileSync(join(dir, 'p.rego'), 'package p\n\nallow := true\n');
  const log = join(dir, 'opa.log');
  const server = spawn(
    opa,
    [
      'run',
      '--server',
      '--addr',
      `127.0.0.1:${PORT}`,
      '--set',
      'decision_logs.console=true',
      '--log-level',
      'error',
      join(dir, 'p.rego'),
    ],
    { stdio: ['ignore', 'ignore', openSync(log, 'w')] },
  ); // prettier-ignore
  const pool = new Pool(`http://127.0.0.1:${PORT}`, { connections: AT_ONCE });
  try {
    const ask = async (body: string): Promise<void> => {
      const { body: answer } = await pool.request({ method: 'POST', path: '/v1/data/p/allow', body });
      await answer.dump();
    };
    for (let tries = 0; ; tries++) {
      const isUp = await ask('{}').then(
        () => true,
        () => false,
      );
      if (isUp) break;
      if (tries > 100) throw new Error('OPA does not answer');
      await after(100);
    }
    const inputs = drafts(DECISIONS);
    const before = statSync(log).size;
    const began = performance.now();
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const { input } of inputs) await ask(JSON.stringify({ input }));
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    await after(500);
    const lines = readFileSync(log, 'utf8').split('\n').length - 2;
    if (lines < DECISIONS) throw new Error(`OPA has logged ${lines} of ${DECISIONS} decisions`);
    const bytes = (statSync(log).size - before) / DECISIONS;
    return `| OPA, decision log on the console | ${Math.round(DECISIONS / seconds).toLocaleString('en')} decisions/s | | ${Math.round(bytes).toLocaleString('en')} |`;
  } finally {
    await pool.close();
    server.kill();
    await once(server, 'exit');
  }
}
