/** Design §7.2: no byte is released whose decision record is not on disk, across `kill -9` at any moment. */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compose } from '../../src/compose/compose.ts';
import { parseConfig } from '../../src/config/index.ts';
import { createDecisionLog } from '../../src/decision-log/decision-log.ts';
import { verify } from '../../src/decision-log/verify/verify.ts';
import { SluiceError } from '../../src/errors.ts';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { answers, chunks, type HostileUpstream, reply, startHostile } from '../support/hostile.ts';
import { ROUNDS } from '../support/rounds.ts';
import { prepare, recordsIn } from '../support/sluice.ts';
import { type Answer, headerOf, jsonOf, requestText, soFar, Wire } from '../support/wire.ts';

const CHILD = new URL('../support/sluice-child.ts', import.meta.url).pathname;
/** a start costs about half a second of one core */
const AT_ONCE = 3;
/** a multiple of those at once */
const KILLS = AT_ONCE * Math.max(3, Math.ceil(ROUNDS / AT_ONCE));

const SHORT = '{"id":"C1","name":"张三丰","phone":"13812345678"}';
const LONG = Buffer.from(
  `{"items":[${Array.from({ length: 6_000 }, (_, i) => `{"id":"C${i % 10}","name":"${'n'.repeat(200)}"}`).join(',')}]}`,
);

let upstream: HostileUpstream;
beforeAll(async () => {
  upstream = await startHostile();
  upstream.answer = (request, socket) => {
    if (request.target.endsWith('/none')) answers('{}', {}, '404 Not Found')(request, socket);
    else if (request.target.endsWith('/short')) answers(SHORT)(request, socket);
    else {
      socket.write(reply('', { 'Transfer-Encoding': 'chunked' }));
      socket.write(chunks(LONG, [65_536, 65_536, 65_536]));
    }
  };
});
afterAll(() => upstream?.close());

/** Bytes of a decision's answer that are on record. */
function covered(journal: string, id: string): { readonly records: number; readonly bytes: number } {
  const records = recordsIn(journal).filter((r) => r.decision_id === id);
  return { records: records.length, bytes: records.reduce((n, r) => n + (r.response?.bytes ?? 0), 0) };
}

