/** Calls of tools, and resources that are read: decided, passed on, and disclosed. */
import { SluiceError } from '../../errors.ts';
import type { ProxyRequest } from '../../model/exchange.ts';
import { openCall } from '../../pipeline/call.ts';
import { NOTHING_DISCLOSED } from '../../model/record.ts';
import { release } from '../../pipeline/release.ts';
import { requested } from './approval.ts';
import { argumentsGiven, partsOf } from './arguments.ts';
import { ask, type Exchange, headersOf, label, wrapped } from './exchange.ts';
import type { Members } from './message.ts';
import { findIn, leftOut, resourceResult, toolResult } from './result.ts';
import { resourceTarget, toolTarget } from './section.ts';
import { Unwrapped } from './unwrapped.ts';

function refuseOthers(params: Members, ...named: readonly string[]): void {
  if (Object.keys(params).some((name) => name !== '_meta' && !named.includes(name)))
    throw new SluiceError(
      'mcp_argument_unknown',
      `params has a member that is none of ${named.join(' and ')}. Tasks and answers to requests of the server are not passed on.`,
    );
}

export async function callTool(at: Exchange): Promise<void> {
  const { server, index, message, entry, request } = at;
  const { params } = message;
  refuseOthers(params, 'name', 'arguments');
  const { name } = params;
  const tool = typeof name === 'string' && Object.hasOwn(server.tools, name) ? server.tools[name] : undefined;
  if (tool === undefined || typeof name !== 'string')
    throw new SluiceError(
      'mcp_name_unknown',
      'No tool of this name can be called here. tools/list names those that can.',
    );
  label(entry, server, request, ` tools/call ${name}`);
  const given = argumentsGiven(tool, params['arguments'], message.raw('arguments'));
  const target = toolTarget(index, Object.keys(server.tools).indexOf(name));
  const asked = { name: JSON.stringify(name), arguments: given.passed };
  await call(at, {
    target,
    body: given.checked,
    params: asked,
    name,
    list: 'content',
    field: tool.text ?? null,
  });
}

export async function readResource(at: Exchange): Promise<void> {
  const { server, index, message, entry, request } = at;
  refuseOthers(message.params, 'uri');
  const { uri } = message.params;
  const found = server.resources.findIndex(
    (one) => typeof uri === 'string' && partsOf(one.uri).of(uri) !== null,
  );
  const resource = server.resources[found];
  if (resource === undefined || typeof uri !== 'string')
    throw new SluiceError('mcp_name_unknown', 'No resource of this URI can be read here.');
  label(entry, server, request, ` resources/read ${resource.uri}`);
  const target = resourceTarget(index, found) + partsOf(resource.uri).of(uri)!;
  await call(at, {
    target,
    body: null,
    params: { uri: JSON.stringify(uri) },
    name: uri,
    list: 'contents',
    field: null,
  });
}

interface Called {
  /** path among the routes of operations */
  readonly target: string;
  /** what is checked */
  readonly body: Uint8Array | null;
  readonly params: Readonly<Record<string, string>>;
  readonly name: string;
  readonly list: 'content' | 'contents';
  /** of the resource: what a text is */
  readonly field: string | null;
}

async function call(at: Exchange, { target, body, params, name, list, field }: Called): Promise<void> {
  const { entry, stages, reply, request, routes, server } = at;
  const { headers, peer } = request;
  const { approvals } = at;
  if (server.approval && approvals !== null)
    entry.requestAccess = async ({ binding_token }) =>
      entry.justification === null || binding_token === undefined
        ? null
        : requested(request, binding_token, entry.justification, approvals, stages);
  const onAbort: ProxyRequest['onAbort'] = (listener) => request.onAbort(listener);
  const opened = await openCall(
    { headers, peer, onAbort, routes, target, body, request: entry.request },
    entry,
    stages,
  );
  // What a guard took out of the arguments would have to be taken out of the message as well.
  if (body !== null && (opened.body === null || Buffer.compare(opened.body, body) !== 0))
    throw new SluiceError(
      'body_field_refused',
      'The arguments would have to be changed, which no call of a tool is.',
    );
  const { answer: given } = await ask(at, { params, name, headers: opened.headers });
  const found = findIn(given, list, field);
  const left = leftOut(found);
  if (left !== null)
    entry.internalReasons = [...entry.internalReasons, { code: 'content_left_out', message: left }];
  if (found.failed) entry.internalReasons = [...entry.internalReasons, { code: 'tool_failed' }];
  const write = (disclosed: string | null, withheld: string | undefined): Buffer => {
    const meta = JSON.stringify({
      'sluice/decision_id': entry.id,
      ...(withheld === undefined ? {} : { 'sluice/withheld': withheld }),
    });
    return wrapped(
      at,
      list === 'content' ? toolResult(found, disclosed, meta) : resourceResult(found, disclosed, name, meta),
    );
  };
  // A search that failed and one that found nothing must not be told from one of which nothing is disclosed.
  if (found.body === null && !(found.failed && opened.searched)) {
    const told = { 'content-type': 'application/json', ...headersOf(entry) };
    const whole = { status: 200, headers: told, body: write(null, undefined) };
    return release(whole, NOTHING_DISCLOSED, reply, entry, stages);
  }
  await opened.disclose(found.body, found.several, new Unwrapped(reply, write));
}
