/**
 * The last question before a policy goes live: do its own scenarios still come out as they say? They are played through a
 * whole sidecar with the candidate in it; one that fails keeps the last good policy where it is.
 */
import { SluiceError } from '../../errors.ts';
import type { Gate } from '../../policy/store.ts';
import { playAll } from './play.ts';
import { readScenarios } from './scenario-files.ts';

const TOLD = 5;

/** @throws SluiceError `policy_scenario_failed` */
export const scenarioGate: Gate = async (candidate) => {
  const files = Object.entries(candidate.source.sources)
    .filter(([path]) => /^scenarios\/.+\.ya?ml$/.test(path))
    .map(([path, text]) => ({ path, text }));
  if (files.length === 0) return;
  const { documents, faults } = readScenarios(candidate.bundle, files);
  if (faults.length > 0)
    throw new SluiceError(
      'policy_scenario_failed',
      `The policy's scenarios cannot be read: ${faults
        .slice(0, TOLD)
        .map((f) => `${f.file}:${f.line}: ${f.message}`)
        .join('; ')}`,
    );
  const outcomes = await playAll(candidate, documents, () => true);
  const failed = outcomes.filter((o) => o.state === 'failed');
  if (failed.length === 0) return;
  throw new SluiceError(
    'policy_scenario_failed',
    `${failed.length} of the policy's ${outcomes.length} scenarios fail: ${failed
      .slice(0, TOLD)
      .map((o) => `${o.file}:${o.line} "${o.name}"`)
      .join('; ')}. Run "sluice test" on the policy to see how.`,
  );
};
