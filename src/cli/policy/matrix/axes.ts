/**
 * The combinations that the disclosure matrix queries: callers, purposes, tiers, recipients and states of consent. The names
 * come from the policy's data, their only source. The results come only from the policy's answers.
 */
import { knownFrom } from '../../../routing/index.ts';
import { READS } from '../../../model/actions.ts';
import type { Consent, DataSubjectState } from '../../../model/consent.ts';
import type { Subject, Tier } from '../../../model/input.ts';
import type { PolicySnapshot } from '../../../model/policy.ts';
import { classesOf } from '../../../policy/catalog/classes.ts';
import { isObject } from '../../../documents/yaml.ts';

export interface AxesOptions {
  readonly role?: readonly string[] | undefined;
  readonly purpose?: readonly string[] | undefined;
  readonly tier?: readonly Tier[] | undefined;
  readonly recipient?: readonly string[] | undefined;
  readonly resource?: readonly string[] | undefined;
  readonly action?: readonly string[] | undefined;
  /** null: the credential states none; several: each is queried */
  readonly clearance: number | null | readonly (number | null)[];
  readonly amr: readonly string[];
  readonly justification: string | null;
  readonly at: string;
  /** includes people who withdrew a part of their consents */
  readonly partly?: boolean;
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
  /** clearances; several if they make a difference of their own */
  readonly clearances: readonly (number | null)[];
  /** possible holders of a role, with the first clearance: each kind of caller and organization in the data, in departments that make a difference */
  subjects(role: string, recipient: string): readonly Subject[];
  /** holders that differ in one property from the data: the rules may not enforce what the data says */
  others(asker: Asker, role: string, recipient: string): readonly Asker[];
}

/** A caller and its justification. */
export interface Asker {
  readonly subject: Subject;
  readonly justification: string | null;
}

const INTERNAL = 'internal';

/** The combined axes of several policies, so that all get the same queries. */
export function axesOf(policies: readonly PolicySnapshot[], options: AxesOptions): Axes {
  const known = policies.map(({ data }) => knownFrom(data));
  const catalogs = policies.flatMap((policy) => [...policy.catalogs]);
  const categories = sorted(catalogs.flatMap(([, c]) => classesOf(c).map((k) => k.category)));
  const partners = sorted(known.flatMap(({ recipients }) => [...recipients])).filter((r) => r !== INTERNAL);
  const roles = policies.map(({ data }) => data['roles']);
  const { clearance } = options;
  const clearances = Array.isArray(clearance) ? clearance : [clearance as number | null];
  return {
    roles: options.role ?? sorted(roles.flatMap(names)),
    purposes: options.purpose ?? sorted(known.flatMap(({ purposes }, n) => purposesOf(purposes, roles[n]))),
    tiers: options.tier ?? [null, 1, 2, 3],
    recipients: options.recipient ?? [INTERNAL, ...partners],
    resources: options.resource ?? sorted(catalogs.map(([name]) => name)),
    actions: options.action ?? [...READS],
    clearances,
    states: states(
      categories,
      sorted(policies.flatMap(({ data }) => names(data['flags']))),
      options.partly ?? false,
    ),
    subjects: (role, recipient) => subjectsOf(role, recipient, roles, options, clearances[0] ?? null),
    others: (asker, role, recipient) => othersThan(asker, recipient, aboutRole(roles, role), partners),
  };
}

/** a department that does not occur in the data */
const ELSEWHERE = 'another';

function othersThan(
  asker: Asker,
  recipient: string,
  about: readonly RoleData[],
  partners: readonly string[],
): Asker[] {
  const { subject, justification } = asker;
  const { type, properties } = subject;
  const has = (changed: Partial<Subject['properties']>): Asker => ({
    ...asker,
    subject: { ...subject, properties: { ...properties, ...changed } },
  });
  const named = kindsOf(about);
  const kinds = type === named[0] ? KINDS.filter((kind) => !named.includes(kind)) : [];
  const { assurance } = properties;
  const amr = assurance.amr.slice(0, 1);
  return [
    ...kinds.map((kind) => ({ ...asker, subject: { ...subject, type: kind } })),
    has({ department: ELSEWHERE }),
    ...partners.filter((name) => name !== recipient).map((organization) => has({ organization })),
    ...(amr.length < assurance.amr.length ? [has({ assurance: { ...assurance, amr } })] : []),
    ...(justification === null ? [] : [{ ...asker, justification: null }]),
  ];
}

