/** How `sluice check` checks `sluice.yaml`: its own faults and warnings, and its routes against the catalogs. */
import { type LoadedConfig, loadConfig, operationAt, operationsOf } from '../../../config/index.ts';
import { type Fault, faultsIn, type Path, sentenceOf } from '../../../documents/faults.ts';
import { isSluiceError } from '../../../errors.ts';
import { type Catalog, categoriesOf } from '../../../model/catalog.ts';
import { isObject } from '../../../documents/yaml.ts';
import { isUnshared, UNSHARED_ADVICE } from '../../../quotas/index.ts';
import { VERIFICATION_METHODS } from '../../../model/verification.ts';
import { approvalOf, signingReviewer } from '../../../policy/bundle/approval.ts';
import { classesOf } from '../../../policy/catalog/classes.ts';
import type { PolicyBundle } from '../../../policy/bundle/bundle.ts';
import { approvingOf } from '../../../policy/store.ts';
import { isUnsaved } from '../../../decision-log/secret.ts';
import { settings, sinkNames } from '../../../decision-log/settings.ts';
import { layoutOf } from '../../../disclosure/media.ts';
import { routeWarnings } from '../../../routing/warnings.ts';
import { type Finding, findings } from './findings.ts';
import { nearestOrAll, unknown } from './references.ts';
import type { Kind, KnownNames } from './scenario-references.ts';
import type { Client } from './usage.ts';

export interface InspectedConfig {
  /** null if it has faults */
  readonly loaded: LoadedConfig | null;
  readonly findings: readonly Finding[];
}

