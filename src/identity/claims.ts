/** Claims of a token → Subject. A claim that is present but invalid is an error, never replaced by a default. */
import type { IssuerConfig, SubjectConfig } from './section.ts';
import { SluiceError } from '../errors.ts';
import type { Subject } from '../model/input.ts';
import { tokensOf } from '../model/pointer.ts';
import { inRealm } from '../model/realm.ts';

export type Claims = Readonly<Record<string, unknown>>;

const MAX_TEXT = 256;
const MAX_LIST = 200;
const INTERNAL = 'internal';

/** Looks up the claim of that name, else a JSON Pointer (`/realm_access/roles`), else a dotted path (`realm_access.roles`). */
export function claimAt(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  const steps = name.startsWith('/') ? tokensOf(name) : name.split('.');
  let node: unknown = claims;
  for (const step of steps) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, step)) return undefined;
    node = (node as Record<string, unknown>)[step];
  }
  return node;
}

/** @param realms of other callers, `local` included. @throws SluiceError `token_claims_invalid` */
export function subjectOf(claims: Claims, issuer: IssuerConfig, realms: readonly string[]): Subject {
  const { claims: names } = issuer;
  const read = <T>(name: string | undefined, as: (value: unknown) => T | undefined): T | null => {
    const value = name === undefined ? undefined : claimAt(claims, name);
    if (value === undefined || value === null) return null;
    const converted = as(value);
    if (converted === undefined) throw invalid(`The token's claim "${name}" has the wrong type.`);
    return converted;
  };
  const id = read(names.subject, text);
  if (id === null) throw invalid(`The token has no claim "${names.subject}", which identifies its subject.`);
  const named = idOf(id, names.subject, issuer, realms);
  const extra = Object.fromEntries(
    Object.entries(names.properties).flatMap(([property, name]) => {
      const value = claimAt(claims, name);
      return value === undefined ? [] : [[property, value]];
    }),
  );
  return freeze({
    type: read(names.type, text) ?? issuer.subject_type,
    id: named,
    properties: {
      ...extra,
      roles: read(names.roles, list) ?? [],
      department: read(names.department, text),
      organization: organizationOf(read(names.organization, text), issuer),
      clearance: read(names.clearance, grade),
      assurance: {
        amr: read(names.amr, list) ?? [],
        acr: read(names.acr, (v) => (typeof v === 'number' ? String(v) : text(v))),
        auth_time: read(names.auth_time, seconds),
      },
    },
  });
}

/** If a claim states the organization, a token without it must not count as internal. */
function organizationOf(claimed: string | null, { claims, organization }: IssuerConfig): string {
  if (claimed !== null) return claimed;
  if (organization !== undefined) return organization;
  if (claims.organization === undefined) return INTERNAL;
  throw invalid(
    `The token has no claim "${claims.organization}", and the issuer has no organization configured.`,
  );
}

/** The id in the realm of its issuer. @throws SluiceError `token_claims_invalid` for one that begins as the names of another realm do */
export function idOf(id: string, claim: string, issuer: IssuerConfig, realms: readonly string[]): string {
  const realm =
    issuer.realm === undefined ? realms.find((other) => id.startsWith(inRealm(other, ''))) : undefined;
  if (realm !== undefined)
    throw invalid(
      `The token's claim "${claim}" begins with "${realm}:", as the names of other callers do. Give the issuer a realm.`,
    );
  return inRealm(issuer.realm, id);
}

export const NO_CLAIMS: Readonly<Record<string, unknown>> = Object.freeze({});

/** The subject of a credential without claims. @param realm of API keys and certificates */
export function configuredSubject(
  subject: SubjectConfig,
  amr: readonly string[],
  realm: string | undefined,
): Subject {
  return freeze({
    type: subject.type,
    id: inRealm(realm, subject.id),
    properties: {
      roles: [...subject.roles],
      department: subject.department ?? null,
      organization: subject.organization,
      clearance: subject.clearance ?? null,
      assurance: { amr: [...amr], acr: null, auth_time: null },
    },
  });
}

/** Some identity providers wrap every attribute in a list. */
export function text(value: unknown): string | undefined {
  const one: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  return typeof one === 'string' && one !== '' && one.length <= MAX_TEXT && !/\p{Cc}/u.test(one)
    ? one
    : undefined;
}

/** A list of texts, or one text separated by spaces, like OAuth's `scope` (RFC 8693 §4.2). */
export function list(value: unknown): string[] | undefined {
  const items: unknown = typeof value === 'string' ? value.split(/\s+/).filter((s) => s !== '') : value;
  if (!Array.isArray(items) || items.length > MAX_LIST) return undefined;
  return items.every((i): i is string => typeof i === 'string' && text(i) !== undefined) ? items : undefined;
}

function grade(value: unknown): number | undefined {
  const n = typeof value === 'string' && /^\d$/.test(value) ? Number(value) : value;
  return typeof n === 'number' && Number.isInteger(n) && n >= 0 && n <= 9 ? n : undefined;
}

const seconds = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;

export const invalid = (message: string): SluiceError => new SluiceError('token_claims_invalid', message);

export function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
