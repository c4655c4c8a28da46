/** `sluice mcp`: MCP servers. `map` proposes the section `mcp` for one. */
import { Command, InvalidArgumentError } from 'commander';
import { isMembers, type Members } from '../endpoints/mcp/message.ts';
import { SluiceError } from '../errors.ts';
import { WRITES } from '../model/actions.ts';
import { readCatalogs } from '../policy/catalog/read.ts';
import { type Io, printJson } from './io.ts';
import { connectTo, type McpClient } from './mcp/client.ts';
import {
  type Mapping,
  type Proposal,
  proposeResource,
  proposeTool,
  type ResourceMapping,
} from './mcp/proposal.ts';
import { openSource } from './policy/source.ts';

interface Options {
  readonly policies: string;
  readonly header: Readonly<Record<string, string>>;
  readonly sample: ReadonlyMap<string, Members>;
  readonly json?: boolean;
}

/** Listed one by one only if they are few: names of resources may be data. */
const FEW = 20;

const header = (text: string, before: Readonly<Record<string, string>> = {}) => {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*([\x20-\x7e]+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError('A header such as "Authorization: Bearer …" is wanted.');
  return { ...before, [name]: value };
};

const sample = (text: string, before: ReadonlyMap<string, Members> = new Map()) => {
  const at = text.indexOf('=');
  let args: unknown;
  try {
    args = JSON.parse(text.slice(at + 1));
  } catch {
    args = null;
  }
  if (at < 1 || !isMembers(args))
    throw new InvalidArgumentError('A tool and its arguments are wanted: get_customer={"customer_id":"C1"}.');
  return new Map([...before, [text.slice(0, at), args]]);
};

export function command(io: Io): Command {
  const mcp = new Command('mcp').description('MCP servers behind Sluice (docs/agents.md).');
  mcp
    .command('map <url>')
    .description('propose the section `mcp` for an MCP server: what each of its tools and resources asks for')
    .option('--policies <dir>', 'policy directory or bundle with the catalogs', 'policies')
    .option(
      '--header <header>',
      'sent to the server, e.g. "Authorization: Bearer …" (repeatable)',
      header,
      {},
    )
    .option(
      '--sample <tool=json>',
      'call a tool that reads with these arguments, to see where its records are (repeatable)',
      sample,
      new Map(),
    )
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  sluice mcp map http://127.0.0.1:9000/mcp --sample \'get_customer={"customer_id":"C1"}\'\n\nNames, schemas and annotations are what the server says of itself: read each line before you use it. Values of samples are not printed.\nExit code 1: nothing could be proposed.',
    )
    .action((url: string, options: Options) => map(url, options, io));
  return mcp;
}

async function map(text: string, options: Options, io: Io): Promise<void> {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw new SluiceError(
      'usage_invalid',
      'The URL of an MCP server is wanted, such as http://127.0.0.1:9000/mcp.',
    );
  const { files } = await openSource(options.policies, io);
  const catalogs = readCatalogs(files.catalogs.map((file) => ({ file: file.path, text: file.text })));
  const client = await connectTo(url, options.header);
  try {
    const has = (what: string): boolean => client.capabilities[what] !== undefined;
    const listed = has('tools') ? await client.list('tools/list', 'tools') : [];
    const offered = listed.filter(
      ({ name }) => typeof name === 'string' && /^[A-Za-z0-9_./-]{1,128}$/.test(name),
    );
    for (const name of options.sample.keys())
      if (!offered.some((tool) => tool['name'] === name))
        throw new SluiceError('usage_invalid', `--sample: the server has no tool of this name.`);
    const tools: Proposal<Mapping>[] = [];
    for (const tool of offered) {
      const args = options.sample.get(String(tool['name']));
      const first = proposeTool(tool, catalogs, undefined);
      tools.push(
        args === undefined ? first : proposeTool(tool, catalogs, await sampled(client, tool, first, args)),
      );
    }
    const templates = has('resources')
      ? await client.list('resources/templates/list', 'resourceTemplates')
      : [];
    const single = has('resources') ? await client.list('resources/list', 'resources') : [];
    const isTemplates = ({ uri }: Members): boolean =>
      templates.some(({ uriTemplate }) => String(uri).startsWith(String(uriTemplate).split('{')[0]!));
    const own = single.filter((one) => !isTemplates(one));
    const resources = [...templates, ...(own.length > FEW ? [] : own)]
      .filter((one) => /^[\x21-\x7e]{1,512}$/.test(String(one['uriTemplate'] ?? one['uri'])))
      .map((one) => proposeResource(one, catalogs));
    const found = { name: client.name, revision: client.revision, url, tools, resources };
    const left = listed.length - offered.length + (own.length > FEW ? own.length : 0);
    if (options.json) printJson({ ...found, url: url.href, left_out: left }, io);
    else io.stdout.write(written(found, left));
    if ([...tools, ...resources].every(({ mapping }) => mapping === null)) io.exitCode = 1;
  } finally {
    await client.close();
  }
}

