/**
 * Writes a scenario for an addition to a policy: a request about it, and its present result. The author checks that this is
 * intended; from then on the scenario protects it.
 */
import { LISTS, READS } from '../../../model/actions.ts';
import type { Catalog, CatalogEntry } from '../../../model/catalog.ts';
import { decodeToken } from '../../../model/pointer.ts';
import type { ScenarioFile } from '../../../policy/schemas/scenario.ts';
import { SCENARIO_NOW } from '../../../policy/schemas/scenario.ts';
import { formatYaml } from '../../../documents/format.ts';
import { writeCommented } from '../../../documents/write.ts';
import { SAMPLES } from './samples.ts';
import { expectationOf } from '../testing/expectations.ts';
import type { ScenarioResult } from '../testing/sandbox.ts';

export interface Asked {
  /** of the file */
  readonly title: string;
  /** of the scenario */
  readonly name: string;
  readonly role: string;
  /** as the policy's data describes it */
  readonly about: { readonly [key: string]: unknown };
  readonly purpose: string;
  readonly justified: boolean;
  readonly actions: readonly string[];
  /** a partner; null: internal */
  readonly partner: string | null;
  /** categories that the customer agreed to share with the partner */
  readonly agreed: readonly string[];
  readonly catalog: Catalog;
}

const ID = 'C1';

/** `expecting` fills in the expected result later */
export function scenarioOf(asked: Asked): ScenarioFile {
  const { about, catalog, partner, purpose } = asked;
  const isOwn = about['recipients'] === 'own';
  const [action = 'read'] = [...READS].filter((a) => asked.actions.includes(a));
  const isList = LISTS.has(action);
  const record = sampleOf(catalog);
  const [department] = Array.isArray(about['departments']) ? (about['departments'] as string[]) : [];
  return {
    title: asked.title,
    now: SCENARIO_NOW,
    routes: [
      isList
        ? { match: 'GET /records', resource: catalog.resource, action, records: '/items/*' }
        : { match: 'GET /records/{id}', resource: catalog.resource, action, id: '{id}' },
    ],
    scenarios: [
      {
        name: asked.name,
        request: {
          method: 'GET',
          path: isList ? '/records' : `/records/${ID}`,
          headers: {
            'Sluice-Purpose': purpose,
            ...(partner === null ? {} : { 'Sluice-Recipient': partner }),
            ...(asked.justified ? { 'Sluice-Justification': 'ticket 1' } : {}),
          },
        },
        token: {
          sub: 'u-1',
          roles: [asked.role],
          ...(department === undefined ? {} : { dept: department }),
          org: isOwn && partner !== null ? partner : 'internal',
          clearance: Number(about['max_grade'] ?? 5),
          amr: ['pwd', 'otp'],
        },
        ...(asked.agreed.length === 0
          ? {}
          : {
              consents: {
                [ID]: {
                  consents: [
                    {
                      purpose,
                      categories: [...asked.agreed],
                      recipient: partner ?? 'internal',
                      status: 'given',
                      explicit: true,
                    },
                  ],
                },
              },
            }),
        upstream: {
          status: 200,
          headers: { 'content-type': 'application/json' },
          body: isList ? { items: [record] } : record,
        },
        expect: { status: 200 },
      },
    ],
  } satisfies ScenarioFile;
}

/** the scenario with its result as the expectation */
export function expecting(file: ScenarioFile, result: ScenarioResult): ScenarioFile {
  const [scenario] = file.scenarios;
  const { upstream, expect: _, ...request } = scenario!;
  const isAsked = result.asked.length > 0;
  return {
    ...file,
    scenarios: [{ ...request, ...(isAsked ? { upstream: upstream! } : {}), expect: expectationOf(result) }],
  };
}

/** @param header the comment that names the schema */
export function writtenScenario(file: ScenarioFile, header: string): string {
  const comment = `${header}\n\n Written by \`sluice new\`: what the policy does with it now. Read whether that is what you want.`;
  // one line for each member of a scenario, and for each field that is expected to be withheld
  const text = writeCommented(file, comment, ({ depth, isMap, length, has }) =>
    depth >= 3 ? !isMap || length < 110 : depth === 2 && isMap && length < 110 && !has('expect'),
  );
  const formatted = formatYaml(text);
  return 'text' in formatted ? formatted.text : text;
}

/** A record with a value for each field with a plain path. */
function sampleOf({ fields, data_subject }: Catalog): unknown {
  const root: Branch = {};
  for (const [pointer, entry] of Object.entries(fields)) put(root, pointer, exampleOf(entry));
  for (const pointer of data_subject) put(root, pointer, ID);
  return root;
}

interface Branch {
  [key: string]: unknown;
}

function put(root: Branch, pointer: string, value: unknown): void {
  const steps = pointer.slice(1).split('/');
  // The system determines what selectors, positions and wildcards match.
  if (value === undefined || steps[0] === '*' || steps.some((s) => /^[[#@\d]/.test(s))) return;
  let here: unknown = root;
  for (const [i, step] of steps.entries()) {
    const next = steps[i + 1];
    const fresh = next === undefined ? value : next === '*' ? [] : {};
    const name = step === '*' ? 0 : decodeToken(step);
    if (typeof here !== 'object' || here === null || Array.isArray(here) !== (step === '*')) return;
    const branch = here as Branch;
    if (next === undefined) branch[name] = value;
    else branch[name] ??= fresh;
    here = branch[name];
  }
}

function exampleOf(entry: CatalogEntry): unknown {
  if (!('category' in entry) || entry.parse !== undefined || entry.whole === true) return undefined;
  const kind = typeof entry.mask === 'string' ? entry.mask : entry.mask?.kind;
  if (kind !== undefined && kind in SAMPLES) return SAMPLES[kind];
  if (entry.generalize?.['date'] !== undefined) return '2024-05-01';
  return entry.generalize?.['round'] === undefined ? 'text' : 1200;
}
