/** Lists what a comparison keeps constant although answers may depend on it, so that nobody takes it for compared. */
import type { LivePolicy } from '../../../policy/snapshot/index.ts';
import type { AxesOptions } from './axes.ts';

type Path = readonly string[];
type Entrypoint = 'sluice/decision' | 'sluice/disclosure';

/** True if an entrypoint may read a member of its input. */
export function reads(policy: LivePolicy, entrypoint: Entrypoint, path: Path): boolean {
  const known = policy.source.reads?.get(entrypoint);
  return known === undefined || known.input.some((read) => overlaps(read, path));
}

const overlaps = (a: Path, b: Path): boolean => {
  for (let n = 0; n < Math.min(a.length, b.length); n += 1) if (a[n] !== b[n]) return false;
  return true;
};

/** queried with every value in the data */
const COVERED: readonly Path[] = [
  ['action', 'name'],
  ['context', 'purpose'],
  ['context', 'recipient'],
  ['context', 'tier'],
  ['resource', 'type'],
  ['subject', 'type'],
  ['subject', 'properties', 'roles'],
  ['subject', 'properties', 'organization'],
];
const CLEARANCE: Path = ['subject', 'properties', 'clearance'];
const DEPARTMENT: Path = ['subject', 'properties', 'department'];
const STATES: readonly Path[] = [
  ['data_subject', 'consents'],
  ['data_subject', 'flags'],
];

/** One sentence for each constant. */
export function uncovered(policies: readonly LivePolicy[], options: AxesOptions): string[] {
  const paths = new Map<string, Path>();
  for (const policy of policies)
    for (const entrypoint of ['sluice/decision', 'sluice/disclosure'] as const)
      for (const path of policy.source.reads?.get(entrypoint)?.input ?? [[]]) paths.set(path.join('.'), path);
  const { clearance, amr, justification, at } = options;
  const several = Array.isArray(clearance);
  const said: [Path, string][] = [
    ...(several && clearance.includes(null)
      ? []
      : [
          [
            CLEARANCE,
            several ? 'callers without a stated clearance' : `clearance: ${clearance ?? 'none'} only`,
          ] as [Path, string],
        ]),
    [
      ['subject', 'properties', 'assurance', 'amr'],
      `second factors: callers signed in with ${amr.length === 0 ? 'nothing stated' : [...new Set([amr.join(' and '), amr[0]])].join(', or with ')}, only`,
    ],
    [
      ['context', 'justification'],
      `justification: ${justification === null ? 'none' : `“${justification}”, or none,`} only`,
    ],
    [['context', 'time'], `time: ${at} only`],
    [['context', 'grants'], 'grants: none'],
    [DEPARTMENT, 'departments: of those that both policies name for a role only the first'],
  ];
  const sentences = said.flatMap(([path, text]) =>
    [...paths.values()].some((read) => overlaps(read, path)) ? [text] : [],
  );
  const others = [...paths.values()].filter(
    (read) =>
      ![...COVERED, CLEARANCE, ...STATES, ...said.map(([path]) => path)].some((path) => overlaps(read, path)),
  );
  const attributes = others.filter(([first]) => first === 'record').map((path) => path.slice(2).join('.'));
  const rest = others.filter(([first]) => first !== 'record').map((path) => `input.${path.join('.')}`);
  const aboutCallers: [Path, string][] = [
    [['subject', 'type'], 'of another kind'],
    [DEPARTMENT, 'of a department'],
    [['subject', 'properties', 'organization'], 'of a partner'],
  ];
  const strangers = aboutCallers.flatMap(([path, text]) =>
    [...paths.values()].some((read) => overlaps(read, path)) ? [text] : [],
  );
  if (strangers.length > 0)
    sentences.push(
      `callers ${strangers.join(', ')} that the data do not name for the role, without a second factor or without a justification: only one of these at a time, and only where other callers of the role are allowed`,
    );
  if (attributes.length > 0) {
    const named = attributes.filter((name) => name !== '').sort();
    sentences.push(
      `attributes of records${named.length === 0 ? '' : ` (${named.join(', ')})`}: asked without any`,
    );
  }
  if (rest.length > 0) sentences.push(`not stated: ${rest.sort().join(', ')}`);
  if ([...paths.values()].some((read) => overlaps(read, STATES[0]!)))
    sentences.push(
      'consents for some categories, other purposes or other recipients; several flags at once, flags for one purpose',
    );
  sentences.push('callers with several roles');
  return sentences;
}
