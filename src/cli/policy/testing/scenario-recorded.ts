/**
 * Builds a scenario from a recorded decision. A record holds the subject, the purpose and the states of data subjects, but never a value. So
 * the upstream's records, including ids, are made up with the members that the decision names. Missing information is reported.
 */
import { compilePattern } from '../../../documents/pattern.ts';
import { MASKED } from '../../../decision-log/mask.ts';
import type { Decision } from '../../../decision-log/index/decision.ts';
import { SluiceError } from '../../../errors.ts';
import { LISTS } from '../../../model/actions.ts';
import type { Catalog, CatalogEntry } from '../../../model/catalog.ts';
import type { PolicyInput } from '../../../model/input.ts';
import type { SubjectVerification } from '../../../model/verification.ts';
import { tokensOf } from '../../../model/pointer.ts';
import type { PolicySnapshot } from '../../../model/policy.ts';
import type { RecordedState } from '../../../model/record.ts';
import { isObject } from '../../../documents/yaml.ts';
import type { Scenario, ScenarioFile } from '../../../policy/schemas/scenario.ts';
import { SAMPLES } from '../new/samples.ts';

export interface Recorded {
  readonly file: ScenarioFile;
  /** one sentence each */
  readonly unknown: readonly string[];
}

const HOUR = 3_600_000;

/** @throws SluiceError `record_not_found` if the policy was not queried */
export function recordedScenario(
  decision: Decision,
  { catalogs, data }: Pick<PolicySnapshot, 'catalogs' | 'data'>,
): Recorded {
  const input = decision.input as PolicyInput;
  if (
    !isObject(input) ||
    !isObject(input.context) ||
    decision.request === null ||
    decision.request.route === null
  )
    throw new SluiceError(
      'record_not_found',
      `Decision ${decision.decision_id} is of no request that a scenario could make: the policy was not asked about a route (${decision.reasons.map((r) => r.code).join(', ')}).`,
    );
  const { action, resource, context } = input;
  const states = (decision.disclosure?.answers ?? []).filter((s) => s.resource === resource.type);
  const inner = (decision.disclosure?.answers ?? []).filter((s) => s.resource !== resource.type);
  const isList = LISTS.has(action.name);
  const catalog = catalogs.get(resource.type);
  const ids = (isList ? states : states.slice(0, 1)).map((_, i) => madeUpId(catalog, data, i + 1));
  const first = ids[0] ?? madeUpId(catalog, data, 1);
  const innerIds = new Map(
    inner.map((s, i) => [s.resource, madeUpId(catalogs.get(s.resource), data, 101 + i)]),
  );
  const paths = [
    ...(decision.disclosure?.released ?? []),
    ...(decision.disclosure?.withheld ?? []).map((w) => w.path),
  ];
  const records = ids.map((id) => recordOf(catalog, catalogs, paths, id, innerIds));
  const [method = 'GET', template = '/'] = decision.request.route.split(' ');
  const target = template.replace(/\{[^}]+\}/g, () => encodeURIComponent(first));
  const parameter = /\{([^}]+)\}/.exec(template)?.[1];
  const written = action.properties.body_fields;
  const queried = action.properties.query_fields.map((pointer, i) => [`searched_${i + 1}`, pointer] as const);
  const query = queried.length === 0 ? '' : `?${queried.map(([name]) => `${name}=made-up`).join('&')}`;
  const route = {
    match: `${method} ${template}`,
    resource: resource.type,
    action: action.name,
    ...(parameter === undefined || isList ? {} : { id: `{${parameter}}` }),
    ...(isList ? { records: '/items/*' } : {}),
    ...(queried.length === 0 ? {} : { query_fields: Object.fromEntries(queried) }),
    // A body with only the written members would erase the rest.
    ...(written.length > 0 && method === 'PUT' ? { request: { replaces: 'parts' as const } } : {}),
  };
  const scenario: Scenario = {
    name: `As decided in ${decision.decision_id}`,
    now: context.time,
    request: {
      method: method as Scenario['request']['method'],
      path: `${target}${query}`,
      headers: headersOf(context),
      ...(written.length === 0 ? {} : { body: built(written, catalog, catalogs) }),
    },
    token: claimsOf(input),
    consents: {
      ...Object.fromEntries(ids.map((id, i) => [id, stateOf(states[i]!, context.time)])),
      ...Object.fromEntries(inner.map((s) => [innerIds.get(s.resource)!, stateOf(s, context.time)])),
    },
    ...(context.grants.length === 0
      ? {}
      : {
          grants: context.grants.map(({ data_subject, ...g }) => ({
            ...g,
            ...(data_subject === undefined ? {} : { data_subject: first }),
          })),
        }),
    ...(context.subject_verification === undefined
      ? {}
      : { verification: proofOf(context.subject_verification, first) }),
    ...(decision.upstream === null
      ? {}
      : {
          upstream: {
            status: decision.upstream.status ?? 200,
            body: isList ? { items: records } : (records[0] ?? {}),
          },
        }),
    expect: { status: decision.response?.status ?? 200 },
  };
  return {
    file: { title: 'Recorded decisions', routes: [route], scenarios: [scenario] },
    unknown: unknownOf(decision, input, { isList, states, inner, catalog }),
  };
}

