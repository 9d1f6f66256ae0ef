// How often a schedule would have fired in a span of time. Only computes; nothing is ever started from here.

import { Cron } from 'croner';
import type { Schedule } from '#connectors';

const firingsMax = 1_000;

/** Firings of a clock schedule in [fromMs, toMs), at most 1,000; 0 for schedules that no clock drives. */
export function firingsBetween(schedule: Schedule, span: { fromMs: number; toMs: number }): number {
  if (!schedule.cron) return 0;
  // Quartz says `?` where a field does not matter; croner reads `*` there.
  const expression = schedule.cron.expression.replaceAll('?', '*');
  const cron = new Cron(expression, { timezone: schedule.cron.timeZone, paused: true });
  let firings = 0;
  let next = cron.nextRun(new Date(span.fromMs - 1));
  while (next && next.getTime() < span.toMs && firings < firingsMax) {
    firings++;
    next = cron.nextRun(next);
  }
  return firings;
}
