/**
 * Who is the same caller. What an issuer with a realm calls somebody is kept within it (`partner:u-17`), so that an id that two issuers give names two
 * callers, wherever callers are compared. Issuers without a realm name the same people.
 */

/** of API keys and client certificates: their ids are chosen here, and by no issuer */
export const LOCAL_REALM = 'local';

export const REALM_PATTERN = '^[a-z][a-z0-9-]{0,31}$';

const IN_REALM = /^[a-z][a-z0-9-]{0,31}:(.+)$/su;

/** @param realm undefined: of whoever is in none */
export const inRealm = (realm: string | undefined, id: string): string =>
  realm === undefined ? id : `${realm}:${id}`;

/**
 * The names under which something that restricts a caller may be stored. One without a realm, from before there were several, may be about whoever has
 * that id. What permits something is found by the whole name alone.
 */
export const namesOf = (id: string): readonly string[] => {
  const bare = IN_REALM.exec(id)?.[1];
  return bare === undefined ? [id] : [id, bare];
};

/** Whether two names may be those of one caller: for rules that ask for two different people. */
export const mayBeSame = (a: string, b: string): boolean => namesOf(a).includes(b) || namesOf(b).includes(a);