const proofOf = (
  { method, failure }: SubjectVerification,
  data_subject: string,
): NonNullable<Scenario['verification']> =>
  failure === undefined ? { method, data_subject } : { method, failure };

function unknownOf(
  decision: Decision,
  input: PolicyInput,
  {
    isList,
    states,
    inner,
    catalog,
  }: {
    isList: boolean;
    states: readonly RecordedState[];
    inner: readonly RecordedState[];
    catalog: Catalog | undefined;
  },
): string[] {
  const count = states.reduce((n, s) => n + s.count, 0);
  const attributes = Object.keys(catalog?.attributes ?? {});
  return [
    'ids and all values, which are made up',
    'settings of the route beyond its resource and action, and the body of the upstream: both are the simplest that fit',
    ...(isList && count > states.length
      ? [
          `which of ${count} records had which members: there is one record for each of ${states.length} states`,
        ]
      : []),
    ...(!isList && states.length > 1
      ? [`${states.length - 1} more states of data subjects of the same record`]
      : []),
    ...(inner.length > 0 ? ['which record held which embedded resource: each record holds all of them'] : []),
    ...(attributes.length > 0 ? [`attributes of records (${attributes.join(', ')})`] : []),
    ...((decision.disclosure?.answers_omitted ?? 0) > 0
      ? [`${decision.disclosure!.answers_omitted} more states, which the record left out`]
      : []),
    ...(JSON.stringify(input.subject).includes(`"${MASKED}"`)
      ? ['claims that are masked, which are left out']
      : []),
    ...(input.subject.type === 'user'
      ? []
      : [`that the caller is a ${input.subject.type}: scenarios have users`]),
  ];
}

function headersOf(context: PolicyInput['context']): Record<string, string> {
  return {
    'Sluice-Purpose': context.purpose,
    ...(context.recipient === 'internal' ? {} : { 'Sluice-Recipient': context.recipient }),
    ...(context.tier === null ? {} : { 'Sluice-Tier': String(context.tier) }),
    ...(context.justification === null ? {} : { 'Sluice-Justification': context.justification }),
  };
}

function claimsOf({ subject }: PolicyInput): Record<string, unknown> {
  const { roles, department, organization, clearance, assurance } = subject.properties;
  const claims = {
    sub: subject.id,
    roles,
    dept: department,
    org: organization,
    clearance,
    amr: assurance.amr,
    acr: assurance.acr,
    auth_time: assurance.auth_time,
  };
  return Object.fromEntries(Object.entries(claims).filter(([, v]) => v !== null && v !== MASKED));
}

