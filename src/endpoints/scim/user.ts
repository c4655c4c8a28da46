/** SCIM users (RFC 7643): the little of them that Sluice knows, and what a client asks to change. */
import { SluiceError } from '../../errors.ts';

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const LIST = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';
export const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error';

/** Which attribute of a user is `subject.id` of their credentials. */
export type SubjectAttribute = 'userName' | 'externalId';

/** Sluice keeps no directory: every id is a user, active unless their access was taken away. */
export const userOf = (id: string, active: boolean): object => ({
  schemas: [USER],
  id,
  userName: id,
  active,
  meta: { resourceType: 'User', location: `/scim/v2/Users/${encodeURIComponent(id)}` },
});

/** @throws SluiceError `input_invalid` for what is no user with the attribute that is the subject's id */
export function idOf(body: unknown, attribute: SubjectAttribute): string {
  const value = member(body, attribute);
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw new SluiceError(
    'input_invalid',
    `The user has no ${attribute}, which is the id of the subject (admin.scim.subject).`,
  );
}

/**
 * The id of a user is what their credentials have. Of a user with another name in them, nothing would be revoked by the id of before.
 * @throws SluiceError `input_invalid`
 */
export function requireSameId(
  body: unknown,
  attribute: SubjectAttribute,
  id: string,
  active: boolean | null,
): void {
  const value = member(body, attribute);
  // Access is taken away whatever else is said.
  if (value === undefined || value === null || value === id || active === false) return;
  throw new SluiceError(
    'input_invalid',
    `${attribute} cannot be changed: credentials are known by it. Deactivate this user, and make one with the other ${attribute}.`,
  );
}

/** Also in an object of the schema's name. @returns null: the body does not say. @throws SluiceError `input_invalid` */
export function activeOf(body: unknown): boolean | null {
  const value = member(body, 'active') ?? member(member(body, USER), 'active');
  return value === undefined ? null : truth(value);
}

/**
 * What the operations of a PATCH (RFC 7644 §3.5.2) make of `active`; other attributes are not kept.
 * @returns null: nothing
 * @throws SluiceError `input_invalid`
 */
export function patchedActive(body: unknown, attribute: SubjectAttribute, id: string): boolean | null {
  const operations = member(body, 'Operations');
  if (!Array.isArray(operations) || operations.length === 0 || operations.length > 100)
    throw new SluiceError('input_invalid', 'A PATCH has Operations: a list of 1 to 100.');
  let active: boolean | null = null;
  const said: unknown[] = [];
  for (const operation of operations as readonly unknown[]) {
    const op = member(operation, 'op');
    const path = member(operation, 'path');
    const value = member(operation, 'value');
    if (typeof op !== 'string' || !/^(?:add|replace|remove)$/i.test(op))
      throw new SluiceError('input_invalid', 'An operation of a PATCH is add, replace or remove.');
    const isActive = isNamed(path, 'active');
    if (/^remove$/i.test(op)) {
      if (isActive) throw new SluiceError('input_invalid', 'active cannot be removed: replace it.');
    } else if (isActive) active = truth(value);
    else if (path === undefined || path === null) {
      said.push(value);
      active = activeOf(value) ?? active;
    } else if (isNamed(path, attribute)) said.push({ [attribute]: value });
  }
  for (const one of said) requireSameId(one, attribute, id, active);
  return active;
}

/** Whether a path names an attribute, with the schema before it or without. */
const isNamed = (path: unknown, attribute: string): boolean =>
  typeof path === 'string' &&
  [attribute, `${USER}:${attribute}`].some((name) => name.toLowerCase() === path.toLowerCase());

/**
 * A filter (RFC 7644 §3.4.2.2) by which one user is looked up. No other is supported, as ServiceProviderConfig says.
 * @returns the id; null: by an attribute that Sluice does not keep, so that nobody is found
 * @throws SluiceError `input_invalid`
 */
export function filteredId(filter: string, attribute: SubjectAttribute): string | null {
  const [, name, value] = /^\s*(userName|externalId|id)\s+eq\s+("(?:[^"\\]|\\.)*")\s*$/i.exec(filter) ?? [];
  if (name === undefined || value === undefined)
    throw new SluiceError('input_invalid', `The one filter that is supported is ${attribute} eq "…".`);
  const isKept = [attribute.toLowerCase(), 'id'].includes(name.toLowerCase());
  try {
    return isKept ? (JSON.parse(value) as string) : null;
  } catch {
    throw new SluiceError('input_invalid', 'The value of the filter is no JSON string.');
  }
}

/** Names of attributes have no case (RFC 7643 §2.1). One that is there twice has two readings. */
function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const found = Object.keys(value).filter((key) => isNamed(key, name));
  if (found.length > 1) throw new SluiceError('input_invalid', `${name} is there more than once.`);
  return found[0] === undefined ? undefined : (value as Record<string, unknown>)[found[0]];
}

/** Some clients send booleans as text (Microsoft Entra ID: "False"). */
function truth(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string' && /^(?:true|false)$/i.test(value)) return /^true$/i.test(value);
  throw new SluiceError('input_invalid', 'active must be true or false.');
}

const supported = (yes: boolean): object => ({ supported: yes });

/** RFC 7643 §5 */
export const SERVICE_PROVIDER_CONFIG: object = {
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
  patch: supported(true),
  bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
  filter: { supported: true, maxResults: 1 },
  changePassword: supported(false),
  sort: supported(false),
  etag: supported(false),
  authenticationSchemes: [
    {
      type: 'oauthbearertoken',
      name: 'Bearer token',
      description: 'A token of a configured issuer, or an API key of Sluice.',
    },
  ],
};

/** RFC 7643 §6 */
export const RESOURCE_TYPES: object = {
  schemas: [LIST],
  totalResults: 1,
  Resources: [
    {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:ResourceType'],
      id: 'User',
      name: 'User',
      endpoint: '/Users',
      schema: USER,
    },
  ],
};

const attribute = (name: string, type: string, mutability: string): object => ({
  name,
  type,
  multiValued: false,
  required: name === 'userName',
  caseExact: true,
  mutability,
  returned: 'default',
  uniqueness: name === 'active' ? 'none' : 'server',
});

/** RFC 7643 §7 */
export const SCHEMAS: object = {
  schemas: [LIST],
  totalResults: 1,
  Resources: [
    {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:Schema'],
      id: USER,
      name: 'User',
      attributes: [attribute('userName', 'string', 'immutable'), attribute('active', 'boolean', 'readWrite')],
    },
  ],
};
