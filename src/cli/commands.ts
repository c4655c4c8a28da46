/** The table of commands. A command is loaded only when it is run, so that `sluice --help` is fast. */
import type { Command } from 'commander';
import type { Io } from './io.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** module with `command(io): Command`; its actions write to `io` and set `io.exitCode` */
  load(): Promise<{ command(io: Io): Command }>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'serve',
    summary: 'run the sidecar',
    load: () => import('./serve.ts'),
  },
  {
    name: 'demo',
    summary: 'a legacy CRM behind Sluice: what each persona sees of the same customers',
    load: () => import('./demo.ts'),
  },
  {
    name: 'decisions',
    summary: 'who saw what, why, on which consent; and whether the log was altered',
    load: () => import('./decisions.ts'),
  },
  {
    name: 'reviews',
    summary: 'decisions that somebody must look at afterwards: list them, close them',
    load: () => import('./reviews.ts'),
  },
  {
    name: 'verification',
    summary: 'send a data subject a code that proves that a caller deals with them',
    load: () => import('./verification.ts'),
  },
  {
    name: 'subject',
    summary: 'take access from a caller who leaves, give it back; what they did',
    load: () => import('./subject.ts'),
  },
  {
    name: 'consent',
    summary: 'who has agreed to what: get, set, withdraw, history, import',
    load: () => import('./consent.ts'),
  },
  {
    name: 'grants',
    summary: 'access beyond the standing rules: request, approve, revoke; break-glass',
    load: () => import('./grants.ts'),
  },
  {
    name: 'erasure',
    summary: 'requests of customers: erasure, restriction, access; due dates, legal holds, certificates',
    load: () => import('./erasure.ts'),
  },
  {
    name: 'keys',
    summary: 'API keys in the store: make, rotate, revoke',
    load: () => import('./keys.ts'),
  },
  {
    name: 'recipients',
    summary: 'recipients outside: what they received, were told, and have to confirm',
    load: () => import('./recipients.ts'),
  },
  {
    name: 'signing',
    summary: 'the public keys by which receipts and certificates are checked',
    load: () => import('./signing.ts'),
  },
  {
    name: 'backup',
    summary: 'journal, store and generated keys, while sidecars run',
    load: () => import('./backup.ts'),
  },
  {
    name: 'restore',
    summary: 'a backup, where the configuration wants its parts',
    load: () => import('./restore.ts'),
  },
  {
    name: 'recovery',
    summary: 'keys for backups and archives, and shares of data_subject_key',
    load: () => import('./recovery.ts'),
  },
  {
    name: 'store',
    summary: 'the database for consents, grants and revocations: make its tables',
    load: () => import('./store.ts'),
  },
  {
    name: 'build',
    summary: 'compile a policy directory to a bundle',
    load: () => import('./build.ts'),
  },
  {
    name: 'check',
    summary: 'everything that is wrong with a policy, each with its place',
    load: () => import('./check.ts'),
  },
  {
    name: 'approve',
    summary: 'sign that a policy may go live',
    load: () => import('./approve.ts'),
  },
  {
    name: 'new',
    summary: 'add a role, purpose, partner or field to a policy, with a scenario',
    load: () => import('./new.ts'),
  },
  {
    name: 'fmt',
    summary: 'write policy YAML in one way',
    load: () => import('./fmt.ts'),
  },
  {
    name: 'test',
    summary: "Rego's unit tests, and scenarios through the whole sidecar",
    load: () => import('./test.ts'),
  },
  {
    name: 'eval',
    summary: 'ask a policy one question',
    load: () => import('./eval.ts'),
  },
  {
    name: 'explain',
    summary: 'why a request was decided so: reasons, rules, lines of data',
    load: () => import('./explain.ts'),
  },
  {
    name: 'matrix',
    summary: 'who gets what, for which purpose, under which consent; what a change changes',
    load: () => import('./matrix.ts'),
  },
  {
    name: 'replay',
    summary: 'recorded decisions asked again of another policy',
    load: () => import('./replay.ts'),
  },
  {
    name: 'mcp',
    summary: 'propose the mapping of an MCP server: what each of its tools asks for',
    load: () => import('./mcp.ts'),
  },
  {
    name: 'schemas',
    summary: 'JSON Schemas of every document: write them, or compare',
    load: () => import('./schemas.ts'),
  },
  {
    name: 'opa',
    summary: 'the OPA binary that compiles policies',
    load: () => import('./opa.ts'),
  },
];
