/** Prints the effects of a policy change on a terminal; wider access comes first. */
import colours from 'picocolors';
import { DIRECTIONS, type Direction } from './changes.ts';
import { conditionTexts } from './conditions.ts';
import type { CatalogChange } from './grid-catalogs.ts';
import type { Sentence } from './grid-sentences.ts';
import type { SourceChange } from './source-changes.ts';
import { counted } from '../../text.ts';
import { wrapped } from '../wrap.ts';

export interface Diff {
  readonly names: readonly [string, string];
  readonly sentences: readonly Sentence[];
  readonly catalogs: readonly CatalogChange[];
  /** data and rules */
  readonly sources: readonly SourceChange[];
  /** names of the queried states of data subjects */
  readonly states: readonly string[];
  readonly cells: number;
  readonly questions: number;
  readonly uncovered: readonly string[];
  /** number of recorded decisions for each sentence, null if they cannot be counted; null: no journal was given */
  readonly recorded: readonly (number | null)[] | null;
}

export const TITLES: { readonly [D in Direction]: string } = {
  wider: 'Who sees or may do more now',
  other: 'What is treated or limited differently',
  narrower: 'Who sees or may do less now',
  reason: 'For another reason, with the same result',
};

export interface DiffOptions {
  readonly colour: boolean;
  readonly width: number;
  /** also list changes of the reason alone */
  readonly because: boolean;
}

export function diffText(diff: Diff, { colour, width, because }: DiffOptions): string {
  const paint = colours.createColors(colour);
  const wider = summary(diff.sentences, width);
  const parts: string[] = [`${wrapped(headline(diff), width, '', '  ')}${wider === '' ? '' : `\n${wider}`}`];
  for (const direction of DIRECTIONS) {
    const own = diff.sentences.filter((s) => s.direction === direction);
    if (own.length === 0) continue;
    const title = paint.bold(direction === 'wider' ? paint.red(TITLES.wider) : TITLES[direction]);
    if (direction === 'reason' && !because) {
      const fields = own.reduce((n, s) => n + Math.max(1, s.fields.length), 0);
      parts.push(`${title}: ${fields} in ${own.length} groups (--because lists them)`);
      continue;
    }
    parts.push(`${title}\n${own.map((s) => sentenceText(s, diff, width, paint.dim)).join('\n')}`);
  }
  if (diff.catalogs.length > 0)
    parts.push(
      `${paint.bold('In the catalogs')}\n${diff.catalogs.map((c) => wrapped(catalogText(c), width, '  ', '    ')).join('\n')}`,
    );
  if (diff.sources.length > 0)
    parts.push(
      `${paint.bold('In the data and rules')}\n${diff.sources.map((c) => wrapped(sourceText(c), width, '  ', '    ')).join('\n')}`,
    );
  parts.push(
    `${paint.bold('Not covered')} (asked in one way only; the answer may be otherwise)\n${diff.uncovered.map((u) => paint.dim(wrapped(u, width, '  ', '    '))).join('\n')}`,
  );
  return `${parts.join('\n\n')}\n`;
}

const recordedFor = ({ sentences, recorded }: Diff, sentence: Sentence): number | null =>
  recorded?.[sentences.indexOf(sentence)] ?? null;

export function headline({ names, sentences, catalogs, sources, cells, questions }: Diff): string {
  const compared = `${cells} fields were compared in ${questions} decisions`;
  const wider = sentences.filter((s) => s.direction === 'wider');
  const changed = sentences.filter((s) => s.direction !== 'reason');
  if (sentences.length === 0)
    return catalogs.length + sources.length === 0
      ? `Nothing changes: ${compared}; catalogs, data and rules are the same.`
      : `No answer that was asked for changes, but ${[
          ...(catalogs.length > 0 ? ['the catalogs'] : []),
          ...(sources.length > 0 ? ['the data or rules'] : []),
        ].join(' and ')} do (below): ${compared}.`;
  const roles = new Set(wider.flatMap((s) => s.roles)).size;
  const who =
    roles === 0
      ? 'Of those asked about nobody sees or may do more than before'
      : `${roles} role${roles === 1 ? ' sees or may' : 's see or may'} do more than before`;
  return `${names[0]} → ${names[1]}: ${who}. ${counted(changed.length, 'change')}; ${compared}.`;
}

const FIELDS_SHOWN = 6;

/** Fields with wider access and the callers: one line for fields with the same roles. */
function summary(sentences: readonly Sentence[], width: number): string {
  const roles = new Map<
    string,
    { readonly s: Sentence; readonly field: string; readonly roles: Set<string> }
  >();
  for (const s of sentences.filter(({ about, direction }) => about === 'field' && direction === 'wider'))
    for (const field of s.fields) {
      const key = JSON.stringify([s.resource, field, s.after]);
      const known = roles.get(key) ?? { s, field, roles: new Set<string>() };
      roles.set(key, known);
      for (const role of s.roles) known.roles.add(role);
    }
  const alike = new Map<
    string,
    { readonly head: string; readonly fields: string[]; readonly roles: string[] }
  >();
  for (const { s, field, roles: who } of roles.values()) {
    const sorted = [...who].sort();
    const key = JSON.stringify([s.resource, s.after, sorted]);
    const known = alike.get(key) ?? { head: `${s.resource}, ${s.after}`, fields: [], roles: sorted };
    alike.set(key, known);
    known.fields.push(field);
  }
  return [...alike.values()]
    .map(({ head, fields, roles: who }) => {
      const more = fields.length > FIELDS_SHOWN ? ` and ${fields.length - FIELDS_SHOWN} more` : '';
      return wrapped(
        `${head}: ${fields.slice(0, FIELDS_SHOWN).join(', ')}${more} ← ${who.join(', ')}`,
        width,
        '  ',
        '    ',
      );
    })
    .join('\n');
}

function sentenceText(s: Sentence, diff: Diff, width: number, dim: (t: string) => string): string {
  const lines = [wrapped(s.text, width, '  ', '    ')];
  const recorded = recordedFor(diff, s);
  for (const condition of conditionTexts(s, diff.states))
    lines.push(dim(wrapped(`if: ${condition}`, width, '      ', '          ')));
  if (recorded !== null)
    lines.push(
      dim(
        wrapped(
          `${counted(recorded, 'recorded decision')} would have differed so${s.when.length === 0 ? '' : ' (counted without the conditions)'}`,
          width,
          '      ',
          '          ',
        ),
      ),
    );
  else if (diff.recorded !== null) lines.push(dim('      recorded decisions: not counted'));
  return lines.join('\n');
}

/** longer values are truncated; the file has them */
const LONGEST = 60;

export function sourceText({ at, before, after }: SourceChange): string {
  if (before === 'present' && after === 'present') return `${at}: changed`;
  const cut = (text: string | null): string =>
    text === null ? 'none' : text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  // values that are alike as far as they are shown
  const [from, to] = [cut(before), cut(after)];
  return from === to ? `${at}: changed` : `${at}: ${from} → ${to}`;
}

export function catalogText({ resource, pointer, what, before, after, wider }: CatalogChange): string {
  const about = `${resource}${pointer === null ? '' : ` ${pointer}`}`;
  const from = before ?? 'none';
  const to = after ?? 'none';
  if (what === 'class' && before === null) return `${about}: new, ${to}`;
  if (what === 'class' && after === null) return `${about}: gone (was ${from})`;
  return `${about}: ${what === 'class' ? '' : `${what} `}${from} → ${to}${wider ? '  (more may leave)' : ''}`;
}
