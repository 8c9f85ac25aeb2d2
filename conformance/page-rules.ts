// The rules of PROTOCOL.md: each has a number, and a name by which vectors cite it.

/** A rule as the page has it. */
export interface PageRule {
  readonly section: number;
  readonly number: number;
  readonly name: string;
}

/** The rules in the order of the page. */
export function pageRules(page: string): PageRule[] {
  return Array.from(
    page.matchAll(/^- \*\*(\d+)\.(\d+)\*\* `([a-z0-9-]+)` /gm),
    ([, section, number, name = ""]) => ({
      section: Number(section),
      number: Number(number),
      name,
    }),
  );
}
