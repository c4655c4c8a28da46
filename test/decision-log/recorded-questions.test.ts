/** What commands ask the decision log is on record itself, or the command says that it is not. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createDecisionLog } from '../../src/decision-log/decision-log.ts';
import type { Decision } from '../../src/decision-log/index/decision.ts';
import { scanQuery } from '../../src/decision-log/index/scan.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { draft } from '../support/decision-records.ts';
import { runCommand } from '../support/io.ts';
import { temporaryDirectory } from '../support/journals.ts';

/** The least that commands accept. */
function configure(cwd: string, decision_log: object): void {
  const config = {
    version: 1,
    listen: { proxy: '127.0.0.1:8080', admin: '127.0.0.1:8081' },
    upstreams: { crm: { url: 'http://127.0.0.1:9' } },
    identity: {
      issuers: [
        {
          issuer: 'https://i.example',
          audience: 'sluice',
          jwks: { file: './keys.json' },
          algorithms: ['ES256'],
        },
      ],
    },
    policy: { dir: './policies' },
    consent: { file: './consents.yaml' },
    routes: [
      { match: 'GET /customers/{id}', upstream: 'crm', resource: 'customer', action: 'read', id: '{id}' },
    ],
    decision_log,
  };
  writeFileSync(join(cwd, 'sluice.yaml'), JSON.stringify(config));
}

/** A configuration, and its journal with six decisions, while a sidecar holds its chain. */
async function running(settings: object = {}) {
  const cwd = temporaryDirectory();
  configure(cwd, { journal: { dir: './journal', min_free: '64KiB', instance: 'crm' }, ...settings });
  const log = await createDecisionLog(
    { journal: { dir: './journal', min_free: 65_536, instance: 'crm' } },
    { logger: silentLogger, baseDir: cwd },
  );
  const ids: string[] = [];
  for (let n = 0; n < 6; n++)
    ids.push(
      (
        await log.append(
          draft(n, { disclosure: { ...draft(n).disclosure!, data_subjects: [log.dataSubject('顾客-1')] } }),
        )
      ).decision_id,
    );
  const ask = (...argv: string[]) => runCommand(['decisions', ...argv], { cwd });
  const questions = async (): Promise<readonly Decision[]> =>
    (await scanQuery(join(cwd, 'journal')).query({ kind: 'admin' })).decisions.filter(
      (d) => d.action !== null,
    );
  return { cwd, log, ids, ask, questions };
}

const recordedAs = (d: Decision) => ({
  action: d.action,
  by: d.subject?.id,
  filters: JSON.parse(d.labels['filters']!) as object,
  results: d.labels['results'],
  complete: d.complete,
});

describe('a question of a command', () => {
  test('is recorded of a report, with its name', async () => {
    const { log, ask, questions } = await running();
    expect(await ask('report', 'refusals', '--subject', 'u-1', '--by', '审计-李')).toMatchObject({
      code: 0,
      stderr: '',
    });
    await log.close();
    const [question] = await questions();
    expect(recordedAs(question!)).toEqual({
      action: 'decisions.query',
      by: '审计-李',
      filters: { subject: 'u-1' },
      results: '1',
      complete: true,
    });
    expect(question!.labels).toMatchObject({ form: 'report', report: 'refusals' });
  });

  test('is recorded with its filters as the log has them, its number of results, and who asks', async () => {
    const { log, ids, ask, questions } = await running();
    const hashed = log.dataSubject('顾客-1');
    const asked = await ask('query', '--data-subject', '顾客-1', '--outcome', 'modified', '--by', '审计-李');
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect((await ask('query', '--count-by', 'subject', '--kind', 'disclosure')).code).toBe(0);
    expect((await ask('show', ids[0]!)).code).toBe(0);
    expect((await ask('tail', '-n', '2', '--subject', 'u-1')).code).toBe(0);
    expect((await ask('statement', '顾客-1')).code).toBe(0);
    expect((await ask('export', '--subject', 'u-2', '--format', 'csv')).code).toBe(0);
    await log.close();
    const found = await questions();
    expect([...found].reverse().map(recordedAs)).toEqual([
      {
        action: 'decisions.query',
        by: '审计-李',
        filters: { data_subject: hashed, outcome: 'modified' },
        results: '4',
        complete: true,
      },
      {
        action: 'decisions.query',
        by: expect.any(String) as string,
        filters: { kind: 'disclosure', count_by: 'subject' },
        results: '6',
        complete: true,
      },
      {
        action: 'decisions.view',
        by: expect.any(String) as string,
        filters: { decision_id: ids[0] },
        results: '1',
        complete: true,
      },
      {
        action: 'decisions.query',
        by: expect.any(String) as string,
        filters: { subject: 'u-1' },
        results: '1',
        complete: true,
      },
      {
        action: 'decisions.query',
        by: expect.any(String) as string,
        filters: { data_subject: hashed },
        results: '6',
        complete: true,
      },
      {
        action: 'decisions.export',
        by: expect.any(String) as string,
        filters: { subject: 'u-2' },
        results: '1',
        complete: true,
      },
    ]);
    // The person whom it is about can be told; and nothing was disclosed by looking.
    expect(found.at(-1)!.disclosure).toMatchObject({ data_subjects: [hashed], records: 0, released: [] });
    expect((await ask('statement', '顾客-1', '--json')).stdout).not.toContain('decisions.query');
    expect((await ask('verify')).code).toBe(0);
  });

  test('stands in a chain of its own, and leaves those of sidecars as they are', async () => {
    const { log, ask, questions } = await running();
    await log.close();
    await ask('query');
    await ask('query');
    const [first, second] = await questions();
    expect(first!.chain[0]!.origin).toMatch(/^audit-[0-9a-f]{8}$/);
    expect(second!.chain[0]!.origin).toBe(first!.chain[0]!.origin);
    expect((await ask('query', '--origin', log.origin, '--json')).stdout.trim().split('\n')).toHaveLength(6);
  });

  test('of a copy is answered, and said to be not on record', async () => {
    const { cwd, log, ask, questions } = await running();
    await log.close();
    const asked = await ask('query', '--journal', join(cwd, 'journal'));
    expect(asked).toMatchObject({
      code: 0,
      stderr:
        'sluice: this question is not on record: the journal is read without its configuration (--config)\n',
    });
    expect(asked.stdout).toContain('modified');
    expect(await questions()).toEqual([]);
  });

  test('is answered where the journal cannot be written, and said to be not on record', async () => {
    // What a read-only mount and a full disk have in common: no chain can be begun.
    const { cwd, log, ask, questions } = await running();
    await log.close();
    configure(cwd, { journal: { dir: './journal', min_free: '900000GiB' } });
    for (const argv of [['query'], ['export', '--format', 'csv'], ['tail']]) {
      const asked = await ask(...argv);
      expect(asked.code).toBe(0);
      expect(asked.stderr).toMatch(/^sluice: this question is not on record: .+\n$/);
      expect(asked.stdout).toContain('u-1');
    }
    expect(await questions()).toEqual([]);
  });

  test('is answered from the journal where the index cannot be opened', async () => {
    const { cwd, log, ask } = await running({ index: { sqlite: './index' } });
    await log.close();
    mkdirSync(join(cwd, 'index'));
    writeFileSync(join(cwd, 'index', 'file'), '');
    const asked = await ask('query');
    expect(asked.code).toBe(0);
    expect(asked.stderr).toMatch(/^sluice: the journal is read instead of the index: /);
    expect(asked.stdout).toContain('u-1');
  });
});
