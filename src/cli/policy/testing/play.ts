/** Runs scenarios, file by file, through a complete sidecar. */
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import { SluiceError } from '../../../errors.ts';
import { differences } from './expectations.ts';
import type { Outcome, Wanted } from './outcome.ts';
import type { ScenarioDocument } from './scenario-files.ts';
import { type ScenarioResult, openSandbox, type Sandbox } from './sandbox.ts';

/**
 * Scenarios are selected by `<title>: <name>`.
 * @param stop no further scenario is begun once it is aborted
 * @throws SluiceError errors that prevent a file's sidecar from starting; the reason of `stop`
 */
export async function playAll(
  policy: LivePolicy,
  documents: readonly ScenarioDocument[],
  wanted: Wanted,
  each: (outcome: Outcome) => void = () => undefined,
  stop?: AbortSignal,
): Promise<Outcome[]> {
  const played: Outcome[][] = documents.map(() => []);
  const sandbox = await openSandbox(policy);
  const waiting = [...documents.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [position, document] = next;
      const report = (outcome: Outcome): void => {
        played[position]!.push(outcome);
        each(outcome);
      };
      await playFile(sandbox, document, wanted, report, stop);
    }
  };
  try {
    const done = await Promise.allSettled(Array.from({ length: SIDE_BY_SIDE }, work));
    for (const d of done) if (d.status === 'rejected') throw d.reason;
  } finally {
    await sandbox.close();
  }
  return played.flat();
}

/** files at a time: one can compute while another waits for its sockets */
const SIDE_BY_SIDE = 4;

async function playFile(
  sandbox: Sandbox,
  { file, content, line }: ScenarioDocument,
  wanted: Wanted,
  each: (outcome: Outcome) => void,
  stop: AbortSignal | undefined,
): Promise<void> {
  const chosen = [...content.scenarios.entries()].filter(([, s]) => wanted(`${content.title}: ${s.name}`));
  if (chosen.length === 0) return;
  const sidecar = await sandbox.open(content).catch((cause: Error) => {
    throw new SluiceError('config_invalid', {
      message: `${file}: the routes cannot be used. ${cause.message}`,
      cause,
    });
  });
  try {
    for (const [index, scenario] of chosen) {
      stop?.throwIfAborted();
      const began = performance.now();
      let problems: string[];
      try {
        problems = differences(scenario, await sidecar.run(scenario));
      } catch (e) {
        problems = [`the connection broke before the answer was complete (${(e as Error).message})`];
      }
      each({
        suite: content.title,
        name: scenario.name,
        file,
        line: line(index),
        state: problems.length === 0 ? 'passed' : 'failed',
        milliseconds: performance.now() - began,
        problems,
      });
    }
  } finally {
    await sidecar.close();
  }
}

/** Runs one scenario. @throws SluiceError */
export async function playOne(
  policy: LivePolicy,
  document: ScenarioDocument,
  index: number,
): Promise<ScenarioResult> {
  const sandbox = await openSandbox(policy);
  try {
    const sidecar = await sandbox.open(document.content);
    try {
      return await sidecar.run(document.content.scenarios[index]!);
    } finally {
      await sidecar.close();
    }
  } finally {
    await sandbox.close();
  }
}
