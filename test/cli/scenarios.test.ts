/** Golden: every scenario of the default policy and every case of the proxy, through the whole sidecar. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differences } from '../../src/cli/policy/testing/expectations.ts';
import {
  readScenarios,
  scenarioFilesAt,
  type ScenarioDocument,
} from '../../src/cli/policy/testing/scenario-files.ts';
import { openSandbox, type SandboxedSidecar, type Sandbox } from '../../src/cli/policy/testing/sandbox.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { createSnapshot } from '../../src/policy/snapshot/index.ts';
import { opa, ROOT } from './support.ts';

const read = async (dir: string): Promise<readonly ScenarioDocument[]> => {
  const found = await scenarioFilesAt(join(ROOT, dir));
  const { documents, faults } = readScenarios(found.dir, found.files);
  expect(faults).toEqual([]);
  return documents;
};
const documents = [...(await read('policies/scenarios')), ...(await read('test/cases'))];

describe.runIf(opa !== null)('scenarios through the whole sidecar', () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await openSandbox(
      await createSnapshot(await compilePolicy(join(ROOT, 'policies'), { opa: opa! })),
    );
  });
  afterAll(() => sandbox.close());

  describe.each(documents.map((d) => [d.content.title, d] as const))('%s', (_title, { content }) => {
    let sidecar: SandboxedSidecar;
    beforeAll(async () => {
      sidecar = await sandbox.open(content);
    });
    afterAll(() => sidecar.close());

    test.each(content.scenarios.map((s) => [s.name, s] as const))('%s', async (_name, scenario) => {
      expect(differences(scenario, await sidecar.run(scenario))).toEqual([]);
    });
  });
});
