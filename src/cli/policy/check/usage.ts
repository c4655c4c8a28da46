/**
 * Data minimisation, by the decisions on record: what the policy gives and nobody used in a number of days.
 *
 * A class is **used** by a role for a purpose when, in a decision that was allowed, a field of it left (disguised or not), was
 * searched by, or was written; a category when a class of it was. What is on record with a class that no catalog has any more uses all
 * classes of its category. Whether somebody read what left is not on record. A caller with several roles counts for each of
 * them that the policy lets act for this purpose. What a role may see is asked of the policy, of a caller who is as able as can be
 * and of a customer who agreed to everything.
 */
import { listOrigins } from '../../../decision-log/journal/directory.ts';
import { MASKED } from '../../../decision-log/mask.ts';
import { records } from '../../../decision-log/index/scan.ts';
import { ACTIONS, SENDS_RECORD } from '../../../model/actions.ts';
import { type Catalog, classOf } from '../../../model/catalog.ts';
import { NO_STATE } from '../../../model/consent.ts';
import type { DecisionRecord } from '../../../model/record.ts';
import { decide } from '../../../pipeline/authorize.ts';
import { isObject } from '../../../documents/yaml.ts';
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import { type Axes, type AxesOptions, axesOf } from '../matrix/axes.ts';
import { type CausedFault, type Finding, findings } from './findings.ts';
import { inputOf, seenBy, qualified, writtenBy } from '../matrix/grid.ts';
import type { BySchema } from './references.ts';

const DAY = 86_400_000;

export interface UsageOptions {
  /** journals of all sidecars with this policy */
  readonly journals: readonly string[];
  readonly days: number;
  readonly now: Date;
  readonly progress?: (bytes: number) => void;
}

/** A credential in the configuration: an API key, a certificate. */
export interface Client {
  readonly id: string;
  fault(message: string): CausedFault;
}

/** @throws SluiceError `input_invalid` if a journal cannot be read */
export async function usageFindings(
  policy: LivePolicy,
  documents: BySchema,
  clients: readonly Client[],
  options: UsageOptions,
): Promise<Finding[]> {
  const { journals, days, now } = options;
  const since = new Date(now.getTime() - days * DAY);
  const used = new Used(policy.catalogs);
  let earliest = now.toISOString();
  for (const dir of journals) {
    for (const { origin } of await listOrigins(dir))
      for await (const { record } of records(dir, { origin })) {
        if (record.timestamp < earliest) earliest = record.timestamp;
        break;
      }
    const query = { kind: 'disclosure', since: since.toISOString(), until: now.toISOString() } as const;
    for await (const { record } of records(dir, query, options.progress)) used.take(record);
  }
  const span = `in the last ${days} days`;
  if (used.decisions === 0)
    return findings(
      [{ message: `${journals.join(', ')}: there is no decision ${span}, so use cannot be checked` }],
      'usage',
      'warning',
    );
  const notes: CausedFault[] = [];
  if (earliest > since.toISOString())
    notes.push({
      message: `the journal begins on ${earliest.slice(0, 10)}, less than ${days} days ago: permissions that are used rarely may be reported as unused`,
    });
  if (used.hidden)
    notes.push({
      message:
        'subjects are masked in the journal (decision_log.mask): the use of roles and clients cannot be checked',
    });
  return [
    ...findings(notes, 'usage', 'note'),
    ...findings(unused(policy, documents, used.hidden ? [] : clients, used, span, now), 'usage', 'warning'),
  ];
}

/** Usage in recorded decisions. */
class Used {
  decisions = 0;
  /** some records mask the subject */
  hidden = false;
  readonly subjects = new Set<string>();
  readonly purposes = new Set<string>();
  /** recipient and purpose */
  readonly agreements = new Set<string>();
  /** role and purpose → classes */
  readonly pairs = new Map<string, Set<string>>();
  readonly #catalogs: ReadonlyMap<string, Catalog>;
  readonly #classes: ReadonlySet<string>;

