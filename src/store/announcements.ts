/** The words of announcements between processes: JSON, written by `sluice_announce` in the database. */
import type { Change, ChangeKind, Scope } from '../model/invalidation.ts';

const KINDS: readonly ChangeKind[] = ['policy', 'consents', 'keys', 'revocations'];

/** What cannot be read may be anything, so that everything may have changed. */
export function read(text: string): readonly Change[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return EVERYTHING;
  }
  if (typeof value !== 'object' || value === null) return EVERYTHING;
  const { kind, scope } = value as { readonly kind?: unknown; readonly scope?: unknown };
  if (!KINDS.includes(kind as ChangeKind)) return EVERYTHING;
  return [{ kind: kind as ChangeKind, scope: scopeOf(scope) }];
}

function scopeOf(value: unknown): Scope {
  if (typeof value !== 'object' || value === null) return 'all';
  const [[name, of] = [], ...more] = Object.entries(value);
  if (more.length > 0 || typeof of !== 'string') return 'all';
  if (name === 'subject') return { subject: of };
  if (name === 'data_subject') return { data_subject: of };
  return name === 'issuer' ? { issuer: of } : 'all';
}

/** What may have been missed while a channel was down. Policies and keys do not come from the store. */
export const EVERYTHING: readonly Change[] = [
  { kind: 'consents', scope: 'all' },
  { kind: 'revocations', scope: 'all' },
];
