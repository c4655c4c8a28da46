/** Built-ins whose answer is not a function of the input: a decision that used one could not be replayed. Refused at build. */
import { join } from 'node:path';
import { SluiceError } from '../errors.ts';
import type { Opa } from './opa.ts';
import type { PolicyFault } from './opa-faults.ts';

/** built-in → what to do instead */
export const REFUSED: { readonly [builtin: string]: string } = {
  'http.send': 'put what it fetches into data/ or into the request (claims, consents, grants)',
  'net.lookup_ip_addr': 'compare addresses with net.cidr_contains and a list in data/',
  'opa.runtime': 'put the setting into data/',
  'rego.parse_module': 'write the rules into the policy',
  'providers.aws.sign_req': 'sign in the upstream configuration (upstreams.<name>.auth)',
};

/** OPA's own capabilities without them, as the JSON text of a `--capabilities` file. */
export const capabilitiesText = async (opa: Opa): Promise<string> => {
  const run = await opa.run(['capabilities', '--current']);
  if (run.code !== 0)
    throw new SluiceError('opa_failed', `OPA at ${opa.path} does not list its capabilities: is it OPA 1.x?`);
  const all = JSON.parse(run.stdout) as { builtins: readonly { readonly name: string }[] };
  return JSON.stringify({ ...all, builtins: all.builtins.filter((b) => !Object.hasOwn(REFUSED, b.name)) });
};

export const refusedBuiltin = (fault: PolicyFault): string | null => {
  const name = /undefined function (\S+)/.exec(fault.message)?.[1];
  return name !== undefined && Object.hasOwn(REFUSED, name) ? name : null;
};

/** The fault in our words: which rule calls what, and what to do instead. */
export const explainRefused = async (opa: Opa, fault: PolicyFault, builtin: string): Promise<PolicyFault> => {
  const rule = await ruleAt(opa, fault);
  return {
    ...fault,
    message: `${rule === null ? 'a rule' : `rule ${rule}`} calls ${builtin}, which is refused: its answer cannot be replayed. Instead, ${REFUSED[builtin]}.`,
  };
};

interface Located {
  readonly location?: { readonly row?: number };
}

const ruleAt = async (opa: Opa, fault: PolicyFault): Promise<string | null> => {
  if (fault.file === undefined || fault.line === undefined) return null;
  const run = await opa.run(['parse', '--format', 'json', '--json-include', 'locations', join(fault.file)]);
  if (run.code !== 0) return null;
  const tree = JSON.parse(run.stdout) as {
    readonly rules?: readonly (Located & {
      readonly head?: { readonly name?: string; readonly ref?: readonly { readonly value?: unknown }[] };
    })[];
  };
  const enclosing = (tree.rules ?? []).filter((r) => (r.location?.row ?? 0) <= fault.line!).at(-1);
  const ref = enclosing?.head?.ref?.map((t) => String(t.value)).join('.');
  return ref ?? enclosing?.head?.name ?? null;
};
