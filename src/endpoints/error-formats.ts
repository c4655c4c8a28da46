/**
 * A refusal in the format that the clients of a route read. Every format has what `problem+json` has: the code, the decision's id and the
 * reasons. Clients of SOAP and RPC protocols read a body only with the status that their protocol has for faults.
 */
import type { ErrorShape } from '../pipeline/error-shape.ts';
import type { ProblemBody } from './problems.ts';

export const PROBLEM: ErrorShape = Object.freeze({ format: 'problem', soap12: false, id: 'null' });

export interface Rendered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** HTTP clients act on these statuses below any protocol: challenges, methods, times to wait. */
const OF_HTTP: ReadonlySet<number> = new Set([401, 405, 408, 413, 429, 499, 503]);

export function rendered(problem: ProblemBody, shape: ErrorShape): Rendered {
  const { status } = problem;
  switch (shape.format) {
    case 'problem':
      return json(status, 'application/problem+json', problem);
    case 'json':
      return json(status, 'application/json', { ...problem, errors: [listed(problem)] });
    case 'odata': {
      const { headers, ...rest } = json(status, 'application/json', odata(problem));
      return { ...rest, headers: { ...headers, 'odata-version': '4.0' } };
    }
    case 'jsonrpc':
      return {
        status: OF_HTTP.has(status) || status >= 500 ? status : 200,
        headers: { 'content-type': 'application/json' },
        text: `{"jsonrpc":"2.0","id":${shape.id},"error":${JSON.stringify(rpcError(problem))}}\n`,
      };
    case 'mcp':
      return mcpError(problem, shape);
    case 'xmlrpc':
      return {
        status: OF_HTTP.has(status) || status >= 500 ? status : 200,
        headers: { 'content-type': 'text/xml; charset=utf-8' },
        text: xmlRpcFault(problem),
      };
    case 'soap':
      return shape.soap12
        ? {
            // SOAP 1.2 part 2 §7.5.2.2
            status: OF_HTTP.has(status) ? status : status < 500 ? 400 : 500,
            headers: { 'content-type': 'application/soap+xml; charset=utf-8' },
            text: soap12Fault(problem),
          }
        : {
            // SOAP 1.1 §6.2
            status: OF_HTTP.has(status) ? status : 500,
            headers: { 'content-type': 'text/xml; charset=utf-8' },
            text: soap11Fault(problem),
          };
  }
}

/** A message without a result, where the protocol requires one; null: an empty answer will do. */
export function emptyMessage({
  format,
  soap12,
  id,
}: ErrorShape): { readonly type: string; readonly text: string } | null {
  if (format === 'jsonrpc')
    return { type: 'application/json', text: `{"jsonrpc":"2.0","id":${id},"result":null}\n` };
  if (format === 'xmlrpc')
    return {
      type: 'text/xml; charset=utf-8',
      text: `${DECLARATION}<methodResponse><params><param><value><nil/></value></param></params></methodResponse>\n`,
    };
  if (format !== 'soap') return null;
  const namespace = soap12 ? SOAP12 : SOAP11;
  return {
    type: soap12 ? 'application/soap+xml; charset=utf-8' : 'text/xml; charset=utf-8',
    text: `${DECLARATION}<soap:Envelope xmlns:soap="${namespace}"><soap:Body/></soap:Envelope>\n`,
  };
}

const json = (status: number, type: string, body: unknown): Rendered => ({
  status,
  headers: { 'content-type': type },
  text: `${JSON.stringify(body)}\n`,
});

/** An element of `errors` as Directus and GraphQL have it, beside the members of a problem. */
const listed = ({ detail, code, decision_id, reasons }: ProblemBody): object => ({
  message: detail,
  extensions: { code, decision_id, reasons },
});

/** OData JSON 4.01 §21.1 */
const odata = ({ code, detail, reasons, decision_id, type, status, paths }: ProblemBody): object => ({
  error: {
    code,
    message: detail,
    details: reasons.map((r) => ({ code: r.code, message: r.message ?? r.code })),
    innererror: { type, status, decision_id, ...(paths === undefined ? {} : { paths }) },
  },
});

/** JSON-RPC 2.0 §5.1 */
const rpcError = (problem: ProblemBody): object => ({
  code: problem.code === 'body_unreadable' ? -32700 : problem.status >= 500 ? -32603 : -32000,
  message: problem.title,
  data: problem,
});

/** Statuses of JSON-RPC errors that MCP clients act on below the protocol: a new session, another revision. */
const OF_MCP: ReadonlySet<string> = new Set([
  'mcp_session_unknown',
  'mcp_header_mismatch',
  'mcp_version_unsupported',
  'mcp_message_invalid',
  'origin_not_allowed',
]);