/** @returns the result of a call of a tool that reads: its `structuredContent`, else its first text that is JSON */
async function sampled(
  client: McpClient,
  tool: Members,
  { name, mapping }: Proposal<Mapping>,
  args: Members,
): Promise<unknown> {
  const hints = isMembers(tool['annotations']) ? tool['annotations'] : {};
  if (
    hints['readOnlyHint'] === false ||
    hints['destructiveHint'] === true ||
    (hints['readOnlyHint'] !== true && mapping === null) ||
    (mapping !== null && WRITES.has(mapping.action))
  )
    throw new SluiceError(
      'usage_invalid',
      `--sample: ${name} does not look like a tool that only reads. It was not called.`,
    );
  const { structuredContent, content, isError } = await client.call(name, args);
  if (isError === true)
    throw new SluiceError(
      'response_malformed',
      `--sample: ${name} reported an error. Do its arguments name a record that is there?`,
    );
  if (structuredContent !== undefined) return structuredContent;
  for (const block of Array.isArray(content) ? (content as unknown[]) : [])
    if (isMembers(block) && typeof block['text'] === 'string')
      try {
        return JSON.parse(block['text']);
      } catch {
        // Another text may be JSON.
      }
  return null;
}

interface Found {
  readonly name: string;
  readonly revision: string;
  readonly url: URL;
  readonly tools: readonly Proposal<Mapping>[];
  readonly resources: readonly Proposal<ResourceMapping>[];
}

/** YAML of the two sections. Texts of the server are quoted as JSON, which is YAML. */
function written({ name, revision, url, tools, resources }: Found, left: number): string {
  const upstream = `${
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 40) || 'server'
  }-mcp`;
  const lines = [
    `# Proposed by \`sluice mcp map\` from what the server says of itself (MCP ${JSON.stringify(revision).slice(1, -1)}). Read each line before you use it.`,
    'upstreams:',
    `  ${upstream}: { url: ${JSON.stringify(url.origin)} }`,
    'mcp:',
    '  - path: /mcp',
    `    upstream: ${upstream}`,
    ...(url.pathname === '/mcp' ? [] : [`    upstream_path: ${JSON.stringify(url.pathname)}`]),
  ];
  const entries = <T extends object>(
    title: string,
    list: readonly Proposal<T>[],
    spell: (one: Proposal<T>) => string,
  ): void => {
    if (list.length === 0) return;
    lines.push(list.every(({ mapping }) => mapping === null) ? `    # ${title}:` : `    ${title}:`);
    for (const one of list) {
      for (const check of one.checks) lines.push(`      # check: ${check}`);
      lines.push(`      ${one.mapping === null ? '# ' : ''}${spell(one)}`);
    }
  };
  entries(
    'tools',
    tools,
    (one) => `${one.name}: ${one.mapping === null ? '{ resource: …, action: … }' : flow(one.mapping)}`,
  );
  entries('resources', resources, (one) =>
    one.mapping === null
      ? `- { uri: ${JSON.stringify(one.name)}, resource: …, action: read }`
      : `- ${flow(one.mapping)}`,
  );
  if (left > 0)
    lines.push(`# ${left} more are not shown: their names cannot be mapped, or they are too many.`);
  return `${lines.join('\n')}\n`;
}

function flow(value: unknown): string {
  if (typeof value === 'string')
    return /^\/?[A-Za-z][A-Za-z0-9_/-]*$/.test(value) ? value : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  return `{ ${Object.entries(value as object)
    .map(([name, inner]) => `${flow(name)}: ${flow(inner)}`)
    .join(', ')} }`;
}
