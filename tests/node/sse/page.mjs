// The clients of the page. Loaded by the browser.

import { fetchEventSource } from '/fetch-event-source/index.js';
import { NAMES } from '/names.mjs';

export const inPage = {
  // The browser's own can set no header: the cookie goes along.
  'native EventSource': ({ url }, tell) => listen(new EventSource(url, { withCredentials: true }), tell),

  'event-source-polyfill': ({ url, headers }, tell) =>
    listen(new window.EventSourcePolyfill(url, { headers, withCredentials: true }), tell),

  'fetch-event-source'({ url, headers }, tell) {
    fetchEventSource(url, {
      headers,
      credentials: 'include',
      // Else it ends the stream of a hidden page and begins another when it is shown again.
      openWhenHidden: true,
      onmessage: ({ event, data, id }) => tell(event || 'message', data, id),
      // Else it takes the end of a stream as the end of all.
      onclose() {
        throw new Error('the stream has ended: go on');
      },
      onerror() {},
    });
  },
};

function listen(source, tell) {
  for (const name of NAMES) {
    source.addEventListener(name, (event) => tell(name, event.data, event.lastEventId));
  }
}
