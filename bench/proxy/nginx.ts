/** nginx as the upstream and as each of the peers, one process, one worker, ports of its own. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Ports {
  readonly upstream: number;
  readonly proxyPass: number;
  readonly authRequest: number;
  readonly njs: number;
  readonly opa: number;
}

/** @param bodies what the upstream answers, JSON, by id; @param opaInput the input document that OPA is asked with */
export function writeNginx(
  dir: string,
  ports: Ports,
  bodies: ReadonlyMap<string, string>,
  opaInput: string,
  njsModule: string | null,
): void {
  mkdirSync(join(dir, 'www/api/customers'), { recursive: true });
  for (const [id, body] of bodies) writeFileSync(join(dir, 'www/api/customers', id), body);
  writeFileSync(
    join(dir, 'redact.js'),
    // njs has no Set
    `const SECRET = { password_hash: 1, id_number: 1, bank_card: 1, notes: 1, emergency_contact: 1, salary: 1 };
let held = '';
function strip(value) {
  if (Array.isArray(value)) return value.map(strip);
  if (value === null || typeof value !== 'object') return value;
  const out = {};
  Object.keys(value).forEach((key) => { if (SECRET[key] !== 1) out[key] = strip(value[key]); });
  return out;
}
function filter(r, data, flags) {
  held += data;
  if (flags.last) { r.sendBuffer(JSON.stringify(strip(JSON.parse(held))), flags); held = ''; }
}
function clear(r) { delete r.headersOut['Content-Length']; }
export default { filter, clear };
`,
  );
  const proxy = `proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://up;`;
  writeFileSync(
    join(dir, 'nginx.conf'),
    `${njsModule === null ? '' : `load_module ${njsModule};`}
${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; daemon off; pid ${dir}/nginx.pid; error_log ${dir}/error.log crit;
events { worker_connections 1024; }
http {
  access_log off; default_type application/json; keepalive_requests 100000000; keepalive_timeout 60s;
  client_body_temp_path ${dir}/t1; proxy_temp_path ${dir}/t2; fastcgi_temp_path ${dir}/t3; uwsgi_temp_path ${dir}/t4; scgi_temp_path ${dir}/t5;
  upstream up { server 127.0.0.1:${ports.upstream}; keepalive 64; keepalive_requests 100000000; }
  upstream opa { server 127.0.0.1:${ports.opa}; keepalive 64; keepalive_requests 100000000; }
  ${njsModule === null ? '' : `js_import redact from ${dir}/redact.js;`}
  server { listen 127.0.0.1:${ports.upstream} backlog=1024; root ${dir}/www; etag off; open_file_cache max=2000; }
  server { listen 127.0.0.1:${ports.proxyPass}; location / { ${proxy} } }
  server {
    listen 127.0.0.1:${ports.authRequest};
    location / { auth_request /_opa; ${proxy} }
    location = /_opa {
      internal; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_method POST;
      proxy_set_header Content-Type application/json; proxy_set_header Accept-Encoding "";
      proxy_set_body '${opaInput.replaceAll("'", "\\'")}';
      proxy_pass http://opa/v0/data/bench/permitted;
    }
  }
  ${njsModule === null ? '' : `server { listen 127.0.0.1:${ports.njs}; location / { js_header_filter redact.clear; js_body_filter redact.filter buffer_type=string; ${proxy} } }`}
}
`,
  );
}

export function startNginx(dir: string): { stop(): void } {
  const child = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-p', dir, '-e', join(dir, 'error.log')], {
    stdio: 'inherit',
  });
  return { stop: () => void child.kill('SIGTERM') };
}
