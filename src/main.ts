#!/usr/bin/env node
/** argv in, exit code out. */
import './json-parse.ts';

const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `sluice: needs Node.js 24 or newer, this is ${process.version}. In the repository the npm scripts bring their own: npm run -s sluice -- <command>\n`,
  );
  process.exit(3);
}
// `sluice … | head` closes the pipe: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
// There is nowhere left to say so.
process.stderr.on('error', () => undefined);
// Loaded only now: an older Node cannot even parse what follows.
const { run } = await import('./cli/run.ts');
process.exitCode = await run(process.argv.slice(2));
