/** Golden: every scenario of the default policy and every case of the proxy, through the whole sidecar. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differences } from '../../src/cli/policy/testing/expectations.ts';
import {
  readScenarios,
  scenarioFilesAt,
  type ScenarioDocument,
} from '../../src/cli/policy/testing/scenario-files.ts';
import { openWorld, type Stage, type World } from '../../src/cli/policy/testing/world.ts';
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
  let world: World;
  beforeAll(async () => {
    world = await openWorld(await createSnapshot(await compilePolicy(join(ROOT, 'policies'), { opa: opa! })));
  });
  afterAll(() => world.close());

  describe.each(documents.map((d) => [d.content.title, d] as const))('%s', (_title, { content }) => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await world.enter(content);
    });
    afterAll(() => stage.leave());

    test.each(content.scenarios.map((s) => [s.name, s] as const))('%s', async (_name, scenario) => {
      expect(differences(scenario, await stage.play(scenario))).toEqual([]);
    });
  });
});