  constructor(catalogs: ReadonlyMap<string, Catalog>) {
    this.#catalogs = catalogs;
    this.#classes = new Set(
      [...catalogs.values()].flatMap(({ fields }) =>
        Object.values(fields).flatMap((f) => ('category' in f ? classOf(f) : [])),
      ),
    );
  }

  take(record: DecisionRecord): void {
    if (record.outcome === 'denied' || record.outcome === 'error' || record.purpose === null) return;
    this.decisions += 1;
    const { subject, purpose, recipient } = record;
    this.purposes.add(purpose);
    this.agreements.add(key(recipient ?? 'internal', purpose));
    const roles: unknown = subject?.properties.roles;
    if (subject === null || isHidden(subject.id) || !Array.isArray(roles) || roles.some(isHidden))
      this.hidden = true;
    else {
      this.subjects.add(subject.id);
      const classes = [...this.#used(record)].flatMap((cls) =>
        this.#classes.has(cls)
          ? cls
          : [...this.#classes].filter((known) => categoryOf(known) === categoryOf(cls)),
      );
      for (const role of roles as string[]) {
        const seen = this.pairs.get(key(role, purpose)) ?? new Set();
        for (const cls of classes) seen.add(cls);
        this.pairs.set(key(role, purpose), seen);
      }
    }
  }

  /** classes */
  *#used({ disclosure, resource, input }: DecisionRecord): Generator<string> {
    for (const [cls, treatments] of Object.entries(disclosure?.by_class ?? {}))
      if (Object.entries(treatments).some(([name, n]) => n > 0 && !NOTHING_LEFT.has(name))) yield cls;
    const fields = this.#catalogs.get(resource?.type ?? '')?.fields ?? {};
    const action = isObject(input) ? input['action'] : undefined;
    const properties = isObject(action) && isObject(action['properties']) ? action['properties'] : {};
    for (const list of [properties['query_fields'], properties['body_fields']])
      for (const pointer of Array.isArray(list) ? (list as unknown[]) : []) {
        const entry = fields[String(pointer)];
        if (entry !== undefined && 'category' in entry) yield classOf(entry);
      }
  }
}

const NOTHING_LEFT: ReadonlySet<string> = new Set(['drop', 'nullify', 'withheld']);
const isHidden = (value: unknown): boolean =>
  typeof value !== 'string' || value === MASKED || value.startsWith('hmac:');
const key = (a: string, b: string): string => JSON.stringify([a, b]);

function unused(
  policy: LivePolicy,
  documents: BySchema,
  clients: readonly Client[],
  used: Used,
  span: string,
  now: Date,
): CausedFault[] {
  const options: AxesOptions = {
    clearance: 5,
    amr: ['pwd', 'otp', 'mfa'],
    justification: 'sluice check',
    at: now.toISOString(),
    action: ACTIONS,
  };
  const axes = axesOf([policy], options);
  const found: CausedFault[] = [];
  const at = (name: string, path: readonly (string | number)[], message: string): void => {
    const document = documents
      .get(`policy-${name}.schema.json`)
      ?.find(({ value }) => isObject(value) && isObject(value[name]) && Object.hasOwn(value[name], path[0]!));
    found.push(document?.fault([name, ...path], message, 'key') ?? { message });
  };
  const unusedPurposes = new Set(axes.purposes.filter((p) => !used.purposes.has(p)));
  for (const purpose of unusedPurposes)
    at('purposes', [purpose], `no request for the purpose "${purpose}" was allowed ${span}`);
  if (!used.hidden)
    for (const role of axes.roles)
      roleFindings({ policy, axes, options, used, span, unusedPurposes, at }, role);
  const { partners } = policy.data;
  for (const [partner, about] of Object.entries(isObject(partners) ? partners : {})) {
    if (!isObject(about)) continue;
    // An agreement or role that has ended grants nothing, so it is not reported; nor does a partner get anything whom nobody has assessed.
    const today = options.at.slice(0, 10);
    const hasEnded = (period: unknown): boolean => isObject(period) && String(period['until']) < today;
    if (['qualification', 'commitment'].some((name) => !isObject(about[name]) || hasEnded(about[name])))
      continue;
    const listed = isObject(about['agreements']) ? about['agreements'] : {};
    const agreements = Object.entries(listed).flatMap(([purpose, agreement]) =>
      hasEnded(agreement) ? [] : [purpose],
    );
    if (agreements.length === 0) continue;
    const idle = agreements.filter((purpose) => !used.agreements.has(key(partner, purpose)));
    if (idle.length === agreements.length)
      at('partners', [partner], `the partner "${partner}" received nothing ${span}`);
    else
      for (const purpose of idle)
        at(
          'partners',
          [partner, 'agreements', purpose],
          `the partner "${partner}" received nothing for ${purpose} ${span}`,
        );
  }
  for (const client of clients)
    if (!used.subjects.has(client.id))
      found.push(client.fault(`no request of the client "${client.id}" was allowed ${span}`));
  return found;
}

