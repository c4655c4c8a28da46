/** What `sluice new` adds to a policy: the lines of each kind, and the request of its scenario. */
import { didYouMean } from '../../../documents/near-name.ts';
import { SluiceError } from '../../../errors.ts';
import type { PolicyDirectory } from '../../../policy/directory.ts';
import { faultError } from '../../../documents/faults.ts';
import { writeScalar } from '../../../documents/write.ts';
import { isObject, readYaml } from '../../../documents/yaml.ts';
import type { Asked } from './new-scenario.ts';
import { memberText, outdented, withMember, withName } from '../../../documents/insert.ts';

export interface Copied {
  readonly like: string;
  readonly title?: string;
}
export interface Field {
  readonly category: string;
  readonly grade: number;
  readonly mask?: string;
}

/** An addition: files with their new text, and the request of its scenario. */
export interface Addition {
  readonly changed: ReadonlyMap<string, string>;
  readonly scenario: string;
  readonly asked: (catalogs: Asked['catalog'][]) => Asked;
}

/** The files of a policy by what they define. */
export class Sources {
  readonly #files: PolicyDirectory;

  constructor(files: PolicyDirectory) {
    this.#files = files;
  }

  /** the file of `data/` with this mapping at its top level */
  section(what: string): { readonly path: string; readonly text: string; readonly entries: Members } {
    for (const { path, text } of this.#files.data) {
      const value: unknown = read(path, text);
      const entries = isObject(value) ? value[what] : undefined;
      if (isObject(entries)) return { path, text, entries };
    }
    throw new SluiceError(
      'input_invalid',
      `No file of data/ has a mapping "${what}": see docs/policy-guide.md.`,
    );
  }

  catalog(resource: string): { readonly path: string; readonly text: string; readonly fields: Members } {
    const found = this.#files.catalogs.map(({ path, text }) => ({
      path,
      text,
      value: read(path, text) as unknown,
    }));
    const names = found.flatMap(({ value }) => (isObject(value) ? [String(value['resource'])] : []));
    const { path, text, value } = found[names.indexOf(resource)] ?? unknownName('resource', resource, names);
    const fields = isObject(value) && isObject(value['fields']) ? value['fields'] : {};
    return { path, text, fields };
  }

  entry(what: string, of: string): Members {
    const { entries } = this.section(what);
    const found = entries[of];
    return isObject(found) ? found : unknownName(oneOf(what), of, Object.keys(entries));
  }

  must(what: string, of: string): void {
    const { entries } = this.section(what);
    if (!Object.hasOwn(entries, of)) unknownName(oneOf(what), of, Object.keys(entries));
  }
}

interface Members {
  readonly [key: string]: unknown;
}

function read(path: string, text: string): unknown {
  const yaml = readYaml(path, text);
  if ('faults' in yaml)
    throw faultError('input_invalid', yaml.faults, { advice: 'Correct it first (sluice check).' });
  return yaml.document.value;
}

const oneOf = (section: string): string => section.replace(/ies$/, 'y').replace(/s$/, '');

const unknownName = (what: string, of: string, names: readonly string[]): never => {
  throw new SluiceError(
    'usage_invalid',
    `There is no ${what} "${of}"${didYouMean(of, names) || `; known: ${names.join(', ')}`}`,
  );
};

/** the text of a section with a copy of one of its members under a new name */
function copied(
  sources: Sources,
  what: string,
  of: string,
  { like, title }: Copied,
): [path: string, text: string] {
  const { path, text, entries } = sources.section(what);
  if (Object.hasOwn(entries, of))
    throw new SluiceError('usage_invalid', `The ${oneOf(what)} "${of}" is in ${path} already.`);
  sources.entry(what, like);
  const lines = outdented(memberText(path, text, [what, like]))
    .replace(/^[^:\n]+:/, `${of}:`)
    .replace(
      /^( +title: ).*$/m,
      (_all, key: string) => `${key}${writeScalar(title ?? of.replaceAll('_', ' '))}`,
    );
  return [path, withMember(path, text, [what], lines)];
}

const texts = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);

export function newRole(sources: Sources, of: string, options: Copied): Addition {
  const about = sources.entry('roles', options.like);
  const [purpose = ''] = texts(about['purposes']);
  const needs = sources.entry('purposes', purpose);
  return {
    changed: new Map([copied(sources, 'roles', of, options)]),
    scenario: `role_${of}`,
    asked: askedOf(`Role ${of}`, `Role ${of} acts for ${purpose}`, of, about, purpose, needs),
  };
}

