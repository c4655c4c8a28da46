/**
 * What a plain Node proxy costs: node:http in, undici out, every byte passed through. No token, policy, record.
 *   node passthrough.ts <upstream> <port> [<processes>]
 */
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [upstream = '', port = '0', processes = '1'] = process.argv.slice(2);

if (cluster.isPrimary && processes !== '1') {
  let listening = 0;
  cluster.on('listening', () => {
    listening += 1;
    if (listening === Number(processes)) process.stdout.write('ready\n');
  });
  for (let i = 0; i < Number(processes); i++) cluster.fork();
} else {
  const pool = new Pool(upstream, { connections: 64, pipelining: 1 });
  createServer((request, response) => {
    pool
      .request({
        path: request.url ?? '/',
        method: 'GET',
        headers: { accept: request.headers.accept ?? '*/*', authorization: 'Bearer bench' },
      })
      .then(({ statusCode, headers, body }) => {
        response.writeHead(statusCode, {
          'content-type': String(headers['content-type']),
          'content-length': String(headers['content-length']),
        });
        body.pipe(response);
      })
      .catch(() => {
        response.writeHead(502).end();
      });
  }).listen(Number(port), '127.0.0.1', () => {
    if (cluster.isPrimary) process.stdout.write('ready\n');
  });
}
