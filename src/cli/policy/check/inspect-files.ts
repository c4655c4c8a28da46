/** Files named by `sluice.yaml` that deny or revoke: reports unreadable ones, and names that the policy does not know. */
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { LoadedConfig } from '../../../config/index.ts';
import { idForms, type ReadConsents, readConsents } from '../../../consent/index.ts';
import { isSluiceError, SluiceError } from '../../../errors.ts';
import { parseRevoked } from '../../../identity/revoked.ts';
import { MAX_TRIES } from '../../../identity/tokens.ts';
import { textOf, UNMARKED } from '../../../documents/complete.ts';
import type { NameKind } from '../../../model/policy.ts';
import { createConsentNames } from '../../../policy/snapshot/consent-names.ts';
import { isObject } from '../../../documents/yaml.ts';
import { type Fault, faultsIn } from '../../../documents/faults.ts';
import { type CausedFault, type Finding, findings } from './findings.ts';
import { nearestOrAll, unknown } from './references.ts';

/** @param data of the policy; null if unavailable: then names are not checked */
export function fileFindings(
  loaded: LoadedConfig,
  data: { readonly [name: string]: unknown } | null,
): Finding[] {
  const { config } = loaded;
  const { file } = config.consent;
  const found = file === undefined ? [] : consentFindings(file, data);
  for (const type of Object.keys(config.consent.lookups))
    if (data !== null && !isAlias(data, type))
      found.push(
        ...findings(
          [loaded.fault(['consent', 'lookups', type], noAlias(type))].map(({ line, column, message }) => ({
            file: loaded.file,
            line,
            column,
            message: `consent.lookups.${type}: ${message}`,
          })),
          'config',
        ),
      );
  found.push(...keyFindings(loaded));
  const { revocations } = config.identity;
  return revocations === undefined ? found : [...found, ...revocationFindings(revocations)];
}

type Data = { readonly [name: string]: unknown };

const isAlias = ({ identifiers }: Data, type: string): boolean => {
  const known = isObject(identifiers) ? identifiers[type] : undefined;
  return isObject(known) && known['resolves_to'] !== undefined;
};
const noAlias = (type: string): string =>
  `there is no identifier "${type}" in the policy's data that resolves_to another`;

function consentFindings(file: string, data: Data | null): Finding[] {
  const names = data === null ? null : createConsentNames(data);
  const read = attempted(file, 'consent', () => readConsents(textOf(readFileSync(file)), file));
  if ('faults' in read) return read.faults;
  const { document, tolerated, isUnmarked, place } = read.value;
  const faults: CausedFault[] = [...tolerated];
  for (const [id, { flags = [], consents = [] }] of Object.entries(document.data_subjects)) {
    const judge = (kind: NameKind, name: string, ...at: readonly string[]): void => {
      if (names === null || names.knows(kind, name)) return;
      faults.push({
        file,
        ...place(['data_subjects', id, ...at]),
        message: `there is no ${kind} "${name}" in the policy's data${nearestOrAll(name, names.known(kind))}: this person's records are withheld`,
        cause: unknown(kind, name),
      });
    };
    for (const [i, flag] of flags.entries()) judge('flag', flag, 'flags', String(i));
    for (const [i, { purpose, recipient, categories }] of consents.entries()) {
      judge('purpose', purpose, 'consents', String(i), 'purpose');
      judge('recipient', recipient, 'consents', String(i), 'recipient');
      for (const [n, category] of categories.entries())
        judge('category', category, 'consents', String(i), 'categories', String(n));
    }
  }
  for (const type of Object.keys(document.aliases ?? {}))
    if (data !== null && !isAlias(data, type))
      faults.push({
        file,
        ...place(['aliases', type]),
        message: `aliases: ${noAlias(type)}: they are never looked for`,
      });
  return [
    ...findings(faults, 'consent'),
    ...findings(strangers(read.value, file, data), 'identifier', 'warning'),
    ...(isUnmarked ? unmarked(file) : []),
  ];
}

/** Sluice would not read a larger file */
const MAX_STRANGERS = 50;

