/** Starts racing children that inherit its stdout, has them all write to it, and ends. Arguments: directory, how many. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Task } from './racing-child.ts';

const [dir = '', count = ''] = process.argv.slice(2);
const child = new URL('./racing-child.ts', import.meta.url).pathname;
await Promise.all(
  Array.from({ length: Number(count) }, async (_, me) => {
    const racing = fork(child, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    await once(racing, 'message');
    racing.send({ what: 'stdout', dir, me } satisfies Task);
    const [{ error }] = (await once(racing, 'message')) as [{ error?: string }];
    racing.kill();
    if (error !== undefined) throw new Error(error);
  }),
);
process.disconnect();
