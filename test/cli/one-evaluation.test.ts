/**
 * The commands and the proxy tell the same: each golden case is played through a whole sidecar, and what its record says was done to each field is compared
 * with what `explain`, `matrix` and `replay` say of the same request. `sluice test` is the playing itself.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { explain } from '../../src/cli/policy/explain/account.ts';
import { seenBy } from '../../src/cli/policy/matrix/grid.ts';
import { differences } from '../../src/cli/policy/testing/expectations.ts';
import { Replayer } from '../../src/cli/policy/replay/replayer.ts';
import {
  readScenarios,
  scenarioFilesAt,
  type ScenarioDocument,
} from '../../src/cli/policy/testing/scenario-files.ts';
import { openSandbox } from '../../src/cli/policy/testing/sandbox.ts';
import type { Decision } from '../../src/decision-log/index/decision.ts';
import type { PolicyInput } from '../../src/model/input.ts';
import type { DecisionRecord, WithheldPath } from '../../src/model/record.ts';
import { inTier } from '../../src/model/verdict.ts';
import { compileFiles } from '../../src/policy/compile.ts';
import { readPolicyDirectory } from '../../src/policy/directory.ts';
import { createSnapshot, type LivePolicy } from '../../src/policy/snapshot/index.ts';
import { opa, ROOT } from './support.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

interface Played {
  readonly name: string;
  readonly decision: Decision;
  readonly problems: readonly string[];
}

/** what the policy did not decide (the value, the catalog or the caller's selection did), and what is told of a resource as a whole */
const OTHERWISE: ReadonlySet<string> = new Set([
  'uncatalogued',
  'not_applicable',
  'not_whole',
  'not_asked_for',
  'embedded_withheld',
]);
const byPolicy = ({ because, class: cls, do: treatment }: WithheldPath): boolean =>
  !OTHERWISE.has(because) && (cls !== undefined || treatment !== 'nullify');

/** embedded resources stand below the field that holds them */
const endsWith = (path: string, pointer: string): boolean => path === pointer || path.endsWith(pointer);

describe.runIf(opa !== null)('of the golden cases', () => {
  let policy: LivePolicy;
  const played: Played[] = [];

  beforeAll(async () => {
    policy = await createSnapshot(
      await compileFiles(await readPolicyDirectory(join(ROOT, 'policies')), { opa: opa! }),
    );
    const sandbox = await openSandbox(policy);
    try {
      for (const at of ['policies/scenarios', 'test/cases']) {
        const { dir, files } = await scenarioFilesAt(join(ROOT, at));
        const { documents } = readScenarios(dir, files);
        // Those with data of their own are decided by another policy than the one that is compared with.
        for (const document of documents) if (document.content.data === undefined) await play(document);
      }
    } finally {
      await sandbox.close();
    }
    async function play({ file, content }: ScenarioDocument): Promise<void> {
      const sidecar = await sandbox.open(content);
      for (const scenario of content.scenarios) {
        const result = await sidecar.run(scenario);
        const name = `${file.slice(ROOT.length + 1)}: ${scenario.name}`;
        if (result.decision !== null)
          played.push({ name, decision: result.decision, problems: differences(scenario, result) });
      }
      await sidecar.close();
    }
  });

  const asked = ({ decision }: Played): PolicyInput | null =>
    decision.input !== null && 'context' in decision.input ? (decision.input as PolicyInput) : null;

  test('there are enough, and the proxy does what they expect', () => {
    expect(played.length).toBeGreaterThan(50);
    expect(
      played.filter(({ decision }) => (decision.disclosure?.withheld.length ?? 0) > 0).length,
    ).toBeGreaterThan(25);
    expect(played.filter(({ problems }) => problems.length > 0)).toEqual([]);
  });

  test('explain tells of each field what the proxy did to it, with its reason', async () => {
    let compared = 0;
    for (const one of played) {
      const input = asked(one);
      if (input === null) continue;
      const { disclosure, tier } = one.decision;
      const states = (disclosure?.answers ?? []).map((a) => ({
        resource: a.resource,
        data_subject: { consents: a.consents, flags: a.flags },
        attributes: {},
        count: a.count,
        shown: true,
      }));
      const explained = await explain(policy, null, input, states, null);
      const denied = one.decision.upstream === null && one.decision.outcome === 'denied';
      if (!explained.decision.allow) expect([one.name, denied]).toEqual([one.name, true]);
      else expect([one.name, explained.decision.tier ?? input.context.tier]).toEqual([one.name, tier]);
      const fields = explained.states.flatMap((s) =>
        s.classes.flatMap((c) => c.fields.map((field) => ({ ...c, field }))),
      );
      for (const row of (disclosure?.withheld ?? []).filter(byPolicy)) {
        const said = fields
          .filter(({ field }) => endsWith(row.path, field))
          .map((f) => `${f.do} (${f.because})`);
        expect([one.name, row.path, said]).toEqual([
          one.name,
          row.path,
          expect.arrayContaining([`${row.do} (${row.because})`]),
        ]);
        compared += 1;
      }
      for (const path of disclosure?.released ?? []) {
        const said = fields.filter(({ field }) => endsWith(path, field)).map((f) => f.do);
        expect([one.name, path, said]).toEqual([one.name, path, expect.arrayContaining(['disclose'])]);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(200);
  });

  test('the matrix gives each field what the proxy gave it', () => {
    let compared = 0;
    for (const one of played) {
      const input = asked(one);
      const { disclosure, tier } = one.decision;
      if (input === null || disclosure === null) continue;
      const states = disclosure.answers ?? [];
      const outcomes = states.flatMap(({ consents, flags }) =>
        seenBy(policy, inTier(input, tier), { consents, flags }).map(({ path, outcome }) => ({
          path,
          ...outcome,
        })),
      );
      for (const row of disclosure.withheld.filter(byPolicy)) {
        const said = outcomes.filter(({ path }) => path === row.path).map((f) => `${f.do} (${f.because})`);
        // a treatment without a rule for this field drops its values: the matrix says so beforehand
        expect([one.name, row.path, said]).toEqual([
          one.name,
          row.path,
          expect.arrayContaining([`${row.do} (${row.because})`]),
        ]);
        compared += 1;
      }
      for (const path of disclosure.released) {
        const said = outcomes.filter((f) => f.path === path).map((f) => f.do);
        expect([one.name, path, said]).toEqual([one.name, path, expect.arrayContaining(['disclose'])]);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(200);
  });

  test('replayed under the policy that decided, nothing is otherwise', () => {
    for (const { name, decision } of played) {
      const { chain: _chain, complete: _complete, ...draft } = decision;
      const record = { ...draft, part: { number: 1, last: true } } as DecisionRecord;
      for (const revision of [policy.revision, 'another']) {
        const replayer = new Replayer(policy);
        replayer.take({ ...record, policy: { revision, bundle: '' } });
        expect([name, replayer.result().shifts]).toEqual([name, []]);
      }
    }
  });
});
