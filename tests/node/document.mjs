// An AsyncAPI document whose messages can be checked, with a validator that is not ours.

import Ajv from 'ajv';
import addFormats from 'ajv-formats';

export class Document {
  #ajv = new Ajv({ strict: false, allErrors: true });
  #validators = new Map();

  /** `closed`: a field that the document does not describe is a fault too, so that nothing is sent that it does not say. */
  constructor(document, { closed = false } = {}) {
    addFormats(this.#ajv);
    // `contentEncoding` belongs to a later draft; the rest of the check does not need it.
    this.value = closed ? shut(document) : document;
    this.#ajv.addSchema({ ...this.value, $id: 'document' });
  }

  /** What is wrong with a payload by the message with this key in `components`; empty when nothing is. */
  faults(key, payload) {
    let validator = this.#validators.get(key);
    if (validator === undefined) {
      const pointer = key.replaceAll('~', '~0').replaceAll('/', '~1');
      validator = this.#ajv.compile({ $ref: `document#/components/messages/${encodeURI(pointer)}/payload` });
      this.#validators.set(key, validator);
    }
    return validator(payload) ? [] : validator.errors.map((error) => `${error.instancePath} ${error.message}`);
  }

  /** Keys of messages that a payload is valid against, out of some. */
  matches(keys, payload) {
    return keys.filter((key) => this.faults(key, payload).length === 0);
  }

  /** Keys of what the hub sends on a channel: unasked, and as answers. */
  sentOn(channel) {
    const keys = new Set();
    for (const operation of Object.values(this.value.operations)) {
      if (operation.channel.$ref !== `#/channels/${channel}`) continue;
      const lists = [operation.reply?.messages ?? [], operation.action === 'send' ? operation.messages : []];
      for (const { $ref } of lists.flat()) {
        const message = this.value.channels[channel].messages[$ref.split('/').pop()];
        keys.add(message.$ref.split('/').pop());
      }
    }
    return [...keys];
  }

  /** Every event type of every channel of the catalog, with its examples. */
  *events() {
    for (const [id, channel] of Object.entries(this.value.channels)) {
      if (id.startsWith('fanline.')) continue;
      for (const key of Object.keys(channel.messages)) {
        if (key.endsWith('.publish')) continue;
        const message = this.value.components.messages[key];
        yield { channel: id, key, type: message.name, publisher: message['x-fanline']?.publisher, examples: message.examples ?? [] };
      }
    }
  }
}

/** A copy in which objects have no fields but those described. */
function shut(value) {
  if (Array.isArray(value)) return value.map(shut);
  if (value === null || typeof value !== 'object') return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shut(inner)]));
  if (value.type === 'object' && typeof value.properties === 'object' && value.additionalProperties === undefined) {
    copy.additionalProperties = false;
  }
  return copy;
}
