// Splits a large CSV file into chunks of whole lines, each sent as a CSV body with the same header.
//
// The service streams its response while it reads the request, but over HTTP/1.1 a browser sends
// the whole body before it reads the response. A chunk must fit into the buffers between the two.

const MAX_LINES = 20_000;
const MAX_CHARACTERS = 4 * 1024 * 1024;

/**
 * @typedef {object} Chunk
 * @property {string} header
 * @property {string[]} lines  without line endings; blank lines are skipped, as in the service
 * @property {number[]} numbers  the line number of each line in the file, from 1
 * @property {number} bytes  the number of bytes of the file read so far
 */

/** Read a file (a Blob) in chunks. @returns {AsyncGenerator<Chunk>} */
export async function* readChunks(file) {
  let header = null;
  let chunk = { lines: [], numbers: [] };
  let characters = 0;
  let number = 0;
  for await (const { line, bytes } of readLines(file)) {
    number++;
    if (header === null) {
      header = line;
      continue;
    }
    if (!line.trim()) continue;
    chunk.lines.push(line);
    chunk.numbers.push(number);
    characters += line.length + 1;
    if (chunk.lines.length === MAX_LINES || characters > MAX_CHARACTERS) {
      yield { header, ...chunk, bytes };
      chunk = { lines: [], numbers: [] };
      characters = 0;
    }
  }
  if (chunk.lines.length || number <= 1) yield { header: header ?? "", ...chunk, bytes: file.size };
}

async function* readLines(file) {
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
 * Append to each line of a chunk its result, a line of `prediction,lower,upper,error`.
 *
 * A line with an unclosed quote is replaced by empty cells, because it would swallow the lines
 * after it.
 */
export function appendResults({ header, lines }, results) {
  const emptyCells = ",".repeat(header.split(",").length - 1);
  return lines
    .map((line, index) => `${quotesAreClosed(line) ? line : emptyCells},${results[index]}\n`)
    .join("");
}

const quotesAreClosed = (line) => (line.split('"').length - 1) % 2 === 0;

/** The error message in the last cell of a result, or an empty string. */
export function errorOf(result) {
  const quoted = /"((?:[^"]|"")*)"$/.exec(result);
  return quoted ? quoted[1].replaceAll('""', '"') : "";
}
