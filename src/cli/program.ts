// The command line: what is offered, with which options. One file per command in commands/.

import { Command, CommanderError, Option } from 'commander';
import { Failure } from '#base';
import { abort } from './commands/abort.ts';
import { approve } from './commands/approve.ts';
import { assessStamp } from './commands/assess.ts';
import { check } from './commands/check.ts';
import { drift } from './commands/drift.ts';
import { evidenceRegister, evidenceVerify } from './commands/evidence.ts';
import { lab } from './commands/lab.ts';
import { map } from './commands/map.ts';
import { resume } from './commands/resume.ts';
import { runs } from './commands/runs.ts';
import { serve } from './commands/serve.ts';
import { startRun, type StartOptions } from './commands/start-run.ts';
import { status } from './commands/status.ts';
import { sync } from './commands/sync.ts';
import type { CliWorld, StampOptions } from './context.ts';
import type { ExitCode } from './exit-code.ts';
import { printJson } from './print.ts';

/** Runs one command; resolves to its exit code and never rejects. */
export async function runCli(args: readonly string[], world: CliWorld): Promise<ExitCode> {
  let code: ExitCode = 0;
  const program = buildProgram(world, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    return reportError(error, args.includes('--json'));
  }
}

function reportError(error: unknown, json: boolean): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const failure = error instanceof Failure ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  if (json) printJson({ error: { code: failure?.code ?? 'UNEXPECTED', message, hint: failure?.hint ?? null } });
  process.stderr.write(`understudy: ${message}\n`);
  if (failure?.hint !== undefined) process.stderr.write(`  → ${failure.hint}\n`);
  return failure?.code === 'USAGE' ? 2 : 1;
}

function buildProgram(world: CliWorld, done: (code: ExitCode) => void): Command {
  const program = new Command('understudy')
    .description('Disaster recovery for GenAI stamps: see docs/ for guides.')
    .exitOverride()
    .showHelpAfterError('(see `understudy --help`)');
  const ending =
    <A extends unknown[]>(action: (...args: A) => Promise<ExitCode>) =>
    async (...args: A): Promise<void> =>
      done(await action(...args));
  const command = (name: string, description: string, parent = program): Command =>
    parent.command(name).description(description).option('--json', 'print JSON').exitOverride();
  const stamped = (name: string, description: string, parent = program): Command =>
    command(name, description, parent).option('--stamp <file>', 'the stamp (default: ./stamp.yaml, then the lab’s)');
  const acting = (name: string, description: string): Command =>
    stamped(name, description)
      .option('--as <person>', 'who is acting')
      .option('--key <file>', 'that person’s private key (PEM)');

  program
    .command('lab')
    .description('start a two-region stamp on this machine; `understudy lab help` for more')
    .allowUnknownOption()
    .helpOption(false)
    .argument('[args...]')
    .action(ending((args: string[]) => lab(args)));
  command('check', 'check a stamp file')
    .argument('[file]', 'the stamp file', 'stamp.yaml')
    .option('--schema', 'print the JSON Schema of stamp files instead')
    .action(ending((file: string, options: { json?: boolean; schema?: boolean }) => check(file, options)));
  stamped('map', 'the dependencies of the stamp and what must be up first').action(
    ending((options: StampOptions) => map(options, world)),
  );
  stamped('assess', 'what would stop a failover now: read-only, from the stamp alone').action(
    ending((options: StampOptions) => assessStamp(options, world)),
  );
  acting('status', 'roles, lease, lag, and what blocks a failover').action(
    ending((options: StampOptions) => status(options, world)),
  );
  acting('drift', 'what differs between the regions').action(ending((options: StampOptions) => drift(options, world)));
  acting('sync', 'bring the standby up to date')
    .option('--record-canary', 'record the canary’s baseline at the active region')
    .action(ending((options: StampOptions & { recordCanary?: boolean }) => sync(options, world)));
  for (const [kind, description] of [
    ['drill', 'rehearse the gates; production stays as it is'],
    ['switchover', 'planned move to the other region'],
    ['failover', 'unplanned move: the active region is lost'],
    ['failback', 'move back home'],
  ] as const) {
    acting(kind, description)
      .option('--reason <text>', 'why')
      .option('--incident-ago <duration>', 'how long ago the incident began, e.g. 5m')
      .addOption(acceptDouble())
      .option('--detach', 'do not follow the run')
      .action(ending((options: StartOptions) => startRun(kind, options, world)));
  }
  acting('approve', 'approve a run as one person')
    .argument('<run>')
    .option('--comment <text>', 'why')
    .option('--reject', 'reject it: the run is aborted')
    .option('--override <step>', 'pass over the verdict of this gate; two people are needed')
    .action(ending((run: string, options: StampOptions & { comment?: string }) => approve(run, options, world)));
  acting('resume', 'go on with a stopped run')
    .argument('<run>')
    .addOption(acceptDouble())
    .action(ending((run: string, options: StampOptions & { acceptDouble?: string[] }) => resume(run, options, world)));
  acting('abort', 'end a run; until traffic moved the fence is undone')
    .argument('<run>')
    .option('--reason <text>', 'why')
    .action(ending((run: string, options: StampOptions & { reason?: string }) => abort(run, options, world)));
  acting('runs', 'list runs, or show one')
    .argument('[run]')
    .action(ending((run: string | undefined, options: StampOptions) => runs(run, options, world)));
  const evidence = program.command('evidence').description('verify evidence').exitOverride();
  command('verify', 'verify evidence files', evidence)
    .argument('<files...>')
    .option('--trusted <file>', 'the seal’s public key (PEM) that you trust')
    .action(ending((files: string[], options: StampOptions & { trusted?: string }) => evidenceVerify(files, options)));
  stamped('register', 'verify the register of all runs and every file it names', evidence).action(
    ending((options: StampOptions) => evidenceRegister(options, world)),
  );
  stamped('serve', 'run one part of the stamp: controller, home or partner')
    .addArgument(program.createArgument('<part>').choices(['controller', 'home', 'partner']))
    .action(ending((part: 'controller' | 'home' | 'partner', options: StampOptions) => serve(part, options, world)));
  return program;
}

function acceptDouble(): Option {
  const text = 'accept that this job may have run in both regions; may be given several times';
  return new Option('--accept-double <job=reason>', text).argParser(collect);
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}
