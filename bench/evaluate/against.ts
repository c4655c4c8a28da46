/** OPA's own evaluator with the same policy, data and input: `opa bench`, and the server's data API. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import type { PolicyBundle } from '../../src/policy/bundle/bundle.ts';
import { DEFAULT_POLICY, opa } from './policies.ts';

export interface Against {
  /** microseconds of one evaluation, as `opa bench` says */
  bench(rule: string, input: object): Promise<number>;
  /** answers a second of `POST /v1/data/…`, `connections` at once */
  throughput(rule: string, input: object, ms: number, connections: number): Promise<number>;
  /** the server's answer */
  ask(rule: string, input: object): Promise<unknown>;
  close(): Promise<void>;
}

const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });

export const startOpa = async (bundle: PolicyBundle): Promise<Against> => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const data = join(dir, 'data.json');
  await writeFile(data, bundle.dataJson);
  const rules = join(DEFAULT_POLICY, 'sluice');
  const port = await freePort();
  const server = spawn(
    opa.path,
    [
      'run',
      '-s',
      '-a',
      `127.0.0.1:${port}`,
      '--log-level',
      'error',
      '--disable-telemetry',
      '--ignore',
      '*_test.rego',
      rules,
      data,
    ],
    { stdio: 'ignore' },
  );
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 64 });
  const post = async (rule: string, input: object): Promise<unknown> => {
    const { statusCode, body } = await pool.request({
      method: 'POST',
      path: `/v1/data/${rule}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input }),
    });
    const answer = (await body.json()) as { result?: unknown };
    if (statusCode !== 200 || answer.result === undefined) throw new Error(`OPA answered ${statusCode}`);
    return answer.result;
  };
  for (let tries = 0; ; tries++) {
    try {
      await pool.request({ method: 'GET', path: '/health' }).then((r) => r.body.dump());
      break;
    } catch (e) {
      if (tries > 100) throw e;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
  return {
    ask: post,
    async bench(rule, input) {
      const file = join(dir, 'input.json');
      await writeFile(file, JSON.stringify(input));
      const run = await opa.run(
        [
          'bench',
          '-d',
          rules,
          '-d',
          data,
          '--ignore',
          '*_test.rego',
          '-i',
          file,
          '--format',
          'json',
          '--metrics=false',
          `data.${rule.replaceAll('/', '.')}`,
        ],
        { timeout: 60_000 },
      );
      const { N, T } = JSON.parse(run.stdout) as { N: number; T: number };
      return T / N / 1000;
    },
    async throughput(rule, input, ms, connections) {
      let answered = 0;
      const began = performance.now();
      await Promise.all(
        Array.from({ length: connections }, async () => {
          while (performance.now() - began < ms) {
            await post(rule, input);
            answered += 1;
          }
        }),
      );
      return (answered / (performance.now() - began)) * 1000;
    },
    async close() {
      await pool.destroy();
      server.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
};
