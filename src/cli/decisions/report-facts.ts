/** What a report compares decisions with: the policy, open reviews, the journal and the configuration. */
import { resolve } from 'node:path';
import { verify } from '../../decision-log/verify/verify.ts';
import { isObject } from '../../documents/yaml.ts';
import { ACTIONS } from '../../model/actions.ts';
import type { PolicySnapshot } from '../../model/policy.ts';
import { createSnapshot } from '../../policy/snapshot/index.ts';
import type { PolicyFacts, ReviewFacts, Right, SystemFacts } from '../../reports/report.ts';
import { knownFrom } from '../../routing/index.ts';
import type { Io } from '../io.ts';
import { withStore } from '../opened.ts';
import { type AxesOptions, axesOf } from '../policy/matrix/axes.ts';
import { combinations, gridOf } from '../policy/matrix/grid.ts';
import { progress } from '../policy/progress.ts';
import { ASKED_ONCE, openPolicy } from '../policy/source.ts';
import { progressBar } from './check.ts';
import { chainKey, type Place, type SourceOptions } from './source.ts';

/** @param named directory or bundle; without it the configuration's. null: there is none, or it is at a URL */
export async function policyFacts(at: Place, named: string | undefined, io: Io): Promise<PolicyFacts | null> {
  const configured = at.loaded?.config.policy;
  const own = configured?.dir ?? configured?.bundle;
  const path = named ?? (typeof own === 'string' ? resolve(at.baseDir, own) : undefined);
  if (path === undefined) return null;
  const policy = await createSnapshot((await openPolicy(path, io)).bundle, { cache: ASKED_ONCE });
  return {
    name: path,
    revision: policy.revision,
    rights: rightsOf(policy, io),
    purposes: [...knownFrom(policy.data).purposes],
    partners: partnersOf(policy.data['partners']),
  };
}

/** As `sluice matrix` takes callers to be: as able as they can be. */
function rightsOf(policy: PolicySnapshot, io: Io): readonly Right[] {
  const about: AxesOptions = {
    clearance: 5,
    amr: ['pwd', 'otp'],
    justification: 'review of the policy',
    at: new Date().toISOString(),
  };
  const axes = axesOf([policy], about);
  const states = axes.states.filter(({ name }) => name === 'agreed');
  const bar = progress(io, combinations(axes) * ACTIONS.length, 'asking the policy');
  const rights = new Map<string, Right>();
  for (const action of ACTIONS) {
    const grid = gridOf(policy, { ...axes, actions: [action], states }, about, () => bar.add());
    for (const { role, purpose, recipient, resource, states: seen } of grid.rows) {
      const key = JSON.stringify([role, purpose, recipient, resource, action]);
      const clear = Object.values(seen['agreed'] ?? {}).flatMap(({ cls, do: treatment }) =>
        cls !== null && treatment === 'disclose' ? [cls] : [],
      );
      // A right may hold in several tiers, with more classes in one of them.
      const all = new Set([...(rights.get(key)?.clear ?? []), ...clear]);
      rights.set(key, { role, purpose, recipient, resource, action, clear: [...all].sort() });
    }
  }
  bar.done();
  return [...rights.values()];
}

function partnersOf(document: unknown): PolicyFacts['partners'] {
  const partners = new Map<string, ReadonlyMap<string, string | null>>();
  for (const [name, partner] of Object.entries(isObject(document) ? document : {})) {
    const agreements = isObject(partner) && isObject(partner['agreements']) ? partner['agreements'] : {};
    const untils = Object.entries(agreements).map(([purpose, agreement]) => {
      const until = isObject(agreement) ? agreement['until'] : undefined;
      return [purpose, typeof until === 'string' ? until : null] as const;
    });
    partners.set(name, new Map(untils));
  }
  return partners;
}

const ALL = 100_000;

/** null: there is no configuration with a store */
export async function reviewFacts({ loaded, file }: Place, io: Io): Promise<readonly ReviewFacts[] | null> {
  if (file === null || loaded?.config.store === undefined) return null;
  return withStore({ config: file }, io, ({ reviews }) => reviews.list({ state: 'open', limit: ALL }));
}

export async function systemFacts(at: Place, options: SourceOptions, io: Io): Promise<SystemFacts> {
  const bar = progressBar(io, 'verifying');
  const report = await verify({
    dir: at.dir,
    key: chainKey(options, at, io),
    progress: bar.update,
  }).finally(bar.stop);
  const { config, loaded } = at;
  const index = config.index === undefined || config.index === 'none' ? [] : Object.keys(config.index);
  const consent = loaded?.config.consent;
  const sources = ['file', 'store', 'http'] as const;
  return {
    journal: {
      ok: report.ok,
      records: report.records,
      chains: report.origins.length,
      archived: report.origins.reduce((n, origin) => n + origin.archived, 0),
      problem: report.problems[0]?.message ?? null,
      signed: report.origins.filter(({ head }) => head === 'signed' || head === 'unchecked').length,
    },
    configuration:
      loaded === null
        ? null
        : {
            durability: config.journal?.durability ?? 'strict',
            checkpoints: config.checkpoints !== undefined,
            witnesses: config.checkpoints?.witnesses.length ?? 0,
            dataSubjectKey: config.data_subject_key !== undefined,
            copies: [
              ...index.map((kind) => `index ${kind}`),
              ...(config.sinks ?? []).map(
                (sink) => `sink ${typeof sink === 'string' ? sink : Object.keys(sink)[0]}`,
              ),
            ],
            consents: sources.find((name) => consent?.[name] !== undefined) ?? null,
          },
  };
}