/** @throws SluiceError `config_unreadable` */
export async function inspectConfig(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<InspectedConfig> {
  try {
    const loaded = await loadConfig(file, env);
    return { loaded, findings: told(loaded.warnings, 'warning') };
  } catch (e) {
    if (!isSluiceError(e, 'config_invalid')) throw e;
    return { loaded: null, findings: told(faultsIn(e), 'fault') };
  }
}

/**
 * Warnings about routes that need the catalogs.
 * @param broken resources whose catalog has faults, which are already reported
 */
export const routeFindings = (
  loaded: LoadedConfig,
  catalogs: ReadonlyMap<string, Catalog>,
  broken: ReadonlySet<string>,
): readonly Finding[] => [
  ...routeWarnings(operationsOf(loaded.config), catalogs, layoutOf).flatMap(({ route, message, severity }) =>
    severity === 'fault' ? told([loaded.fault(operationAt(loaded.config, route), message)], severity) : [],
  ),
  ...routeWarnings(loaded.config.routes, catalogs, layoutOf, true)
    .filter(({ route }) => !broken.has(loaded.config.routes[route]?.resource ?? ''))
    .flatMap(({ route, key, message, severity }) =>
      told([loaded.fault(['routes', route, ...key], message)], severity).map((finding) =>
        key[0] === 'resource' && severity === 'fault'
          ? { ...finding, cause: unknown('catalog of a resource', loaded.config.routes[route]?.resource) }
          : finding,
      ),
    ),
];

/** Checks roles, purposes, recipients and dates of credentials and routes against the policy's data. */
export function nameFindings(loaded: LoadedConfig, names: KnownNames, now: Date): readonly Finding[] {
  const { identity, notices, purpose, routes } = loaded.config;
  const found: Finding[] = [];
  const say = (path: Path, message: string, severity: Finding['severity'], cause?: string): void => {
    const [finding] = told([loaded.fault(path, message)], severity);
    found.push({ ...finding!, ...(cause === undefined ? {} : { cause }) });
  };
  const must = (
    kind: Kind,
    name: string | null | undefined,
    path: Path,
    severity: Finding['severity'] = 'fault',
  ) => {
    const known = names.get(kind);
    if (name === null || name === undefined || known === undefined || known.has(name)) return;
    const message = `there is no ${kind} "${name}" in the policy's data${nearestOrAll(name, [...known])}`;
    say(path, message, severity, unknown(kind, name));
  };
  for (const list of ['api_keys', 'certificates'] as const)
    for (const [i, { subject }] of identity[list].entries()) {
      const at = ['identity', list, i, 'subject'];
      for (const [n, role] of subject.roles.entries()) must('role', role, [...at, 'roles', n]);
      must('purpose', subject.purpose, [...at, 'purpose']);
      // A policy may know departments and tenants that are not partners.
      if (!Object.hasOwn(purpose.recipients, subject.organization))
        must('recipient', subject.organization, [...at, 'organization'], 'warning');
    }
  for (const [i, { expires }] of identity.api_keys.entries())
    if (expires !== undefined && Date.parse(expires) <= now.getTime())
      say(
        ['identity', 'api_keys', i, 'expires'],
        `this key expired on ${expires}: remove it, or give it another date`,
        'warning',
      );
  for (const [i, { purpose: named }] of identity.issuers.entries())
    must('purpose', named, ['identity', 'issuers', i, 'purpose']);
  must('purpose', purpose.default, ['purpose', 'default']);
  for (const [organization, recipient] of Object.entries(purpose.recipients))
    must('recipient', recipient, ['purpose', 'recipients', organization]);
  for (const name of Object.keys(notices?.recipients ?? {}))
    must('recipient', name, ['notices', 'recipients', name]);
  for (const [i, { purpose: named }] of routes.entries()) must('purpose', named, ['routes', i, 'purpose']);
  return found;
}

/** Proofs that rules of the policy's data demand and that no section of the configuration checks: without one that is, every request is denied. */
export function proofFindings(
  { config: { verification }, fault }: LoadedConfig,
  data: { readonly [name: string]: unknown },
): readonly Finding[] {
  const rules = isObject(data['subject_verification']) ? Object.entries(data['subject_verification']) : [];
  return rules.flatMap(([name, rule]) => {
    const methods: readonly unknown[] =
      isObject(rule) && Array.isArray(rule['methods']) ? rule['methods'] : [];
    const isChecked = VERIFICATION_METHODS.some(
      (method) => methods.includes(method) && verification?.[method] !== undefined,
    );
    if (methods.length === 0 || isChecked) return [];
    return told(
      [
        fault(
          verification === undefined ? [] : ['verification'],
          `the rule subject_verification.${name} of the policy's data demands a proof (${methods.join(', ')}) that no section of verification checks, so that it denies every request it is about`,
        ),
      ],
      'warning',
    );
  });
}

/** @param data of a policy that can be loaded */
export function quotaFindings(
  loaded: LoadedConfig,
  data: { readonly [name: string]: unknown },
): readonly Finding[] {
  const { quotas, workers } = loaded.config;
  if (!isUnshared(quotas, workers) || !isObject(data['quotas']) || Object.keys(data['quotas']).length === 0)
    return [];
  return told([loaded.fault(['workers'], `the policy has quotas, and ${UNSHARED_ADVICE}`)], 'warning');
}

/** A sink that the policy misspells gets everything. @param data of a policy that can be loaded */
export function sinkFindings(
  loaded: LoadedConfig,
  data: { readonly [name: string]: unknown },
): readonly Finding[] {
  const { sinks } = loaded.config.decision_log;
  const known = sinkNames(sinks, loaded.directory);
  return Object.keys(isObject(data['sinks']) ? data['sinks'] : {})
    .filter((name) => !known.includes(name))
    .flatMap((name) => {
      const message = `has no sink ${name}, which sinks.yaml of the policy names${nearestOrAll(name, known)}`;
      return told([loaded.fault(['decision_log', 'sinks'], message)], 'warning');
    });
}

/** What a category that no catalog has was meant for is kept as long as anything else. */
export function retentionFindings(
  loaded: LoadedConfig,
  catalogs: ReadonlyMap<string, Catalog>,
): readonly Finding[] {
  const known = [
    ...categoriesOf(catalogs),
    ...new Set([...catalogs.values()].flatMap((catalog) => classesOf(catalog).map((entry) => entry.class))),
  ];
  const { retention } = loaded.config.decision_log;
  return Object.keys(retention?.categories ?? {})
    .filter((name) => !known.includes(name))
    .flatMap((name) => {
      const message = `no catalog has ${name}, so this retention is about no record${nearestOrAll(name, known)}`;
      return told([loaded.fault(['decision_log', 'retention', 'categories', name], message)], 'warning');
    });
}

/** Without this key nobody finds a data subject in the log. Beside the journal is no second copy of it. */
export function keyFindings({ config, directory, fault }: LoadedConfig): readonly Finding[] {
  const { dir } = settings(config.decision_log, directory);
  if (config.decision_log.data_subject_key !== undefined || !isUnsaved(dir)) return [];
  const message =
    'the generated data-subject.key beside the journal is neither in a backup (sluice backup) nor shared (sluice recovery share): if it is lost, nobody finds a data subject in the log';
  return told([fault(['decision_log'], message)], 'warning');
}

/**
 * Checks whether the signer of bundles could approve them, and whether a sidecar with this configuration would activate the policy. Before
 * its review it would not, which is not a fault.
 * @param bundle null if it cannot be loaded
 */
export async function approvalFindings(
  loaded: LoadedConfig,
  bundle: PolicyBundle | null,
  now: Date,
): Promise<readonly Finding[]> {
  const approving = approvingOf(loaded.config.policy, loaded.directory);
  if (approving === undefined) return [];
  const at = ['policy', 'require_approval'];
  try {
    const signer = await signingReviewer(approving);
    if (signer !== null) return told([loaded.fault([...at, 'keys', signer.kid], signer.why)], 'fault');
    if (bundle !== null) await approvalOf(bundle, approving, now);
    return [];
  } catch (e) {
    // An unreadable key has been reported already.
    if (!isSluiceError(e, 'policy_unapproved')) return [];
    return told([loaded.fault(at, `it would not go live: ${e.message}`)], 'note').map((f) => ({
      ...f,
      rule: 'approval',
    }));
  }
}

/** Callers that the configuration lists. */
export const clientsOf = (loaded: LoadedConfig | null): readonly Client[] =>
  loaded === null
    ? []
    : (['api_keys', 'certificates'] as const).flatMap((list) =>
        loaded.config.identity[list].map(({ subject }, i) => ({
          id: subject.id,
          fault: (message: string) => {
            const { path: _, ...fault } = loaded.fault(['identity', list, i, 'subject', 'id'], message);
            return fault;
          },
        })),
      );

const told = (faults: readonly Fault[], severity: Finding['severity']): Finding[] =>
  findings(
    faults.map(({ path, ...fault }) => ({
      ...fault,
      message: sentenceOf({ message: fault.message, ...(path && { path }) }),
    })),
    'config',
    severity,
  );