/** Ids in an invalid form: a refusal under such an id would never be found. */
function strangers({ document, place }: ReadConsents, file: string, data: Data | null): Fault[] {
  const isKnown = data === null ? null : idForms(data);
  if (isKnown === null) return [];
  const ids = Object.keys(document.data_subjects).map((id) => ({
    id,
    path: ['data_subjects', id],
    what: 'this id',
  }));
  const targets = Object.entries(document.aliases ?? {}).flatMap(([type, aliases]) =>
    Object.entries(aliases).map(([alias, id]) => ({
      id,
      path: ['aliases', type, alias],
      what: `aliases.${type}: what this alias leads to`,
    })),
  );
  return [...ids, ...targets]
    .filter(({ id }) => !isKnown(id))
    .slice(0, MAX_STRANGERS)
    .map(({ path, what }) => ({
      file,
      ...place(path),
      message: `${what} has the form of no identifier of the policy's data (identifiers.yaml): no record of a catalog with types finds it`,
    }));
}

/** Keys of issuers, signers and approvers, which are read at start and again when they change. */
function keyFindings({ config }: LoadedConfig): Finding[] {
  const sets = config.identity.issuers.flatMap(({ jwks }) => (jwks.file === undefined ? [] : [jwks.file]));
  const signing = [
    ...Object.values(config.policy.signing?.keys ?? {}),
    ...Object.values(config.policy.require_approval?.keys ?? {}),
  ];
  const read = (file: string, judge: (text: string) => void): Finding[] => {
    const done = attempted(file, 'key', () => judge(textOf(readFileSync(file))));
    return 'faults' in done ? done.faults : [];
  };
  return [
    ...[...new Set(sets)].flatMap((file) => read(file, judgeKeySet)),
    ...signing.flatMap(({ algorithm, file }) =>
      file === undefined ? [] : read(file, (text) => judgeSigningKey(algorithm, text)),
    ),
  ];
}

function judgeKeySet(text: string): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SluiceError('config_invalid', 'the file is not JSON; a JSON Web Key Set is wanted');
  }
  const keys = isObject(value) ? value['keys'] : undefined;
  if (!Array.isArray(keys) || keys.length === 0)
    throw new SluiceError('config_invalid', 'the file is no JSON Web Key Set: it has no "keys"');
  if (keys.every((k) => !isObject(k) || k['kty'] === 'oct' || 'd' in k))
    throw new SluiceError(
      'config_invalid',
      'no public key is in the file: shared and private keys are not used',
    );
  const unnamed = new Map<unknown, number>();
  for (const k of keys)
    if (isObject(k) && k['kid'] === undefined) {
      // The algorithm of a token determines the kind of key.
      const kind = k['crv'] ?? k['kty'];
      unnamed.set(kind, (unnamed.get(kind) ?? 0) + 1);
    }
  for (const [kind, count] of unnamed)
    if (count > MAX_TRIES)
      throw new SluiceError(
        'config_invalid',
        `${count} keys of one kind (${String(kind)}) have no "kid", and of those that a token may fit only the first ${MAX_TRIES} are tried: give keys and tokens a kid`,
      );
}

function judgeSigningKey(algorithm: string, text: string): void {
  if (algorithm.startsWith('HS')) return;
  try {
    createPublicKey(text);
  } catch {
    throw new SluiceError('config_invalid', `the file is no public key (BEGIN PUBLIC KEY) for ${algorithm}`);
  }
  if (/PRIVATE KEY/.test(text))
    throw new SluiceError(
      'config_invalid',
      'the file is a private key: whoever verifies needs the public one only',
    );
}

function revocationFindings(file: string): Finding[] {
  const read = attempted(file, 'revocation', () => parseRevoked(textOf(readFileSync(file))));
  if ('faults' in read) return read.faults;
  return read.value.isMarked ? [] : unmarked(file);
}

const unmarked = (file: string): Finding[] =>
  findings([{ file, line: 1, column: 1, message: UNMARKED }], 'complete', 'warning');

type Attempt<T> = { readonly value: T } | { readonly faults: Finding[] };

function attempted<T>(file: string, rule: string, work: () => T): Attempt<T> {
  try {
    return { value: work() };
  } catch (e) {
    if (isSluiceError(e)) {
      const faults = faultsIn(e).map((fault) => ({ file, line: 1, column: 1, ...fault }));
      return { faults: findings(faults, rule) };
    }
    const { code, message } = e as NodeJS.ErrnoException;
    const told = code === undefined ? message.trim() : `the file cannot be read (${code})`;
    return { faults: findings([{ file, line: 1, column: 1, message: told }], rule) };
  }
}
