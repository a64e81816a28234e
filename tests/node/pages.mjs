// The server of a page's own files, at the origin that a hub was told to let in.

import { once } from 'node:events';
import { createServer } from 'node:http';

/** `find` gives the type and the text at a path, or nothing. */
export async function servePages(port, find) {
  const server = createServer(async (request, response) => {
    const [type, body] = (await find(request.url)) ?? [undefined, 'there is nothing here'];
    response.writeHead(type === undefined ? 404 : 200, { 'content-type': type ?? 'text/plain' }).end(body);
  });
  server.listen(Number(port), '127.0.0.1');
  await once(server, 'listening');
  return server;
}