/** An id that the policy accepts for that data subject: it matches its type's pattern, if a usual form does. */
function madeUpId(
  catalog: Catalog | undefined,
  data: { readonly [name: string]: unknown },
  n: number,
): string {
  const type = catalog?.subject_places?.[0]?.type;
  const identifiers = isObject(data['identifiers']) ? data['identifiers'] : {};
  const known = type === undefined || type === null ? undefined : identifiers[type];
  const forms = [
    `made-up-${n}`,
    ...[...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].flatMap((letter) =>
      ['', '-'].flatMap((dash) =>
        [1, 4, 6, 8].map((width) => `${letter}${dash}${String(n).padStart(width, '0')}`),
      ),
    ),
    ...Array.from({ length: 20 }, (_, width) => String(n).padStart(width, '0')),
    `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    `made-up-${n}@example.com`,
    ...[3, 5, 7, 8, 9].map((d) => `1${d}${String(n).padStart(9, '0')}`),
  ];
  if (!isObject(known) || typeof known['pattern'] !== 'string') return forms[0]!;
  const pattern = compilePattern(known['pattern']);
  return forms.find((form) => pattern.matches(form)) ?? forms[0]!;
}

/** A consent as a source stores it, which resolves to the recorded status at that time. */
function stateOf(
  { consents, flags }: RecordedState,
  time: string,
): NonNullable<Scenario['consents']>[string] {
  const at = (offset: number): string => new Date(Date.parse(time) + offset).toISOString();
  return {
    ...(flags.length === 0 ? {} : { flags: [...flags] }),
    consents: consents
      .filter((c) => c.status !== 'unknown')
      .map(({ purpose, categories, recipient, status, explicit, from, until }) => ({
        purpose,
        categories: [...categories],
        recipient,
        status: status === 'withdrawn' ? ('withdrawn' as const) : ('given' as const),
        ...(explicit === undefined ? {} : { explicit }),
        ...(from !== undefined ? { from } : status === 'pending' ? { from: at(HOUR) } : {}),
        ...(until !== undefined ? { until } : status === 'expired' ? { until: at(-HOUR) } : {}),
      })),
  };
}

function recordOf(
  catalog: Catalog | undefined,
  catalogs: ReadonlyMap<string, Catalog>,
  paths: readonly string[],
  id: string,
  innerIds: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const record = built(paths, catalog, catalogs);
  for (const pointer of catalog?.data_subject ?? []) put(record, pointer, id);
  for (const [holder, entry] of Object.entries(catalog?.fields ?? {})) {
    if (!('resource' in entry) || !paths.some((p) => p === holder || p.startsWith(`${holder}/`))) continue;
    for (const pointer of catalogs.get(entry.resource)?.data_subject ?? [])
      put(record, `${holder}${pointer}`, innerIds.get(entry.resource) ?? 'made up');
  }
  return record;
}

function built(
  paths: readonly string[],
  catalog: Catalog | undefined,
  catalogs: ReadonlyMap<string, Catalog>,
): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  for (const path of [...new Set(paths)].sort()) {
    const held = catalog?.fields[path];
    if (held === undefined || !('resource' in held)) put(record, path, sampleOf(path, catalog, catalogs));
  }
  return record;
}

/** `*` is the only element of a list, `[key=value]` the element with that sibling. */
function put(into: Record<string, unknown>, path: string, value: unknown): void {
  let here: Record<string, unknown> | unknown[] = into;
  const steps = tokensOf(path);
  for (const [i, step] of steps.entries()) {
    const last = i === steps.length - 1;
    const next = steps[i + 1];
    const child = (): unknown =>
      next === '*' || (next !== undefined && /^\[.*\]$|^\d+$/.test(next)) ? [] : {};
    if (Array.isArray(here)) {
      const sibling = /^\[([^=\]]+)=(.*)\]$/.exec(step);
      const at: number = sibling === null ? (/^\d+$/.test(step) ? Number(step) : 0) : here.length;
      if (last) here[at] = value;
      else {
        if (!isObject(here[at]) && !Array.isArray(here[at])) here[at] = child();
        if (sibling !== null) (here[at] as Record<string, unknown>)[sibling[1]!] = sibling[2];
        here = here[at] as Record<string, unknown>;
      }
    } else if (last) here[step] = value;
    else {
      if (!isObject(here[step]) && !Array.isArray(here[step])) here[step] = child();
      here = here[step] as Record<string, unknown>;
    }
  }
}

function sampleOf(
  path: string,
  catalog: Catalog | undefined,
  catalogs: ReadonlyMap<string, Catalog>,
): unknown {
  const entry = entryOf(path, catalog, catalogs);
  if (entry === null || 'resource' in entry) return 'made up';
  const kind = typeof entry.mask === 'string' ? entry.mask : entry.mask?.kind;
  if (entry.generalize?.['round'] !== undefined) return 12345;
  if (entry.generalize?.['date'] !== undefined) return '1990-03-07';
  return SAMPLES[kind ?? ''] ?? 'made up';
}

function entryOf(
  path: string,
  catalog: Catalog | undefined,
  catalogs: ReadonlyMap<string, Catalog>,
): CatalogEntry | null {
  const own = catalog?.fields[path];
  if (own !== undefined) return own;
  for (const [holder, entry] of Object.entries(catalog?.fields ?? {}))
    if ('resource' in entry && path.startsWith(`${holder}/`))
      return entryOf(path.slice(holder.length), catalogs.get(entry.resource), catalogs);
  return null;
}
