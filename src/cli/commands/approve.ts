// `understudy approve`: one person’s signed decision about one plan.

import { Failure, formatEpoch } from '#base';
import { signStatement } from '#control';
import type { ApprovalStatement } from '#run';
import { milliseconds, type StepId } from '#stamp';
import { actAs, openStamp, type CliWorld, type StampOptions } from '../context.ts';
import type { ExitCode } from '../exit-code.ts';
import type { RunView } from '../follow.ts';
import { mark, print, printJson } from '../print.ts';

export async function approve(
  run: string,
  options: StampOptions & { comment?: string; reject?: boolean; override?: string },
  world: CliWorld,
): Promise<ExitCode> {
  const context = await openStamp(options, world);
  if (options.as === undefined && world.environment['UNDERSTUDY_AS'] === undefined) {
    throw new Failure('PERSON_NEEDED', 'an approval is personal: say who approves', { hint: '`--as PERSON`' });
  }
  const acting = await actAs(context, options, world, 'approve');
  const view = (await acting.client.get(`/api/runs/${run}`)) as RunView;
  const statement: ApprovalStatement = {
    run,
    planHash: view.planHash,
    epoch: formatEpoch(view.epochBefore),
    decision: options.reject ? 'reject' : 'approve',
    expiresAtMs: world.clock.wallMs() + milliseconds(context.stamp.approvals.expiry),
    comment: options.comment ?? '',
    ...(options.override === undefined ? {} : { override: options.override as StepId }),
  };
  const signed = signStatement(statement, acting);
  const after = (await acting.client.post(`/api/runs/${run}/approvals`, signed)) as RunView;
  if (options.json) printJson(after);
  else
    print(
      `${mark('pass')} ${acting.person}: ${statement.decision}${options.override ? ` passing over ${options.override}` : ''} of ${run}`,
    );
  return 0;
}
