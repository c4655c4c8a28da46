/** Reads `consents.yaml` (or JSON, which is YAML). Faults are reported together, each with its place, and never quote an id or a value. */
import { completenessOf } from '../documents/complete.ts';
import { type Fault, faultError, inOrder, type Path, type Place, sentenceOf } from '../documents/faults.ts';
import { compiledCheck } from '../documents/kinds.ts';
import { readDocument, type Schema } from '../documents/reader.ts';
import { isObject, readYaml, type YamlDocument } from '../documents/yaml.ts';
import type { SluiceError } from '../errors.ts';
import { holdsUnseen } from '../model/spelling.ts';
import { contradictionsOf } from './entry.ts';
import { type ConsentsDocument, consentsDocumentSchema, KEYS } from './schema.ts';

const isSound = compiledCheck(consentsDocumentSchema);
/** Nobody reads more than these. */
const MAX_FAULTS = 50;

/** A document that can be used, although it may have faults. */
export interface ReadConsents {
  readonly document: ConsentsDocument;
  /** the file has no end marker: a truncation would not be detected */
  readonly isUnmarked: boolean;
  /** misspelled statuses, each of which only withholds the records of one data subject */
  readonly tolerated: readonly Fault[];
  /** where a value is in the file */
  place(path: Path): Place;
}

/** Tolerates no fault. @throws SluiceError `consent_invalid` */
export function parseConsents(text: string, file: string): ConsentsDocument {
  const { document, tolerated } = readConsents(text, file);
  if (tolerated.length > 0) throw invalid(tolerated);
  return document;
}

/**
 * @param before the file's text when it was last read; null if it has not been read before
 * @throws SluiceError `consent_invalid` when the file cannot be trusted as a whole
 */
export function readConsents(text: string, file: string, before: string | null = null): ReadConsents {
  // One anchor may be used for very many equal entries.
  const options = { dialect: 'sluice', isPersonal: true, tags: 'refused', mostAliases: 1_000_000 } as const;
  const yaml = readYaml(file, text, options);
  if ('faults' in yaml) throw invalid(yaml.faults);
  const { document: read } = yaml;
  const { fault, isMarked } = completenessOf(read, before);
  if (fault !== null) throw invalid([read.fault([], fault)]);
  if (read.root === null) throw invalid([read.fault([], EMPTY)]);
  // The compiled check is fast. Only for a document that fails it, the reader finds the faults with their places.
  const found = isSound(read.value) ? [] : faultsOf(read);
  const tolerated = found.filter((f) => isTolerated(f, read.value)).map(anonymous);
  const faults = found.filter((f) => !isTolerated(f, read.value)).map(anonymous);
  const document = read.value as ConsentsDocument;
  if (faults.length === 0) faults.push(...contradictions(document, read));
  if (faults.length > 0) throw invalid([...faults, ...tolerated]);
  return {
    document,
    isUnmarked: !isMarked,
    tolerated: tolerated.slice(0, MAX_FAULTS),
    place: read.place,
  };
}

const EMPTY = 'the file is empty; without any consents it says "version: 1" and "data_subjects: {}"';

const invalid = (faults: readonly Fault[]): SluiceError =>
  faultError('consent_invalid', inOrder(faults).slice(0, MAX_FAULTS), { heading: 'faults' });

function faultsOf(read: YamlDocument): readonly Fault[] {
  // Texts of consents are no references: `env:` has no meaning here.
  const { faults } = readDocument(read, consentsDocumentSchema as unknown as Schema, null);
  return faults.length > 0
    ? faults
    : [read.fault([], 'has not the form of consents (schemas/consents.schema.json)')];
}

/** Whether a fault is about a status that is present but unknown. */
function isTolerated({ path = [] }: Fault, value: unknown): boolean {
  const [top, , list, i, key] = path;
  if (path.length !== 5 || top !== 'data_subjects' || list !== 'consents' || key !== 'status') return false;
  let consent = value;
  for (const step of [top, path[1], list, i]) consent = (consent as Record<string, unknown>)[String(step)];
  return isObject(consent) && 'status' in consent;
}

/** Removes the data subject's id and other words of the file from the path, since the message may be logged. */
function anonymous({ path = [], ...fault }: Fault): Fault {
  const shown: (string | number)[] = [];
  const [top] = path;
  const below = path.length > 1 && top === 'data_subjects' ? path.slice(2) : path;
  for (const step of below) {
    if (typeof step === 'string' && !KEYS.has(step)) break;
    shown.push(step);
  }
  return { ...fault, message: sentenceOf({ message: fault.message, path: shown }) };
}

const UNSEEN = 'has a blank around it or an invisible character in it: nothing would be found by it';

/** Entries that are valid but have no effect, which their author cannot have wanted. */
function contradictions(
  { data_subjects, aliases = {} }: ConsentsDocument,
  read: YamlDocument,
): readonly Fault[] {
  const faults: Fault[] = [];
  const seen = (name: string, path: Path, where: string, key?: 'key'): void => {
    if (holdsUnseen(name)) faults.push(read.fault(path, `${where}: ${UNSEEN}`, key));
  };
  for (const [type, table] of Object.entries(aliases))
    for (const [alias, id] of Object.entries(table)) {
      seen(alias, ['aliases', type, alias], `aliases.${type}`, 'key');
      seen(id, ['aliases', type, alias], `aliases.${type}`);
    }
  for (const [id, { consents = [] }] of Object.entries(data_subjects)) {
    if (holdsUnseen(id))
      faults.push(
        read.fault(
          ['data_subjects', id],
          'data_subjects: an id has no blanks around it and no invisible characters in it: records would not be found by it',
          'key',
        ),
      );
    for (const [i, consent] of consents.entries())
      for (const { key, message } of contradictionsOf(consent)) {
        const place = read.fault(['data_subjects', id, 'consents', i, key], message);
        faults.push({ ...place, path: ['consents', i, key] });
      }
  }
  return faults;
}
