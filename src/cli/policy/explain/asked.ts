/** Builds the request that `sluice explain` explains: from a record, a scenario, or flags. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type ConsentsDocument, createIdentities, readConsents } from '../../../consent/index.ts';
import { createStaticConsents } from '../../../consent/static.ts';
import type { Decision } from '../../../decision-log/index/decision.ts';
import { scanQuery } from '../../../decision-log/index/scan.ts';
import { createDisclosureStage } from '../../../disclosure/stage.ts';
import { createKeyRing } from '../../../disclosure/keys.ts';
import { SluiceError } from '../../../errors.ts';
import { type DataSubjectState, NO_STATE } from '../../../model/consent.ts';
import type { PolicyInput, Tier } from '../../../model/input.ts';
import type { WithheldPath } from '../../../model/record.ts';
import { textOf } from '../../../documents/complete.ts';
import { classesOf } from '../../../policy/catalog/classes.ts';
import { isObject } from '../../../documents/yaml.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import type { Io } from '../../io.ts';
import type { StateAsked } from './account.ts';
import { type AxesOptions, axesOf } from '../matrix/axes.ts';
import { inputOf, qualified } from '../matrix/grid.ts';
import { playOne } from '../testing/play.ts';
import { readScenarios, scenarioFilesAt } from '../testing/scenario-files.ts';
import type { NamedPolicy } from '../source.ts';

export interface Asked {
  readonly what: string;
  readonly input: PolicyInput;
  readonly states: readonly StateAsked[];
  /** paths that occurred; null: unknown, so the entire catalog */
  readonly seen: ReadonlySet<string> | null;
  /** pointers without a catalog entry */
  readonly uncatalogued: readonly string[];
  /** fields that held an object which their entry does not cover */
  readonly not_whole: readonly string[];
  /** revision of the decision, if recorded */
  readonly revision: string | null;
}

export interface RequestFlags {
  readonly role?: string[];
  readonly purpose?: string;
  readonly recipient: string;
  readonly tier?: Tier;
  readonly action: string;
  readonly resource?: string;
  readonly department?: string;
  readonly organization: string;
  readonly clearance: number | null;
  readonly amr: string;
  readonly justification?: string;
  readonly at?: string;
  readonly state?: string[];
  readonly record?: string;
  readonly consents?: string;
}

/** @throws SluiceError `record_not_found`, `input_invalid` */
/**
 * Of a call of the admin API, `sluice/admin` was asked.
 * @throws SluiceError `input_invalid`
 */
export function requireAboutData({ decision_id, input }: Pick<Decision, 'decision_id' | 'input'>): void {
  const context = isObject(input) ? input['context'] : undefined;
  if (isObject(context) && !Array.isArray(context['grants']))
    throw new SluiceError(
      'input_invalid',
      `The decision ${decision_id} is about a call of the admin API: sluice decisions show ${decision_id} has its reasons, and the roles are in admin.yaml.`,
    );
}

export async function askedInJournal(id: string, journal: string): Promise<Asked> {
  const decision = await scanQuery(journal).get(id);
  if (decision === null)
    throw new SluiceError('record_not_found', `The journal at ${journal} has no decision ${id}.`);
  requireAboutData(decision);
  return { ...ofDecision(decision, `decision ${id}`), revision: decision.policy?.revision ?? null };
}

export async function askedInScenario(
  text: string,
  named: NamedPolicy,
  policy: LivePolicy,
  path: string | null,
): Promise<Asked> {
  const { dir, files } =
    path === null ? { dir: named.files.dir, files: named.files.scenarios } : await scenarioFilesAt(path);
  const { documents } = readScenarios(dir, files);
  const all = documents.flatMap((document) =>
    document.content.scenarios.map((scenario, index) => ({ document, scenario, index })),
  );
  const wanted = text.toLowerCase();
  const exact = all.filter((s) => s.scenario.name === text);
  const found = exact.length > 0 ? exact : all.filter((s) => s.scenario.name.toLowerCase().includes(wanted));
  const [first] = found;
  if (first === undefined)
    throw new SluiceError('input_invalid', `No scenario of ${path ?? named.name} has "${text}" in its name.`);
  if (found.length > 1)
    throw new SluiceError(
      'input_invalid',
      `${found.length} scenarios have "${text}" in their names: ${found
        .slice(0, 5)
        .map((f) => `"${f.scenario.name}"`)
        .join(', ')}. Give more of it.`,
    );
  const result = await playOne(policy, first.document, first.index);
  if (result.decision === null)
    throw new SluiceError('record_not_found', 'The scenario came to no decision.');
  return { ...ofDecision(result.decision, `scenario "${first.scenario.name}"`), revision: null };
}

function ofDecision(decision: Decision, what: string): Omit<Asked, 'revision'> {
  const { input, disclosure } = decision;
  if (!isObject(input) || !isObject(input['context']))
    throw new SluiceError(
      'record_not_found',
      `The policy was not asked: the request was refused before (${decision.reasons.map((r) => r.code).join(', ')}).`,
    );
  const paths =
    disclosure === null ? [] : [...disclosure.released, ...disclosure.withheld.map((w) => w.path)];
  return {
    what,
    input: input as unknown as PolicyInput,
    states: (disclosure?.answers ?? []).map((a) => ({
      resource: a.resource,
      data_subject: { consents: a.consents, flags: a.flags },
      attributes: {},
      count: a.count,
      // A record keeps the states with which its response was disclosed.
      shown: true,
    })),
    seen: paths.length === 0 ? null : new Set(paths),
    ...droppedIn(disclosure?.withheld ?? []),
  };
}