interface Context {
  readonly policy: LivePolicy;
  readonly axes: Axes;
  readonly options: AxesOptions;
  readonly used: Used;
  readonly span: string;
  readonly unusedPurposes: ReadonlySet<string>;
  readonly at: (name: string, path: readonly (string | number)[], message: string) => void;
}

function roleFindings(context: Context, role: string): void {
  const { policy, axes, used, span, unusedPurposes, at } = context;
  const may = axes.purposes.flatMap((purpose) => {
    const classes = visible(context, role, purpose);
    return classes === null ? [] : [{ purpose, classes, seen: used.pairs.get(key(role, purpose)) }];
  });
  const acted = may.filter(({ seen }) => seen !== undefined);
  if (acted.length === 0) {
    // A role for which nothing is allowed is reported as such.
    if (may.length > 0) at('roles', [role], `no request of the role "${role}" was allowed ${span}`);
    return;
  }
  const { roles } = policy.data;
  const about = isObject(roles) && isObject(roles[role]) ? roles[role] : {};
  const purposes = Array.isArray(about['purposes']) ? (about['purposes'] as unknown[]) : [];
  const placeOf = (purpose: string): readonly (string | number)[] => {
    const index = purposes.indexOf(purpose);
    return index < 0 ? [role] : [role, 'purposes', index];
  };
  for (const { purpose, seen } of may)
    if (seen === undefined && !unusedPurposes.has(purpose)) {
      at('roles', placeOf(purpose), `no request of the role "${role}" for ${purpose} was allowed ${span}`);
    }
  const idle = new Map<string, string[]>();
  /** categories with some, but not all, classes used; reported once for several purposes */
  const partly = new Map<
    string,
    { readonly idle: string; readonly only: string; readonly where: string[] }
  >();
  for (const { purpose, classes, seen } of acted) {
    const usedCategories = new Set([...seen!].map(categoryOf));
    const unseen = [...classes].filter((cls) => !seen!.has(cls)).sort();
    for (const category of new Set(unseen.map(categoryOf)))
      if (!usedCategories.has(category)) idle.set(category, [...(idle.get(category) ?? []), purpose]);
    const rest = unseen.filter((cls) => usedCategories.has(categoryOf(cls)));
    const about = new Set(rest.map(categoryOf));
    const only = [...seen!].filter((cls) => about.has(categoryOf(cls))).sort();
    if (rest.length === 0) continue;
    const entry = { idle: rest.join(', '), only: only.join(', '), where: [] };
    const known = partly.get(key(entry.idle, entry.only)) ?? entry;
    partly.set(key(entry.idle, entry.only), { ...known, where: [...known.where, purpose] });
  }
  for (const [category, where] of idle)
    at(
      'roles',
      [role, 'categories', category],
      `the role "${role}" may see or write ${category} for ${where.join(', ')}, but ${span} no field of it was disclosed, searched by or written`,
    );
  for (const { idle: classes, only, where } of partly.values())
    at(
      'roles',
      placeOf(where[0]!),
      `the role "${role}" may see or write ${classes} for ${where.join(', ')}, but ${span} only ${only} of the same categories was disclosed, searched by or written`,
    );
}

/** Classes of which something may be released or written; null: no request of this role for this purpose is allowed. */
function visible(
  { policy, axes, options }: Context,
  role: string,
  purpose: string,
): ReadonlySet<string> | null {
  const agreed = axes.states.find(({ name }) => name === 'agreed');
  let classes: Set<string> | null = null;
  for (const recipient of axes.recipients)
    for (const subject of axes.subjects(role, recipient))
      for (const resource of axes.resources)
        for (const action of axes.actions)
          for (const tier of axes.tiers) {
            const input = inputOf(subject, action, resource, purpose, recipient, tier, options);
            const { answer, input: asked } = decide(policy, qualified(policy, input));
            if (!answer.allow) {
              // Most combinations are denied for every tier, so only those allowed without a tier are queried for each.
              if (tier === null) break;
              continue;
            }
            classes ??= new Set();
            const state = agreed?.of(purpose, recipient) ?? NO_STATE;
            const fieldsOf = SENDS_RECORD.has(action) ? writtenBy : seenBy;
            for (const { cls, resource: of, outcome } of fieldsOf(policy, asked, state))
              if (cls !== null && of === resource && !NOTHING_LEFT.has(outcome.do)) classes.add(cls);
          }
  return classes;
}

const categoryOf = (cls: string): string => cls.replace(/\/\d+$/, '');
