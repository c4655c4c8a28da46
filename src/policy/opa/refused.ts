/** Built-ins whose result is not a function of the input. They are refused at build, because a decision that used one could not be replayed. */
import { join } from 'node:path';
import type { PolicyDirectory } from '../directory.ts';
import { capabilitiesOf, type Opa } from './opa.ts';
import type { Fault } from '../../documents/faults.ts';

/** built-in → advice what to do instead */
export const REFUSED: { readonly [builtin: string]: string } = {
  'http.send': 'put what it fetches into data/ or into the request (claims, consents, grants)',
  'net.lookup_ip_addr': 'compare addresses with net.cidr_contains and a list in data/',
  'opa.runtime': 'put the setting into data/',
  'rego.parse_module': 'write the rules into the policy',
  'providers.aws.sign_req': 'sign in the upstream configuration (upstreams.<name>.auth)',
};

/** OPA's capabilities without the refused built-ins, as JSON text for `--capabilities` */
export const capabilitiesText = async (opa: Opa): Promise<string> => {
  const all = await capabilitiesOf(opa);
  return JSON.stringify({ ...all, builtins: all.builtins.filter((b) => !Object.hasOwn(REFUSED, b.name)) });
};

const REPLACED = /with keyword target must reference existing input, data, or a function/;

/** the refused built-in that a fault is about, which is called or replaced by `with` */
export const refusedBuiltin = (fault: Fault, { dir, rego }: PolicyDirectory): string | null => {
  const called = /undefined function (\S+)/.exec(fault.message)?.[1];
  if (called !== undefined) return Object.hasOwn(REFUSED, called) ? called : null;
  if (!REPLACED.test(fault.message) || fault.line === undefined || fault.column === undefined) return null;
  const text = rego.find((f) => join(dir, f.path) === fault.file)?.text ?? '';
  const there = text.split('\n')[fault.line - 1]?.slice(fault.column - 1) ?? '';
  const name = /^[\w.]+/.exec(there)?.[0] ?? '';
  return Object.hasOwn(REFUSED, name) ? name : null;
};

/** the fault with a message that says which rule uses the built-in, and what to do instead */
export const explainRefused = async (opa: Opa, fault: Fault, builtin: string): Promise<Fault> => {
  const rule = await ruleAt(opa, fault);
  const who = rule === null ? 'a rule' : `rule ${rule}`;
  return {
    ...fault,
    message: REPLACED.test(fault.message)
      ? `${who} replaces ${builtin} by \`with\`, and ${builtin} is refused: its answer cannot be replayed. Only tests in files *_test.rego may replace it; instead, ${REFUSED[builtin]}.`
      : `${who} calls ${builtin}, which is refused: its answer cannot be replayed. Instead, ${REFUSED[builtin]}.`,
  };
};

interface Located {
  readonly location?: { readonly row?: number };
}

const ruleAt = async (opa: Opa, fault: Fault): Promise<string | null> => {
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
