/**
 * A legacy insurer CRM: a small HTTP server that returns everything to whoever presents its service credential.
 * Its headers reveal more than they should (Server, Set-Cookie, X-Total-Count, ETag), as legacy systems do.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Agent, createPeople, type Person } from './people.ts';

export interface LegacyCrm {
  readonly url: string;
  readonly customers: readonly Person[];
  close(): Promise<void>;
}

export interface CrmOptions {
  readonly seed?: number;
  readonly customers?: number;
  readonly port?: number;
  /** the expected value after `Authorization: Bearer` */
  readonly credential: string;
}

export async function startCrm(options: CrmOptions): Promise<LegacyCrm> {
  const { customers, agents } = createPeople(options.seed ?? 20261122, options.customers ?? 2000);
  const byId = new Map(customers.map((c) => [c.id, c]));
  const written = new Map<string, string>();
  const server = createServer((request, response) => {
    response.setHeader('Server', 'LegacyCRM/4.2 (built 2009)');
    response.setHeader('Set-Cookie', 'CRMSESSION=8f2c1e; Path=/');
    response.setHeader('X-Powered-By', 'Servlet/2.5');
    const url = new URL(request.url ?? '/', 'http://crm.invalid');
    if (request.headers.authorization !== `Bearer ${options.credential}`)
      return send(response, 401, '{"error":"login"}');
    if (url.pathname === '/health') return send(response, 200, '{"ok":true}');
    const one = /^\/api\/customers\/([^/]+)$/.exec(url.pathname);
    if (one) {
      const found = byId.get(decodeURIComponent(one[1] ?? ''));
      if (!found)
        return send(response, 404, `{"error":"no customer ${one[1]}","hint":"SELECT * FROM T_CUST_MST"}`);
      if (request.method === 'GET' || request.method === 'HEAD')
        return send(response, 200, written.get(found.id) ?? found.record);
      if (request.method === 'PUT') {
        let body = '';
        request.setEncoding('utf8').on('data', (d: string) => {
          body += d;
        });
        request.on('end', () => {
          const merged = { ...JSON.parse(found.record), ...JSON.parse(body) };
          written.set(found.id, JSON.stringify(merged));
          send(response, 200, written.get(found.id) ?? '');
        });
        return;
      }
    }
    if (url.pathname === '/api/customers' && request.method === 'GET')
      return search(response, url, customers);
    if (url.pathname === '/api/employees' && request.method === 'GET') return list(response, agents);
    send(response, 404, '{"error":"nothing here"}');
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    customers,
    close: () => close(server),
  };
}

function search(response: ServerResponse, url: URL, customers: readonly Person[]): void {
  const phone = url.searchParams.get('phone');
  const city = url.searchParams.get('city');
  const limit = Math.min(Number(url.searchParams.get('limit') ?? 20), 2000);
  const offset = Number(url.searchParams.get('offset') ?? 0);
  const found = customers.filter(
    (c) => (phone === null || c.phone === phone) && (city === null || c.city === city),
  );
  const page = found.slice(offset, offset + limit);
  response.setHeader('X-Total-Count', String(found.length));
  send(
    response,
    200,
    `{"total":${found.length},"page":${Math.floor(offset / limit) + 1},"items":[${page.map((c) => c.record).join(',')}]}`,
  );
}

function list(response: ServerResponse, agents: readonly Agent[]): void {
  send(response, 200, JSON.stringify({ total: agents.length, page: 1, items: agents }));
}

function send(response: ServerResponse, status: number, body: string): void {
  response.setHeader('Content-Type', 'application/json;charset=UTF-8');
  response.setHeader('ETag', `"${body.length}"`);
  response.writeHead(status, { 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
