// Requests of clients that receive over HTTP (`POST /v1/publish`, `POST /v1/call`, `GET /v1/presence`, `GET /v1/history`).

import { disconnected } from "./errors.js";
import { errorOf, read, send, type Problem } from "./http.js";
import type { Surroundings } from "./link.js";
import type { Answer, Request } from "./wire.js";

const JSON_TYPE = "application/json";
const LINES_TYPE = "application/x-ndjson";

/** Sends a request. A streamed reply goes to `onPart` as it comes, all but the last. */
export async function request(
  surroundings: Surroundings,
  token: string | undefined,
  { op, ...fields }: Request,
  signal: AbortSignal,
  onPart?: (data: unknown) => void,
): Promise<Answer> {
  if (op === "presence" || op === "history") {
    const given = Object.entries(fields).filter(([, value]) => value !== undefined);
    const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    const response = await send(surroundings, token, `v1/${op}?${query}`, { signal });
    return (await response.json()) as Answer;
  }
  const response = await send(surroundings, token, `v1/${op}`, {
    method: "POST",
    signal,
    body: JSON.stringify(fields),
    headers: { "content-type": JSON_TYPE, accept: onPart ? LINES_TYPE : JSON_TYPE },
  });
  return onPart ? lastLine(response, onPart) : ((await response.json()) as Answer);
}

async function lastLine(response: Response, onPart: (data: unknown) => void): Promise<Answer> {
  let rest = "";
  let last: Answer = { more: true };
  let isFirst = true;
  await read(response, (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (!isFirst) onPart(last["data"]);
      isFirst = false;
      last = JSON.parse(line) as Answer;
    }
  });
  if (last["more"] === true) throw disconnected();
  // The head was sent long ago: what fails after the first part says so in the place of the last.
  const problem: Problem = last;
  if (problem.reason !== undefined) throw errorOf(problem, problem.status);
  return last;
}