const sorted = (list: readonly string[]): string[] => [...new Set(list)].sort();

/** Purposes in the data; if it lists none, those that roles name. */
function purposesOf(listed: ReadonlySet<string>, roles: unknown): string[] {
  if (listed.size > 0) return [...listed];
  return Object.values(isObject(roles) ? roles : {}).flatMap((r) =>
    isObject(r) ? (texts(r['purposes']) ?? []) : [],
  );
}

const names = (value: unknown): string[] =>
  Array.isArray(value)
    ? value.filter((v): v is string => typeof v === 'string')
    : Object.keys(isObject(value) ? value : {});

function states(categories: readonly string[], flags: readonly string[], partly: boolean): NamedState[] {
  const consenting =
    (status: Consent['status'], over: readonly string[], explicit = true) =>
    (purpose: string, recipient: string): DataSubjectState => ({
      consents: [{ purpose, categories: over, recipient, status, explicit }],
      flags: [],
    });
  return [
    { name: 'none', title: 'nothing is known of them', of: () => ({ consents: [], flags: [] }) },
    { name: 'agreed', title: 'agreed explicitly to every category', of: consenting('given', categories) },
    {
      name: 'agreed_tacitly',
      title: 'agreed to every category, not explicitly',
      of: consenting('given', categories, false),
    },
    {
      name: 'agreed_generally',
      title: 'agreed to everything in general (*)',
      of: consenting('given', ['*']),
    },
    { name: 'expired', title: 'had agreed; the consent has expired', of: consenting('expired', categories) },
    ...categories.slice(0, partly ? 1 : 0).map((one) => ({
      name: 'withdrew_one',
      title: `agreed explicitly to every category, and withdrew for one (${one})`,
      of: (purpose: string, recipient: string): DataSubjectState => ({
        consents: [
          ...consenting('given', categories)(purpose, recipient).consents,
          ...consenting('withdrawn', [one])(purpose, recipient).consents,
        ],
        flags: [],
      }),
    })),
    { name: 'withdrew', title: 'withdrew for every category', of: consenting('withdrawn', categories) },
    { name: 'withdrew_all', title: 'withdrew everything (*)', of: consenting('withdrawn', ['*']) },
    ...flags.map((flag) => ({
      name: flag,
      title: `marked "${flag}"`,
      of: (): DataSubjectState => ({ consents: [], flags: [flag] }),
    })),
  ];
}

const KINDS = ['user', 'service', 'partner'];

type RoleData = { readonly [name: string]: unknown };

const aboutRole = (roles: readonly unknown[], role: string): RoleData[] =>
  roles.map((of) => (isObject(of) && isObject(of[role]) ? of[role] : {}));

const kindsOf = (about: readonly RoleData[]): string[] =>
  sortedAs(
    KINDS,
    about.flatMap((of) => texts(of['subject_types']) ?? KINDS),
  );

/** Holders of a role, as the data of any of the policies describes them (departments, kinds of caller). */
function subjectsOf(
  role: string,
  recipient: string,
  roles: readonly unknown[],
  { amr }: AxesOptions,
  clearance: number | null,
): Subject[] {
  const about = aboutRole(roles, role);
  const kinds = kindsOf(about);
  // The first of the departments that all policies name represents the others (`uncovered.ts` reports this).
  const named = about.map((of): readonly (string | null)[] => texts(of['departments']) ?? [null]);
  const departments = [...new Set(named.flat())].filter(
    (name, n) => n === 0 || named.some((list) => !list.includes(name)),
  );
  const organizations = recipient === INTERNAL ? [INTERNAL] : [INTERNAL, recipient];
  return organizations.flatMap((organization) =>
    kinds.flatMap((type) =>
      departments.map((department) => ({
        type,
        id: `matrix-${role}`,
        properties: {
          roles: [role],
          department,
          organization,
          clearance,
          assurance: { amr, acr: null, auth_time: null },
        },
      })),
    ),
  );
}

const sortedAs = (order: readonly string[], list: readonly string[]): string[] => {
  const given = new Set(list);
  return [...order.filter((name) => given.delete(name)), ...[...given].sort()];
};

const texts = (value: unknown): string[] | null =>
  Array.isArray(value) && value.length > 0 && value.every((v) => typeof v === 'string') ? value : null;
