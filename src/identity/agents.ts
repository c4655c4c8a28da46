/** Who acts for the subject: the actor of a token (RFC 8693 §4.1), a client that is an agent, or the holder of a configured credential. */
import type { Actor, Agent } from '../model/input.ts';
import { inRealm } from '../model/realm.ts';
import { type Claims, claimAt, freeze, idOf, invalid, list, text } from './claims.ts';
import type { IssuerConfig, SubjectConfig } from './section.ts';

/** actors in one token; a longer chain is refused, since each is recorded with every request */
export const MAX_ACTORS = 8;

/** Null: the subject itself uses its token. @throws SluiceError `token_claims_invalid`: a broken actor is never taken for none */
export function agentOf(claims: Claims, issuer: IssuerConfig, realms: readonly string[]): Agent | null {
  const { actor, client, clients, roles } = issuer.agents;
  const issued = clientsOf(claims, client);
  const client_id = issued.find((id) => clients.includes(id)) ?? issued[0] ?? null;
  const stated = claimAt(claims, actor);
  if (stated === undefined || stated === null) {
    if (client_id === null || !clients.includes(client_id)) return null;
    return freeze({
      id: idOf(client_id, client.join(' or '), issuer, realms),
      issuer: issuer.issuer,
      chain: [],
      properties: { client_id, known_by: 'client', roles: [] },
    });
  }
  const actors = actorsOf(stated, issuer, realms);
  const own = roles === undefined ? undefined : claimAt(stated as Claims, roles);
  const held = own === undefined || own === null ? [] : list(own);
  if (held === undefined) throw invalid(`The roles in the token's claim "${actor}" have the wrong type.`);
  return freeze({
    ...actors[0]!,
    chain: actors.slice(1),
    properties: { client_id, known_by: 'actor', roles: held },
  });
}

/** From the current actor to the first. */
function actorsOf(stated: unknown, issuer: IssuerConfig, realms: readonly string[]): readonly Actor[] {
  const { actor } = issuer.agents;
  const actors: Actor[] = [];
  for (let node = stated; node !== undefined && node !== null; ) {
    if (actors.length === MAX_ACTORS)
      throw invalid(`The token's claim "${actor}" has more than ${MAX_ACTORS} actors.`);
    if (typeof node !== 'object' || Array.isArray(node))
      throw invalid(`The token's claim "${actor}" has the wrong type.`);
    const members = node as Claims;
    // Some issuers name the actor by its client alone.
    const id = text(members['sub'] ?? members['client_id']);
    const from = members['iss'] === undefined ? issuer.issuer : text(members['iss']);
    if (id === undefined || from === undefined)
      throw invalid(`The token's claim "${actor}" does not say who acts (sub), or by which issuer (iss).`);
    actors.push({ id: idOf(id, actor, issuer, realms), issuer: from });
    node = members['act'];
  }
  return actors;
}

/** The clients that the token names. */
function clientsOf(claims: Claims, names: readonly string[]): readonly string[] {
  return names.flatMap((name) => {
    const value = claimAt(claims, name);
    if (value === undefined || value === null) return [];
    const id = text(value);
    if (id === undefined) throw invalid(`The token's claim "${name}" has the wrong type.`);
    return [id];
  });
}

/** The agent of a credential without claims. */
export const configuredAgent = (
  { agent }: SubjectConfig,
  issuer: string,
  realm: string | undefined,
): { readonly agent?: Agent } =>
  agent === undefined
    ? {}
    : {
        agent: freeze({
          id: inRealm(realm, agent),
          issuer,
          chain: [],
          properties: { client_id: null, known_by: 'credential', roles: [] },
        }),
      };