export function newPurpose(
  sources: Sources,
  of: string,
  options: Copied & { readonly role: readonly string[] },
): Addition {
  const needs = sources.entry('purposes', options.like);
  const { path, text } = sources.section('roles');
  const abouts = options.role.map((role) => sources.entry('roles', role));
  const roles = options.role.reduce((t, role) => withName(path, t, ['roles', role, 'purposes'], of), text);
  const [role = ''] = options.role;
  return {
    changed: new Map([copied(sources, 'purposes', of, options), [path, roles]]),
    scenario: `purpose_${of}`,
    asked: askedOf(`Purpose ${of}`, `Role ${role} acts for ${of}`, role, abouts[0]!, of, needs),
  };
}

export function newPartner(sources: Sources, of: string, options: Copied): Addition {
  const like = sources.entry('partners', options.like);
  const agreements = isObject(like['agreements']) ? like['agreements'] : {};
  const roles = Object.entries(sources.section('roles').entries).filter((e): e is [string, Members] =>
    isObject(e[1]),
  );
  for (const [purpose, agreement] of Object.entries(agreements)) {
    const found =
      roles.find(([, r]) => r['recipients'] === 'own' && texts(r['purposes']).includes(purpose)) ??
      roles.find(([, r]) => r['recipients'] === 'any' && texts(r['purposes']).includes(purpose));
    if (found === undefined) continue;
    const [role, about] = found;
    const agreed =
      isObject(agreement) && isObject(agreement['categories']) ? Object.keys(agreement['categories']) : [];
    const needs = sources.entry('purposes', purpose);
    const asked = askedOf(
      `Partner ${of}`,
      `${of} receives for ${purpose} what the customer agreed to`,
      role,
      about,
      purpose,
      needs,
    );
    return {
      changed: new Map([copied(sources, 'partners', of, options)]),
      scenario: `partner_${of}`,
      asked: (catalogs) => ({ ...asked(catalogs), partner: of, agreed }),
    };
  }
  throw new SluiceError(
    'usage_invalid',
    `No role with recipients "own" or "any" acts for a purpose that ${options.like} has an agreement for: add one first.`,
  );
}

export function newField(sources: Sources, resource: string, pointer: string, options: Field): Addition {
  const { path, text, fields } = sources.catalog(resource);
  if (Object.hasOwn(fields, pointer))
    throw new SluiceError('usage_invalid', `The field ${pointer} is in ${path} already.`);
  if (!pointer.startsWith('/')) throw new SluiceError('usage_invalid', `A field begins with "/": ${pointer}`);
  sources.must('categories', options.category);
  const mask = options.mask === undefined ? '' : `, mask: ${writeScalar(options.mask)}`;
  const key = writeScalar(pointer);
  const line = `${key}: { category: ${options.category}, grade: ${options.grade}${mask} }\n`;
  const roles = Object.entries(sources.section('roles').entries).filter((e): e is [string, Members] =>
    isObject(e[1]),
  );
  // A caller that works with the category, if there is one.
  const able = roles.filter(([, r]) => texts(r['resources']).includes(resource) && r['recipients'] !== 'own');
  const uses = ([, r]: [string, Members]): boolean =>
    isObject(r['categories']) && options.category in r['categories'];
  const [role, about] = able.find(uses) ?? able[0] ?? unknownName('role for resource', resource, []);
  const [purpose = ''] = texts(about['purposes']);
  const needs = sources.entry('purposes', purpose);
  return {
    changed: new Map([[path, withMember(path, text, ['fields'], line)]]),
    scenario: `field_${resource}${pointer.replace(/[^A-Za-z0-9]+/g, '_')}`,
    asked: (catalogs) => ({
      ...askedOf(
        `Field ${pointer} of ${resource}`,
        `${pointer} of ${resource}, as ${role} sees it for ${purpose}`,
        role,
        about,
        purpose,
        needs,
      )(catalogs),
      catalog: only(catalogs.find((c) => c.resource === resource)!, pointer),
    }),
  };
}

/** a catalog with one field, so that the scenario concerns only it */
const only = (catalog: Asked['catalog'], pointer: string): Asked['catalog'] => ({
  ...catalog,
  fields: { [pointer]: catalog.fields[pointer]! },
});

function askedOf(
  title: string,
  sentence: string,
  role: string,
  about: Members,
  purpose: string,
  needs: Members,
): Addition['asked'] {
  const actions = texts(needs['actions']).length > 0 ? texts(needs['actions']) : texts(about['actions']);
  return (catalogs) => ({
    title,
    name: sentence,
    role,
    about,
    purpose,
    justified: needs['justification'] === 'required',
    actions,
    partner: null,
    agreed: [],
    catalog: catalogs.find((c) => texts(about['resources']).includes(c.resource)) ?? catalogs[0]!,
  });
}
