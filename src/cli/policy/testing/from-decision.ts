/** `sluice test --from-decision`: writes a scenario from a recorded decision, with its result under this policy. */
import { requireAboutData } from '../explain/asked.ts';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { writeYaml } from '../../../documents/write.ts';
import type { Decision } from '../../../decision-log/index/decision.ts';
import { scanQuery } from '../../../decision-log/index/scan.ts';
import { SluiceError } from '../../../errors.ts';
import { createSnapshot } from '../../../policy/snapshot/index.ts';
import type { ScenarioFile } from '../../../policy/schemas/scenario.ts';
import type { Io } from '../../io.ts';
import { expectationOf } from './expectations.ts';
import { playOne } from './play.ts';
import { readScenarios } from './scenario-files.ts';
import { recordedScenario } from './scenario-recorded.ts';
import { openPolicy } from '../source.ts';
import type { ScenarioResult } from './sandbox.ts';

export interface FromDecision {
  readonly policies: string;
  readonly fromDecision: string;
  readonly journal: string;
  readonly output?: string;
}

/** @throws SluiceError `record_not_found`, and errors that prevent the scenario from running */
export async function fromDecision(io: Io, options: FromDecision): Promise<void> {
  const id = options.fromDecision;
  const decision = await scanQuery(resolve(io.cwd, options.journal)).get(id);
  if (decision === null)
    throw new SluiceError('record_not_found', `The journal at ${options.journal} has no decision ${id}.`);
  requireAboutData(decision);
  const policy = await createSnapshot((await openPolicy(options.policies, io)).bundle);
  const { file, unknown } = recordedScenario(decision, policy);
  const result = await playOne(policy, parsed(file), 0);
  const whole: ScenarioFile = {
    ...file,
    scenarios: file.scenarios.map((s) => ({
      ...s,
      expect: { ...expectationOf(result), upstream_asked: result.asked.length > 0 },
    })),
  };
  const differs = differencesOf(decision, result, policy.revision);
  const text = [
    '# yaml-language-server: $schema=../../schemas/scenario.schema.json',
    `# Decision ${id}, recorded ${decision.timestamp} under policy ${decision.policy?.revision ?? '?'}. What the record does not hold:`,
    ...unknown.map((u) => `# - ${u}`),
    ...(differs.length === 0
      ? []
      : ['# What comes of it differs from what is on record:', ...differs.map((d) => `# - ${d}`)]),
    writeYaml(whole),
  ].join('\n');
  if (options.output === undefined) io.stdout.write(text);
  else {
    await writeFile(resolve(io.cwd, options.output), text, { flag: 'wx' }).catch((cause: unknown) => {
      throw new SluiceError('input_invalid', {
        message: `${options.output} cannot be written; a file that is there is not replaced.`,
        cause,
      });
    });
    io.stdout.write(`${options.output}: the scenario of decision ${id}\n`);
  }
  for (const u of unknown) io.stderr.write(`not on record: ${u}\n`);
  for (const d of differs) io.stderr.write(`differs from the record: ${d}\n`);
}

/** As the file will be read. */
function parsed(file: ScenarioFile) {
  const { documents, faults } = readScenarios('', [{ path: 'recorded.yaml', text: writeYaml(file) }]);
  const [document] = documents;
  if (document === undefined || faults.length > 0)
    throw new SluiceError(
      'record_not_found',
      `No scenario can be made of this decision: ${faults.map((f) => f.message).join('; ')}`,
    );
  return document;
}

const TOLD = 20;

function differencesOf(recorded: Decision, { decision, status }: ScenarioResult, revision: string): string[] {
  const told = (d: Decision | null): string =>
    d === null ? 'no decision' : `${d.outcome} (${d.reasons.map((r) => r.code).join(', ')})`;
  const found: string[] = [];
  if (recorded.policy !== null && recorded.policy.revision !== revision)
    found.push(`the policy is another: ${revision}`);
  if (told(recorded) !== told(decision)) found.push(`${told(recorded)} then, ${told(decision)} now`);
  if (recorded.response !== null && recorded.response.status !== status)
    found.push(`status ${recorded.response.status} then, ${status} now`);
  const done = (d: Decision | null): Map<string, string> =>
    new Map([
      ...(d?.disclosure?.released ?? []).map((p) => [p, 'disclose'] as const),
      ...(d?.disclosure?.withheld ?? []).map((w) => [w.path, `${w.do} (${w.because})`] as const),
    ]);
  const fields: string[] = [];
  const [then, now] = [done(recorded), done(decision)];
  for (const path of [...new Set([...then.keys(), ...now.keys()])].sort()) {
    const [a, b] = [then.get(path) ?? 'not there', now.get(path) ?? 'not there'];
    if (a !== b) fields.push(`${path}: ${a} then, ${b} now`);
  }
  const more = fields.length - TOLD;
  return [...found, ...fields.slice(0, TOLD), ...(more > 0 ? [`${more} more fields`] : [])];
}
