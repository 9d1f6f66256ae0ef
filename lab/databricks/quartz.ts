// Quartz cron expressions as a workspace takes them: six or seven fields, seconds first, `?` in exactly one of
// day-of-month and day-of-week, Sunday is 1. croner computes the next time; this file says what Quartz would refuse.
// Source: the CronTrigger tutorial that the service's own error message names.

import { Cron } from 'croner';
import { invalid } from './errors.ts';

/** Highest value of each field, to write Quartz's `3/10` as the range that croner wants. */
const highest = [59, 59, 23, 31, 12, 7, 2099];

export interface CronSchedule {
  readonly quartz_cron_expression: string;
  readonly timezone_id: string;
}

/** Throws INVALID_PARAMETER_VALUE when the service would refuse the schedule. */
export function checkCron(schedule: CronSchedule): void {
  cronOf(schedule);
}

/** Wall time of the next firing after `afterMs`, or undefined when there is none. */
export function nextFiring(schedule: CronSchedule, afterMs: number): number | undefined {
  return cronOf(schedule).nextRun(new Date(afterMs))?.getTime();
}

function cronOf(schedule: CronSchedule): Cron {
  const expression = schedule.quartz_cron_expression;
  const fields = expression.trim().split(/\s+/);
  const questionMarks = [fields[3], fields[5]].filter((field) => field === '?').length;
  const elsewhere = fields.some((field, index) => field.includes('?') && index !== 3 && index !== 5);
  if (fields.length < 6 || fields.length > 7 || questionMarks !== 1 || elsewhere) throw refused(expression);
  if (!knownTimezone(schedule.timezone_id)) throw invalid(`Invalid timezone_id: ${schedule.timezone_id}`);
  const pattern = fields.map((field, index) => field.replace(/^(\d+)\//, `$1-${highest[index]}/`)).join(' ');
  try {
    return new Cron(pattern, { timezone: schedule.timezone_id, paused: true, alternativeWeekdays: true });
  } catch {
    throw refused(expression);
  }
}

function refused(expression: string): Error {
  return invalid(
    `Invalid quartz_cron_expression: ${expression}. Databricks uses Quartz cron syntax, which is different from the ` +
      'standard cron syntax.',
  );
}

function knownTimezone(timezone: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: timezone });
    return true;
  } catch {
    return false;
  }
}
