#!/usr/bin/env node
// Starts the program; says clearly when this Node cannot run it. Plain JavaScript, so that any Node can read it.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 15)) {
  process.stderr.write(
    `understudy needs Node 24.15 or newer; this is ${process.versions.node}.\n` +
      'In a checkout run it through npm, which brings its own Node: `npm run understudy -- COMMAND`.\n',
  );
  process.exit(2);
}
const { main } = await import('../src/main.ts');
await main(process.argv.slice(2));
