/**
 * Inline commands: a line of words as somebody types them, in quotes or not, as Redis takes it
 * apart (its sdssplitargs).
 *
 *     SET "a b" 'it\'s'      double quotes know \n \r \t \b \a \xHH and \ before any other byte; single quotes know \' alone
 *
 * A closing quote ends its word: behind it comes a blank, or the end of the line. The line's first
 * NUL ends it.
 */

const BLANK = /[ \t\n\v\f\r]/;
/**
 * A word: its quoted parts and the others. Of the blanks that stand between words, it may hold FF
 * and VT.
 */
const WORD =
  /(?:"(?:[^"\\]|\\[^])*"(?![^ \t\n\v\f\r])|'(?:[^'\\]|\\[^])*'(?![^ \t\n\v\f\r])|[^"' \t\n\r])+/y;
const NAMED: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };

/**
 * The words of a line, one byte per character.
 *
 * @throws {Error} when a quote has no end, or a word goes on behind one
 */
export function splitWords(line: string): string[] {
  const text = line.replace(/\0.*/s, "");
  const words: string[] = [];
  for (let at = 0; ; at = WORD.lastIndex) {
    while (at < text.length && BLANK.test(text.charAt(at))) at++;
    if (at === text.length) return words;
    WORD.lastIndex = at;
    const word = WORD.exec(text)?.[0];
    if (word === undefined || !/^[ \t\n\v\f\r]?$/.test(text.charAt(WORD.lastIndex)))
      throw new Error("unbalanced quotes in request");
    words.push(word.replace(/"((?:[^"\\]|\\[^])*)"|'((?:[^'\\]|\\[^])*)'/g, unquote));
  }
}

function unquote(_: string, double: string | undefined, single: string | undefined): string {
  if (double === undefined) return (single ?? "").replaceAll("\\'", "'");
  return double.replace(
    /\\(?:x([0-9a-fA-F]{2})|([^]))/g,
    (__, hex: string | undefined, other: string) =>
      hex === undefined ? (NAMED[other] ?? other) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
