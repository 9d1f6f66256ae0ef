// Runs Azurite in this very process and ends with the process that started it: SIGKILL of this process is SIGKILL of
// Azurite, and when the parent goes, however it goes, the channel closes and nothing is left behind.

import { ServerResponse } from 'node:http';
import { createRequire } from 'node:module';

process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => {}); // Ctrl-C reaches the whole group; the supervisor ends its processes in order.

const [program, ...rest] = process.argv.slice(2);
process.argv = [process.execPath, program, ...rest];
saveBeforeAnswering(createRequire(program)('lokijs'));
await import(program);

/**
 * Azurite saves its index every five seconds; a storage account never forgets what it has acknowledged. So that losing
 * the process loses nothing here either, an answer waits until what is unsaved has been written.
 */
function saveBeforeAnswering(Loki) {
  const databases = new Set();
  const enable = Loki.prototype.autosaveEnable;
  Loki.prototype.autosaveEnable = function (...given) {
    databases.add(this);
    return enable.apply(this, given);
  };
  const end = ServerResponse.prototype.end;
  ServerResponse.prototype.end = function (...given) {
    const unsaved = [...databases].filter((database) => database.autosaveDirty());
    if (unsaved.length === 0) return end.apply(this, given);
    const saved = unsaved.map((database) => new Promise((resolve) => database.saveDatabase(resolve)));
    void Promise.all(saved).then((errors) => {
      if (errors.some(Boolean)) this.destroy();
      else end.apply(this, given);
    });
    return this;
  };
}
