// Reads `text/event-stream` (HTML standard, section 9.2.6) from pieces that may be cut anywhere.

/** What stood between two empty lines. */
export interface Block {
  event: string;
  data: string;
  /** In milliseconds. */
  retry: number | undefined;
}

/** A line longer than this, in characters, is no event of the hub. */
const LINE_MAX = 8 * 1024 * 1024;

/** A function that takes the next piece of text and calls `dispatch` for each block that it completes. */
export function eventStream(dispatch: (block: Block) => void): (piece: string) => void {
  let rest = "";
  let block = empty();
  let lines: string[] = [];

  const field = (line: string): void => {
    if (line === "") {
      block.data = lines.join("\n");
      if (block.event !== "" || lines.length > 0) dispatch(block);
      block = empty();
      lines = [];
      return;
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line) as unknown as [string, string, string];
    if (name === "data") lines.push(value);
    else if (name === "event") block.event = value;
    else if (name === "retry" && /^\d+$/.test(value)) block.retry = Number(value);
  };

  return (piece) => {
    // A CR at the very end may be half of a CRLF: it waits for the next piece.
    const complete = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = complete.pop()!;
    complete.forEach(field);
    if (rest.length > LINE_MAX) throw new RangeError("a line is too long");
  };
}

function empty(): Block {
  return { event: "", data: "", retry: undefined };
}