describe('while the journal is slow', () => {
  /** A Sluice whose records wait for `append`. */
  async function slow(append: (n: number) => Promise<void>) {
    const issuer = await createDevelopmentIssuer();
    const { dir, file, text } = await prepare({ upstream: upstream.url }, issuer);
    const loaded = parseConfig(text, file, {});
    const log = await createDecisionLog(loaded.config.decision_log, {
      logger: silentLogger,
      baseDir: dir,
    });
    let n = 0;
    const given = {
      log: {
        ...log,
        append: async (draft: Parameters<typeof log.append>[0]) => {
          await append(n++);
          return log.append(draft);
        },
      },
    };
    const sluice = await compose(loaded, { logger: silentLogger, given });
    const token = await issuer.sign({ sub: 'u-1', roles: ['support'], org: 'internal' });
    return {
      journal: log.dir,
      port: Number(new URL(sluice.proxy).port),
      headers: { Authorization: `Bearer ${token}`, 'Sluice-Purpose': 'after_sales' },
      async close() {
        await sluice.close();
        await log.close();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  }

  test.each([
    ['a short answer', 'GET /customers/short', 200],
    ['an answer of several parts', 'GET /customers', 200],
    ['a refusal', 'GET /nothing', 404],
    ['what an upstream refuses', 'GET /customers/none', 404],
    ['HEAD', 'HEAD /customers/short', 200],
  ])('no byte of %s is seen before it is on record', async (_what, line, status) => {
    const asked = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    const { journal, port, headers, close } = await slow(() => {
      asked.resolve();
      return free.promise;
    });
    const wire = await Wire.open(port);
    let looks = 0;
    wire.socket.on('data', () => {
      const answer = soFar(wire.received);
      if (!answer) throw new Error('a head in pieces');
      const { records, bytes } = covered(journal, headerOf(answer, 'sluice-decision-id')!);
      looks += 1;
      expect(records).toBeGreaterThan(0);
      if (status === 200 && !line.startsWith('HEAD')) expect(answer.body.length).toBeLessThanOrEqual(bytes);
    });
    wire.write(requestText(line, headers));
    await asked.promise;
    expect(wire.received).toHaveLength(0);
    free.resolve();
    const answer = await wire.answer({ bodiless: line.startsWith('HEAD'), timeout: 15_000 });
    expect(answer.status).toBe(status);
    expect(answer.complete).toBe(true);
    expect(looks).toBeGreaterThan(0);
    wire.destroy();
    await close();
  });

  test('when a later part cannot be recorded, its bytes stay, and the connection breaks', async () => {
    const { journal, port, headers, close } = await slow(async (n) => {
      if (n >= 1) throw new SluiceError('journal_full', 'No space is left.');
    });
    const wire = await Wire.open(port);
    wire.write(requestText('GET /customers', headers));
    await wire.untilClosed(10_000);
    const answer = soFar(wire.received)!;
    expect(answer.complete).toBe(false);
    const { records, bytes } = covered(journal, headerOf(answer, 'sluice-decision-id')!);
    expect(records).toBe(1);
    expect(answer.body.length).toBeLessThanOrEqual(bytes);
    await close();
  });

  test('when nothing can be recorded, nothing is answered but that', async () => {
    const { port, headers, close } = await slow(async () => {
      throw new SluiceError('journal_unwritable', 'Not writable.');
    });
    for (const line of ['GET /customers/short', 'GET /customers', 'GET /nothing']) {
      const wire = await Wire.open(port);
      wire.write(requestText(line, headers));
      const answer = await wire.answer();
      expect(answer.status).toBe(503);
      expect(answer.body.toString()).toContain('journal_unwritable');
      expect(answer.body.toString()).not.toContain('张');
      wire.destroy();
    }
    for (const bytes of ['no request\r\n\r\n', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n']) {
      const wire = await Wire.open(port);
      wire.write(bytes);
      const answer = await wire.answer();
      expect(answer.status).toBe(503);
      expect(jsonOf(answer)).toMatchObject({ code: 'journal_unwritable', status: 503 });
      wire.destroy();
    }
    await close();
  });
});

interface Got {
  readonly id: string;
  readonly bytes: number;
  readonly status: number;
}

/** Starts a Sluice, puts it under load, kills it after a random while. Returns what callers have seen of its answers. */
async function killed(file: string, headers: Record<string, string>): Promise<Got[]> {
  const child = spawn(process.execPath, [CHILD, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (d: Buffer) => resolve(d.toString()));
    child.once('exit', (code, signal) => reject(new Error(`the child ended: ${code ?? signal}`)));
  });
  const { port } = JSON.parse(line) as { port: number };
  const got: Got[] = [];
  // After some answers, in the middle of the next ones.
  const enough = 4 + Math.random() * 40;
  const answered = Promise.withResolvers<void>();
  const take = (answer: Answer, id: string): void => {
    got.push({ id, bytes: answer.body.length, status: answer.status });
    if (got.length >= enough) answered.resolve();
  };
  const note = (bytes: Buffer): void => {
    const answer = soFar(bytes);
    const id = answer && headerOf(answer, 'sluice-decision-id');
    if (id) take(answer, id);
  };
  let over = false;
  const callers = ['short', 'short', 'none', ''].map(async (id) => {
    while (!over) {
      let wire: Wire | undefined;
      try {
        wire = await Wire.open(port);
        for (let i = 0; i < 50 && !over; i++) {
          wire.write(requestText(id === '' ? 'GET /customers' : `GET /customers/${id}`, headers));
          const answer = await wire.answer({ timeout: 10_000 });
          take(answer, headerOf(answer, 'sluice-decision-id')!);
        }
      } catch {
        if (wire) note(wire.received);
      }
      wire?.destroy();
    }
  });
  await answered.promise;
  child.kill('SIGKILL');
  over = true;
  await gone;
  await Promise.all(callers);
  return got;
}

test('after kill -9 at any moment, whatever a caller has seen is on record', async () => {
  const issuer = await createDevelopmentIssuer();
  const token = await issuer.sign({ sub: 'u-1', roles: ['support'], org: 'internal' });
  const headers = { Authorization: `Bearer ${token}`, 'Sluice-Purpose': 'after_sales' };
  const seen = { answers: 0, partial: 0, kills: 0 };
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      // Each of these is killed again and again on the journal it left behind.
      const { dir, file } = await prepare({ upstream: upstream.url }, issuer);
      const journal = join(dir, 'journal');
      const all: Got[] = [];
      for (let i = 0; i < KILLS / AT_ONCE; i++) {
        all.push(...(await killed(file, headers)));
        seen.kills += 1;
      }
      const byId = new Map<string, { records: number; bytes: number }>();
      for (const r of recordsIn(journal)) {
        const sum = byId.get(r.decision_id) ?? { records: 0, bytes: 0 };
        byId.set(r.decision_id, { records: sum.records + 1, bytes: sum.bytes + (r.response?.bytes ?? 0) });
      }
      for (const { id, bytes, status } of all) {
        seen.answers += 1;
        if (status === 200 && bytes > 0 && bytes < SHORT.length - 10) seen.partial += 1;
        expect(byId.has(id), `an answer without a record (${status})`).toBe(true);
        if (status === 200) expect(bytes).toBeLessThanOrEqual(byId.get(id)!.bytes);
      }
      // The last kill may have left half a line: the next start sets it aside; what is whole is a chain.
      const { problems } = await verify({ dir: journal, key: null });
      expect(problems.filter((p) => !/torn|half|incomplete/i.test(JSON.stringify(p)))).toEqual([]);
      rmSync(dir, { recursive: true, force: true });
    }),
  );
  expect(seen.kills).toBe(KILLS);
  expect(seen.answers).toBeGreaterThan(KILLS * 5);
  process.stderr.write(`release-order: ${seen.kills} kills, ${seen.answers} answers seen\n`);
});
