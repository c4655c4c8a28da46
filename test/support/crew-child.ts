/** A crew whose first worker becomes ready just after the crew was told to stop. Prints which workers there were, and ends with the crew. */
import '../../src/json-parse.ts';
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { Crew, type CrewOptions } from '../../src/cli/serve/crew.ts';
import { silentLogger } from '../../src/observability/logger.ts';

if (cluster.isWorker) {
  // The signal came before it could be heard: the worker goes on to say that it is ready.
  process.on('SIGTERM', () => process.send!({ say: 'ready', policy: 'r1' }));
  process.on('message', ({ say }: { say: string }) => {
    if (say === 'stop') process.exit(0);
  });
  process.send!({ say: 'listens?', listener: 'proxy' });
} else {
  const started: number[] = [];
  cluster.on('fork', ({ id }) => started.push(id));
  const options: Partial<CrewOptions> = {
    size: 3,
    exec: fileURLToPath(import.meta.url),
    args: [],
    text: '',
    logger: silentLogger,
    onEnd: () => undefined,
    // The worker listens for signals by now.
    listeners: { give: () => void crew.stop() } as unknown as CrewOptions['listeners'],
  };
  const crew = new Crew(options as CrewOptions);
  await crew.start().catch(() => undefined);
  await crew.stop();
  process.stdout.write(`${started.length} started\n`);
}
