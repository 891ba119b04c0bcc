// A large CSV file in slices of whole lines, each of which is a CSV file with the same header.
//
// Browsers send a body whole before they read an answer, unless over HTTP/2; the service answers
// while it reads. So each request is kept to what fits between the two.

const MOST_LINES = 20_000;
const MOST_CHARACTERS = 4 * 1024 * 1024;

/**
 * @typedef {object} Slice
 * @property {string} header
 * @property {string[]} lines  without their ends; blank ones are left out, as the service does
 * @property {number[]} numbers  each line's number in the file, from 1
 * @property {number} bytes  how much of the file was read so far
 */

/** The slices of a file (a Blob), as it is read. @returns {AsyncGenerator<Slice>} */
export async function* slicesOf(file) {
  let header = null;
  let slice = { lines: [], numbers: [] };
  let characters = 0;
  let number = 0;
  for await (const { line, bytes } of linesOf(file)) {
    number++;
    if (header === null) {
      header = line;
      continue;
    }
    if (!line.trim()) continue;
    slice.lines.push(line);
    slice.numbers.push(number);
    characters += line.length + 1;
    if (slice.lines.length === MOST_LINES || characters > MOST_CHARACTERS) {
      yield { header, ...slice, bytes };
      slice = { lines: [], numbers: [] };
      characters = 0;
    }
  }
  if (slice.lines.length || number <= 1) yield { header: header ?? "", ...slice, bytes: file.size };
}

async function* linesOf(file) {
  let rest = "";
  let bytes = 0;
  const decoder = new TextDecoder(); // drops a byte order mark
  const reader = file.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    bytes += value?.length ?? 0;
    const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
    rest = lines.pop();
    for (const line of lines) yield { line: line.replace(/\r$/, ""), bytes };
    if (done) break;
  }
  if (rest) yield { line: rest, bytes };
}

/**
 * The lines of a slice with their answers (lines of `prediction,lower,upper,error`) behind them.
 *
 * A line that is no CSV would swallow what follows it; cells that are empty stand in its place.
 */
export function answered({ header, lines }, answers) {
  const empty = ",".repeat(header.split(",").length - 1);
  return lines.map((line, index) => `${isWhole(line) ? line : empty},${answers[index]}\n`).join("");
}

const isWhole = (line) => (line.split('"').length - 1) % 2 === 0;

/** The sentence in the last cell of an answer, or an empty string. */
export function errorOf(answer) {
  const quoted = /"((?:[^"]|"")*)"$/.exec(answer);
  return quoted ? quoted[1].replaceAll('""', '"') : "";
}
