/** What is tried of a policy before it goes live. Each throws what keeps it from going live. */
import { SluiceError } from '../../../errors.ts';
import type { PolicyBundle } from '../../../policy/bundle/bundle.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import type { UnitTest } from '../../../policy/unit-tests/list.ts';
import { holds, type Ran, runUnitTests } from '../../../policy/unit-tests/run.ts';
import { playAll } from './play.ts';
import { readScenarios } from './scenario-files.ts';

const TOLD = 5;

/** fields for the log */
export interface UnitTests {
  readonly unit_tests?: number;
  readonly unit_tests_not_run?: readonly string[];
}

/** On the production engine. @throws SluiceError `policy_unit_test_failed` */
export async function tryUnitTests({ tests, dataJson }: PolicyBundle): Promise<UnitTests> {
  if (tests === undefined) return {};
  const ran: (readonly [UnitTest, Ran])[] = [];
  for await (const one of runUnitTests(tests, dataJson)) ran.push(one);
  const failed = ran.flatMap(([test, r]) => {
    const why = failureOf(test, r);
    return why === null ? [] : [`${test.file}:${test.line} ${test.package}.${test.name}: ${why}`];
  });
  if (failed.length > 0)
    throw new SluiceError(
      'policy_unit_test_failed',
      `${failed.length} of the policy's ${ran.length} unit tests fail on the engine that decides: ${failed
        .slice(0, TOLD)
        .join('; ')}. Run "sluice test" on the policy to see more.`,
    );
  const unrun = ran.flatMap(([t, r]) => ('unrun' in r ? [`${t.package}.${t.name}: ${r.unrun}`] : []));
  return { unit_tests: ran.length, ...(unrun.length === 0 ? {} : { unit_tests_not_run: unrun }) };
}

/** null: it passes, or cannot be run here and is reported as such */
function failureOf(test: UnitTest, ran: Ran): string | null {
  if ('unrun' in ran) return null;
  if ('error' in ran) return ran.error;
  return holds(test, ran.value) ? null : 'it is not true';
}

/** Through a complete sidecar. @throws SluiceError `policy_scenario_failed`; the reason of `stop` */
export async function tryScenarios(candidate: LivePolicy, stop?: AbortSignal): Promise<void> {
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
  const outcomes = await playAll(candidate, documents, () => true, undefined, stop);
  const failed = outcomes.filter((o) => o.state === 'failed');
  if (failed.length === 0) return;
  throw new SluiceError(
    'policy_scenario_failed',
    `${failed.length} of the policy's ${outcomes.length} scenarios fail: ${failed
      .slice(0, TOLD)
      .map((o) => `${o.file}:${o.line} "${o.name}"`)
      .join('; ')}. Run "sluice test" on the policy to see how.`,
  );
}
