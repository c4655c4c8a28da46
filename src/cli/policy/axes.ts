/**
 * What a policy is asked about for the disclosure matrix: callers, purposes, tiers, recipients and states of consent. Names
 * come from the policy's data (there is nowhere else to learn them); what they are given comes from asking alone.
 */
import { knownFrom } from '../../routing/index.ts';
import { READS } from '../../model/actions.ts';
import type { Consent, DataSubjectState } from '../../model/consent.ts';
import type { Subject, Tier } from '../../model/input.ts';
import type { PolicySnapshot } from '../../model/policy.ts';
import { classesOf } from '../../policy/catalog.ts';
import { isObject } from '../../policy/document.ts';

export interface AxesOptions {
  readonly role?: readonly string[] | undefined;
  readonly purpose?: readonly string[] | undefined;
  readonly tier?: readonly Tier[] | undefined;
  readonly recipient?: readonly string[] | undefined;
  readonly resource?: readonly string[] | undefined;
  readonly action?: readonly string[] | undefined;
  /** null: the credential states none */
  readonly clearance: number | null;
  readonly amr: readonly string[];
  readonly justification: string | null;
  readonly at: string;
}

export interface NamedState {
  readonly name: string;
  /** for people */
  readonly title: string;
  readonly of: (purpose: string, recipient: string) => DataSubjectState;
}

export interface Axes {
  readonly roles: readonly string[];
  readonly purposes: readonly string[];
  /** null: the request names none */
  readonly tiers: readonly (Tier | null)[];
  readonly recipients: readonly string[];
  readonly resources: readonly string[];
  readonly actions: readonly string[];
  readonly states: readonly NamedState[];
  /** resource → classes of its catalog */
  readonly classes: ReadonlyMap<string, readonly string[]>;
  /** subjects to try in a role: the first who is allowed stands for it */
  subjects(role: string, recipient: string): readonly Subject[];
}

const INTERNAL = 'internal';

export function axesOf(policy: PolicySnapshot, options: AxesOptions): Axes {
  const known = knownFrom(policy.data);
  const classes = new Map([...policy.catalogs].map(([name, c]) => [name, classesOf(c).map((k) => k.class)]));
  const categories = [
    ...new Set([...policy.catalogs.values()].flatMap((c) => classesOf(c).map((k) => k.category))),
  ].sort();
  const recipients = [INTERNAL, ...[...known.recipients].filter((r) => r !== INTERNAL).sort()];
  return {
    roles: options.role ?? names(policy.data['roles']),
    purposes: options.purpose ?? purposesOf(known.purposes, policy.data['roles']),
    tiers: options.tier ?? [null, 1, 2, 3],
    recipients: options.recipient ?? recipients,
    resources: options.resource ?? [...policy.catalogs.keys()].sort(),
    actions: options.action ?? [...READS],
    states: states(categories, names(policy.data['flags'])),
    classes,
    subjects: (role, recipient) => subjectsOf(role, recipient, policy.data, options),
  };
}

/** Purposes that the data name; where they list none, those that roles name. */
function purposesOf(listed: ReadonlySet<string>, roles: unknown): string[] {
  if (listed.size > 0) return [...listed].sort();
  const named = Object.values(isObject(roles) ? roles : {}).flatMap((r) =>
    isObject(r) ? (texts(r['purposes']) ?? []) : [],
  );
  return [...new Set(named)].sort();
}

const names = (value: unknown): string[] =>
  (Array.isArray(value)
    ? value.filter((v): v is string => typeof v === 'string')
    : Object.keys(isObject(value) ? value : {})
  ).sort();

function states(categories: readonly string[], flags: readonly string[]): NamedState[] {
  const consenting =
    (status: Consent['status'], over: readonly string[]) =>
    (purpose: string, recipient: string): DataSubjectState => ({
      consents: [{ purpose, categories: over, recipient, status, explicit: true }],
      flags: [],
    });
  return [
    { name: 'none', title: 'nothing is known of them', of: () => ({ consents: [], flags: [] }) },
    { name: 'agreed', title: 'agreed explicitly to every category', of: consenting('given', categories) },
    {
      name: 'agreed_generally',
      title: 'agreed to everything in general (*)',
      of: consenting('given', ['*']),
    },
    { name: 'expired', title: 'had agreed; the consent has expired', of: consenting('expired', categories) },
    { name: 'withdrew', title: 'withdrew for every category', of: consenting('withdrawn', categories) },
    { name: 'withdrew_all', title: 'withdrew everything (*)', of: consenting('withdrawn', ['*']) },
    ...flags.map((flag) => ({
      name: flag,
      title: `marked "${flag}"`,
      of: (): DataSubjectState => ({ consents: [], flags: [flag] }),
    })),
  ];
}

/** Who holds a role: as its data describe its holders, where they do (departments, kinds of caller). */
function subjectsOf(
  role: string,
  recipient: string,
  data: { readonly [name: string]: unknown },
  { clearance, amr }: AxesOptions,
): Subject[] {
  const roles = isObject(data['roles']) ? data['roles'] : {};
  const about = isObject(roles[role]) ? roles[role] : {};
  const types = texts(about['subject_types']) ?? ['user', 'service', 'partner'];
  const departments = texts(about['departments']) ?? [null];
  const organizations = recipient === INTERNAL ? [INTERNAL] : [INTERNAL, recipient];
  const [type] = types;
  const kinds = about['subject_types'] === undefined ? types : [type ?? 'user'];
  return organizations.flatMap((organization) =>
    kinds.map((kind) => ({
      type: kind,
      id: `matrix-${role}`,
      properties: {
        roles: [role],
        department: departments[0] ?? null,
        organization,
        clearance,
        assurance: { amr, acr: null, auth_time: null },
      },
    })),
  );
}

const texts = (value: unknown): string[] | null =>
  Array.isArray(value) && value.length > 0 && value.every((v) => typeof v === 'string') ? value : null;
