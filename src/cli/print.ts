// How the CLI prints: JSON for programs, short aligned lines for people.

import { formatDuration, type Finding, type Verdict } from '#base';

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

const colours = { pass: 32, inconclusive: 33, error: 35, fail: 31 } as const;
const marks: Record<Verdict, string> = { pass: '✔', inconclusive: '?', error: '!', fail: '✘' };

export function paint(text: string, colour: number): string {
  return process.stdout.isTTY && process.env['NO_COLOR'] === undefined ? `\u001b[${colour}m${text}\u001b[0m` : text;
}

export function mark(verdict: Verdict): string {
  return paint(marks[verdict], colours[verdict]);
}

export function printFindings(findings: readonly Finding[]): void {
  for (const finding of findings) {
    print(`${mark(finding.verdict)} ${finding.subject}: ${finding.detail}`);
    if (finding.mend !== undefined && finding.verdict !== 'pass') print(`    → ${finding.mend}`);
  }
}

/** Rows with their columns aligned. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  print(paint(line(header), 2));
  for (const row of rows) print(line(row));
}

/** Every lab time is printed beside the time predicted for Azure. */
export function besideAzure(seconds: number | null, azureSeconds: number | null): string {
  const here = seconds === null ? '—' : formatDuration(seconds * 1_000);
  return `${here} here, ${azureSeconds === null ? 'not declared' : formatDuration(azureSeconds * 1_000)} predicted in Azure`;
}