/**
 * A client reads an error that belongs to a call only with status 200: the official SDK takes any other status for a broken transport. The
 * revision without sessions has statuses of its own for what its client does wrong.
 */
function mcpError(problem: ProblemBody, { id, stateless }: ErrorShape): Rendered {
  const { status, code } = problem;
  const isHttp =
    OF_HTTP.has(status) ||
    OF_MCP.has(code) ||
    // arguments that cannot be read belong to a call
    (code === 'body_unreadable' && id === 'null') ||
    (stateless === true && (status === 400 || code === 'mcp_method_unsupported'));
  const { title, detail, ...rest } = problem;
  const error = {
    code: mcpCode(problem, id),
    message: `${title}: ${detail}${nextStep(problem)}`,
    data: rest,
  };
  return {
    status: isHttp ? status : 200,
    headers: { 'content-type': 'application/json' },
    text: `{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify(error)}}\n`,
  };
}

/** Agents read the message: what a person could do about a denial. */
function nextStep({ access_request: offer }: ProblemBody): string {
  if (offer === undefined) return '';
  const { task } = offer;
  return task === undefined
    ? ' Somebody else could grant it: request access as data.access_request says, and repeat the call when the request is approved.'
    : ` Access was requested (${task.id}, ${task.status}). Repeat the same call when somebody has approved it.`;
}

/** docs/agents.md says why each has its code. */
const MCP_CODES: Readonly<Record<string, number>> = {
  body_unreadable: -32700,
  mcp_message_invalid: -32600,
  mcp_session_unknown: -32600,
  mcp_method_unsupported: -32601,
  mcp_name_unknown: -32602,
  mcp_argument_unknown: -32602,
  query_parameter_unknown: -32602,
  request_malformed: -32602,
  tier_invalid: -32602,
  request_aborted: -32603,
  mcp_header_mismatch: -32020,
  mcp_version_unsupported: -32022,
};

/** A policy that fails denies (403); its caller is told of a failure, as the AuthZEN binding has it. */
const mcpCode = ({ code, status }: ProblemBody, id: string): number =>
  (code === 'body_unreadable' && id !== 'null' ? -32602 : MCP_CODES[code]) ??
  (status >= 500 || (code.startsWith('policy_') && code !== 'policy_denied')
    ? -32603
    : status === 401 || status === 403
      ? -32001
      : -32602);

const NOT_XML = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
const escaped = (text: string): string =>
  text.replace(NOT_XML, '\ufffd').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const SOAP11 = 'http://schemas.xmlsoap.org/soap/envelope/';
const SOAP12 = 'http://www.w3.org/2003/05/soap-envelope';
const DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n';

/** The problem as XML, in a namespace of its own. */
function detailOf({ code, status, decision_id, reasons, paths = [] }: ProblemBody): string {
  const told = reasons.map(
    (r) =>
      `<reason><code>${escaped(r.code)}</code>${
        r.message === undefined ? '' : `<message>${escaped(r.message)}</message>`
      }</reason>`,
  );
  return `<problem xmlns="urn:sluice:error"><code>${code}</code><status>${status}</status><decision_id>${decision_id}</decision_id>${told.join(
    '',
  )}${paths.map((path) => `<path>${escaped(path)}</path>`).join('')}</problem>`;
}

const soap11Fault = (problem: ProblemBody): string =>
  `${DECLARATION}<soap:Envelope xmlns:soap="${SOAP11}"><soap:Body><soap:Fault><faultcode>soap:${
    problem.status < 500 ? 'Client' : 'Server'
  }</faultcode><faultstring>${escaped(problem.detail)}</faultstring><detail>${detailOf(
    problem,
  )}</detail></soap:Fault></soap:Body></soap:Envelope>\n`;

const soap12Fault = (problem: ProblemBody): string =>
  `${DECLARATION}<soap:Envelope xmlns:soap="${SOAP12}"><soap:Body><soap:Fault><soap:Code><soap:Value>soap:${
    problem.status < 500 ? 'Sender' : 'Receiver'
  }</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang="en">${escaped(
    problem.detail,
  )}</soap:Text></soap:Reason><soap:Detail>${detailOf(problem)}</soap:Detail></soap:Fault></soap:Body></soap:Envelope>\n`;

/** A fault has exactly two members, so everything else is in the text. */
function xmlRpcFault({ status, detail, code, decision_id, reasons }: ProblemBody): string {
  const why = reasons.map((r) => r.code).join(', ');
  const text = `${detail} (${code}; decision ${decision_id}${why === '' ? '' : `; reasons: ${why}`})`;
  return `${DECLARATION}<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>${status}</int></value></member><member><name>faultString</name><value><string>${escaped(
    text,
  )}</string></value></member></struct></value></fault></methodResponse>\n`;
}