/** Pointers that are never released, whatever the policy says: the catalog does not cover them. */
function droppedIn(withheld: readonly WithheldPath[]): Pick<Asked, 'uncatalogued' | 'not_whole'> {
  const paths = (because: string) => withheld.filter((w) => w.because === because).map((w) => w.path);
  return { uncatalogued: paths('uncatalogued'), not_whole: paths('not_whole') };
}

export async function askedByFlags(policy: LivePolicy, flags: RequestFlags, io: Io): Promise<Asked> {
  const resource = flags.resource ?? [...policy.catalogs.keys()].sort()[0];
  if (flags.purpose === undefined || resource === undefined)
    throw new SluiceError(
      'usage_invalid',
      'What is to be explained? Give --decision, --scenario, or a request: --role and --purpose at least.',
    );
  const at = flags.at ?? new Date().toISOString();
  const options: AxesOptions = {
    clearance: flags.clearance,
    amr: flags.amr === '' ? [] : flags.amr.split(','),
    justification: flags.justification ?? null,
    at,
  };
  const axes = axesOf([policy], { ...options, partly: true });
  const roles = flags.role ?? [];
  const [model] = axes.subjects(roles[0] ?? '', flags.recipient);
  const subject = {
    type: model?.type ?? 'user',
    id: 'explained',
    properties: {
      roles,
      department: flags.department ?? model?.properties.department ?? null,
      organization: flags.organization,
      clearance: flags.clearance,
      assurance: { amr: options.amr, acr: null, auth_time: null },
    },
  };
  const input = qualified(
    policy,
    inputOf(subject, flags.action, resource, flags.purpose, flags.recipient, flags.tier ?? null, options),
  );
  const what = 'the request given';
  if (flags.record !== undefined)
    return { what, ...(await ofRecord(policy, input, flags, io)), revision: null };
  const states = (flags.state ?? ['none']).map((name): StateAsked => {
    const state = axes.states.find((s) => s.name === name);
    if (state === undefined)
      throw new SluiceError(
        'usage_invalid',
        `There is no state "${name}"; known: ${axes.states.map((s) => s.name).join(', ')}.`,
      );
    return {
      resource,
      data_subject: state.of(input.context.purpose, flags.recipient),
      attributes: {},
      count: null,
    };
  });
  return { what, input, states, seen: null, ...droppedIn([]), revision: null };
}

/** A record with the consents of its data subjects, disclosed as the sidecar would, to find its fields. */
async function ofRecord(
  policy: LivePolicy,
  input: PolicyInput,
  flags: RequestFlags,
  io: Io,
): Promise<Pick<Asked, 'input' | 'states' | 'seen' | 'uncatalogued' | 'not_whole'>> {
  const read = async (file: string): Promise<Buffer> =>
    readFile(resolve(io.cwd, file)).catch((cause: unknown) => {
      throw new SluiceError('input_invalid', { message: `${file} cannot be read.`, cause });
    });
  const body = await read(flags.record!);
  const known: Pick<ConsentsDocument, 'data_subjects' | 'aliases'> =
    flags.consents === undefined
      ? { data_subjects: {} }
      : readConsents(textOf(await read(flags.consents)), flags.consents).document;
  const consents = createStaticConsents(known.data_subjects, {
    exposeDates: policy.reads_consent_dates,
    aliases: known.aliases ?? {},
  });
  const identities = createIdentities(consents);
  const catalog = policy.catalogs.get(input.resource.type);
  if (catalog === undefined)
    throw new SluiceError(
      'catalog_unknown',
      `The policy has no catalog of a resource "${input.resource.type}".`,
    );
  const secret = Buffer.alloc(32, 1).toString('base64');
  const stage = createDisclosureStage({
    keys: createKeyRing({
      pseudonyms: { use: 'pseudonymize', secret },
      tokens: { use: 'tokenize', secret },
      data_subjects: { use: 'data_subjects', secret },
    }),
  });
  const states: StateAsked[] = [];
  const seen = new Set<string>();
  const withheld: WithheldPath[] = [];
  // Everything is allowed here to find the fields; the policy is queried afterwards.
  const everything = Object.fromEntries(
    [...policy.catalogs.values()]
      .flatMap(classesOf)
      .map(({ class: cls }) => [cls, { do: 'disclose', because: 'explained' } as const]),
  );
  const parts = stage.disclose(once(body), {
    format: 'json',
    charset: '',
    catalog,
    catalogs: policy.catalogs,
    records: null,
    dataSubject: null,
    obligations: {},
    recipient: input.context.recipient,
    purpose: input.context.purpose,
    decisionId: '',
    options: {},
    identify: (values) => identities.identify(policy.data, values),
    consents: (ids) => consents.lookup(ids, new Date(input.context.time)),
    ask(resource, data_subject: DataSubjectState, attributes) {
      states.push({ resource, data_subject, attributes, count: 1, given: true });
      return { disclose: true, reasons: [], classes: everything, fields: {} };
    },
  });
  for await (const { summary } of parts) {
    withheld.push(...summary.withheld);
    for (const path of summary.released) seen.add(path);
    for (const w of summary.withheld) if (w.because !== 'uncatalogued') seen.add(w.path);
  }
  if (states.length === 0)
    states.push({ resource: input.resource.type, data_subject: NO_STATE, attributes: {}, count: 1 });
  return { input, states, seen, ...droppedIn(withheld) };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
