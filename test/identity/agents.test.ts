/** Who acts for the subject of a credential, and that a broken actor is never taken for none. */
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Agent } from '../../src/model/input.ts';
import { bearer, identityWith, ISSUER, issuerOf, NOBODY, newKey, type TestKey, verdict } from './setup.ts';

let key: TestKey;
beforeAll(async () => {
  key = await newKey();
});

const agentFrom = async (payload: Record<string, unknown>, issuer: object = {}): Promise<Agent | undefined> =>
  (
    await identityWith({ issuers: [issuerOf([key.jwk], issuer)] }).authenticate(
      bearer(await key.sign(payload)),
      NOBODY,
    )
  ).agent;
const codeFor = async (payload: Record<string, unknown>, issuer: object = {}) =>
  verdict(identityWith({ issuers: [issuerOf([key.jwk], issuer)] }), bearer(await key.sign(payload)));

describe('the agent of a token', () => {
  test('is nobody where the token names no actor, and its client is no agent', async () => {
    expect(await agentFrom({ azp: 'web-app' }, { agents: { clients: ['assistant'] } })).toBeUndefined();
  });

  test('is the current actor, with the actors before it as its chain', async () => {
    const act = { sub: 'assistant', act: { sub: 'planner', iss: 'https://other.example' } };
    expect(await agentFrom({ act, client_id: 'c-1' })).toEqual({
      id: 'assistant',
      issuer: ISSUER,
      chain: [{ id: 'planner', issuer: 'https://other.example' }],
      properties: { client_id: 'c-1', known_by: 'actor', roles: [] },
    });
  });

  test.each(['azp', 'client_id'])(
    'is the client in %s where the issuer says that it is one',
    async (name) => {
      const agent = await agentFrom({ [name]: 'assistant' }, { agents: { clients: ['assistant'] } });
      expect(agent).toMatchObject({ id: 'assistant', chain: [], properties: { known_by: 'client' } });
    },
  );

  test('is the client that is an agent, whichever of the claims names it', async () => {
    const agents = { clients: ['assistant'] };
    for (const payload of [
      { azp: 'web-app', client_id: 'assistant' },
      { azp: 'assistant', client_id: 'web-app' },
    ])
      expect((await agentFrom(payload, { agents }))?.id).toBe('assistant');
  });

  test('is named in the realm of its issuer', async () => {
    expect((await agentFrom({ act: { sub: 'assistant' } }, { realm: 'hq' }))?.id).toBe('hq:assistant');
  });

  test('has the roles that its actor states', async () => {
    const agent = await agentFrom({ act: { sub: 'a', r: 'reader writer' } }, { agents: { roles: 'r' } });
    expect(agent?.properties.roles).toEqual(['reader', 'writer']);
  });

  test('is not taken from `may_act`, which says who could act and not who does', async () => {
    expect(await agentFrom({ may_act: { sub: 'assistant' } })).toBeUndefined();
  });

  test.each([
    ['a text', 'assistant'],
    ['a list', [{ sub: 'assistant' }]],
    ['an object without a name', {}],
    ['an empty name', { sub: '' }],
    ['a number', 7],
    ['false', false],
    ['a broken actor before it', { sub: 'a', act: 'b' }],
    ['an issuer that is no text', { sub: 'a', iss: 7 }],
  ])('is refused where the actor is %s', async (_, act) => {
    expect(await codeFor({ act })).toBe('token_claims_invalid');
  });

  test('is refused where a client is no text', async () => {
    expect(await codeFor({ azp: { id: 'assistant' } })).toBe('token_claims_invalid');
  });

  test('may have seven actors before it, and no more', async () => {
    const chain = (n: number): object => (n === 1 ? { sub: 'a' } : { sub: 'a', act: chain(n - 1) });
    expect((await agentFrom({ act: chain(8) }))?.chain.length).toBe(7);
    expect(await codeFor({ act: chain(9) })).toBe('token_claims_invalid');
  });
});

test('an API key can belong to an agent of its subject', async () => {
  const subject = {
    type: 'user',
    id: 'u-17',
    roles: ['support'],
    organization: 'internal',
    agent: 'assistant',
  };
  const sha256 = createHash('sha256').update('key-of-the-agent').digest('hex');
  const identity = identityWith({ api_keys: [{ id: 'k', sha256, subject }] });
  const caller = await identity.authenticate({ 'x-api-key': 'key-of-the-agent' }, NOBODY);
  expect(caller.subject.id).toBe('u-17');
  expect(caller.agent).toMatchObject({ id: 'assistant', issuer: 'api-key:k' });
});
