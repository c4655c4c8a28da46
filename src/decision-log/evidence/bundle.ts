/**
 * An evidence bundle: records of some decisions as they stand in the journal, with proofs that signed checkpoints have them, for somebody who has
 * neither journal nor Sluice.
 *
 *   README.md               how to check it, in English and Chinese
 *   verify.py               checks it without Sluice
 *   manifest.json           who made it, when, with which filter; the SHA-256 of each other file
 *   manifest.note           the SHA-256 of the manifest, signed with the key of the log
 *   keys.txt                public keys: of the bundle, of each log, of each witness (NAME+ID+BASE64)
 *   checkpoints/<origin>    the signed checkpoint of each log, with its cosignatures
 *   records.ndjson          lines of the journal: each record, after the shared documents that it refers to and that were not there yet
 *   proofs.ndjson           for each record, in the same order, the path from its leaf to the root of the checkpoint
 *   policies/               the policies that decided, if they were named
 */
import { hash } from 'node:crypto';
import type { RemovalReport } from '../verify/removals.ts';

export const BUNDLE_FORMAT = 'sluice-evidence-bundle/1';
export const MANIFEST = 'manifest.json';
export const MANIFEST_NOTE = 'manifest.note';
export const KEYS = 'keys.txt';
export const RECORDS = 'records.ndjson';
export const PROOFS = 'proofs.ndjson';
export const CHECKPOINTS = 'checkpoints/';
export const POLICIES = 'policies/';

export interface Manifest {
  readonly format: typeof BUNDLE_FORMAT;
  /** signs the bundle; the names of the logs begin with it */
  readonly name: string;
  /** RFC 3339 */
  readonly at: string;
  readonly by: string;
  /** version of Sluice */
  readonly sluice: string;
  /** what the decisions were selected by, with ids as in the log */
  readonly filter: object;
  readonly decisions: number;
  readonly records: number;
  /** what decided, by revision */
  readonly policies: readonly {
    readonly revision: string;
    readonly bundle: string;
    readonly decisions: number;
    /** null: the policy is not in the bundle */
    readonly file: string | null;
  }[];
  /** content that was removed from the log before, whatever it was about: no bundle has it */
  readonly removals: readonly Omit<RemovalReport, 'chains'>[];
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[];
}

export interface ProofLine {
  readonly origin: string;
  readonly seq: number;
  /** base64, from the sibling of the leaf up */
  readonly path: readonly string[];
}

/** The text that is signed for a manifest. It is no checkpoint: its second line is no size. */
export const manifestText = (manifest: Uint8Array): string =>
  `${BUNDLE_FORMAT}\n${hash('sha256', manifest, 'hex')}\n`;

/** Paths in a bundle: nothing above it, and nothing hidden. */
export const isBundlePath = (path: string): boolean =>
  /^(?:(?:checkpoints|policies)\/)?[A-Za-z0-9_][\w.-]{0,200}$/.test(path);

/** The commitments of shared documents in the line of a record, among other hashes. */
export const referencesIn = (line: string): readonly string[] =>
  [...line.matchAll(/"([0-9a-f]{64})"/g)].map(([, ref]) => ref!);
