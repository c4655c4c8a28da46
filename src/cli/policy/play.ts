/** Plays scenarios, file by file, through the whole sidecar. */
import type { LivePolicy } from '../../policy/snapshot.ts';
import { SluiceError } from '../../errors.ts';
import type { Came } from './world.ts';
import { differences } from './expectations.ts';
import type { Outcome, Wanted } from './outcome.ts';
import type { ScenarioDocument } from './scenario-files.ts';
import { openWorld } from './world.ts';

/** Names of scenarios are wanted by `<title>: <name>`. @throws SluiceError what keeps a file's sidecar from starting */
export async function playAll(
  policy: LivePolicy,
  documents: readonly ScenarioDocument[],
  wanted: Wanted,
  each: (outcome: Outcome) => void = () => undefined,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const world = await openWorld(policy);
  try {
    for (const { file, content, line } of documents) {
      const chosen = [...content.scenarios.entries()].filter(([, s]) =>
        wanted(`${content.title}: ${s.name}`),
      );
      if (chosen.length === 0) continue;
      const stage = await world.enter(content).catch((cause: Error) => {
        throw new SluiceError('config_invalid', {
          message: `${file}: the routes cannot be used. ${cause.message}`,
          cause,
        });
      });
      try {
        for (const [index, scenario] of chosen) {
          const began = performance.now();
          let problems: string[];
          try {
            problems = differences(scenario, await stage.play(scenario));
          } catch (e) {
            problems = [`the connection broke before the answer was complete (${(e as Error).message})`];
          }
          const outcome: Outcome = {
            suite: content.title,
            name: scenario.name,
            file,
            line: line(index),
            state: problems.length === 0 ? 'passed' : 'failed',
            milliseconds: performance.now() - began,
            problems,
          };
          outcomes.push(outcome);
          each(outcome);
        }
      } finally {
        await stage.leave();
      }
    }
  } finally {
    await world.close();
  }
  return outcomes;
}

/** What comes of one scenario. @throws SluiceError */
export async function playOne(policy: LivePolicy, document: ScenarioDocument, index: number): Promise<Came> {
  const world = await openWorld(policy);
  try {
    const stage = await world.enter(document.content);
    try {
      return await stage.play(document.content.scenarios[index]!);
    } finally {
      await stage.leave();
    }
  } finally {
    await world.close();
  }
}
