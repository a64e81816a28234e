// Addresses inside the page. Each can be sent to somebody: it is all in the fragment.

const part = encodeURIComponent;

export const link = {
  overview: () => "#/",
  channel: (id) => `#/channels/${part(id)}`,
  event: (channel, event) => `#/channels/${part(channel)}/${part(event)}`,
  field: (channel, event, path) => `#/channels/${part(channel)}/${part(event)}/${part(path)}`,
  transport: (server) => `#/transports/${part(server)}`,
  endpoint: (server, endpoint) => `#/transports/${part(server)}/${part(endpoint)}`,
  errors: (name) => (name === undefined ? "#/errors" : `#/errors/${part(name)}`),
  access: () => "#/access",
  tryIt: (channel) => (channel === undefined ? "#/try" : `#/try/${part(channel)}`),
};

/** The parts of the fragment. */
export function route() {
  return location.hash.replace(/^#\/?/, "").split("/").filter((one) => one !== "").map(decode);
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
