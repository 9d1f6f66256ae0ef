// Region mapping: text that names a region's own things (storage URLs, node types, ids) is written as a token in the
// neutral form and as the site's own text in each workspace.

import { isRecord, type Site } from '#base';

export interface RegionMap {
  /** A site's text in neutral form. */
  toNeutral(site: Site, text: string): string;
  /** Neutral text as a site writes it. */
  toSite(site: Site, text: string): string;
}

/**
 * Neutral text holds `{{understudy:region:N}}` where N is the pair's place in the stamp. It is a token and not home's text,
 * so that home's text found at the partner shows as a difference instead of being taken for mapped.
 */
export function regionMap(pairs: readonly Readonly<Record<Site, string>>[]): RegionMap {
  const patterns = { home: patternOf(pairs, 'home'), partner: patternOf(pairs, 'partner') };
  return {
    toNeutral: (site, text) => {
      const pattern = patterns[site];
      if (!pattern) return text;
      return text.replace(pattern, (found) => tokenOf(pairs.findIndex((pair) => pair[site] === found)));
    },
    toSite: (site, text) =>
      text.replace(/\{\{understudy:region:(\d+)\}\}/g, (token, index: string) => pairs[Number(index)]?.[site] ?? token),
  };
}

function tokenOf(index: number): string {
  return `{{understudy:region:${index}}}`;
}

/** All texts of a site at once, the longest first, so that one inside another never wins. */
function patternOf(pairs: readonly Readonly<Record<Site, string>>[], site: Site): RegExp | undefined {
  if (pairs.length === 0) return undefined;
  const texts = pairs.map((pair) => pair[site]).toSorted((a, b) => b.length - a.length);
  return new RegExp(texts.map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|'), 'g');
}

/** The same value with every string, and every name of a member, passed through `map`; `keep` members stay as they are. */
export function mapTexts(value: unknown, map: (text: string) => string, keep: (member: string) => boolean): unknown {
  if (typeof value === 'string') return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map, keep));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([member, item]) =>
      keep(member) ? [member, item] : [map(member), mapTexts(item, map, keep)],
    ),
  );
}
