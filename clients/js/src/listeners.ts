// Handlers of the application. One that throws hurts neither the others nor the connection.

export class Listeners<T> {
  readonly #handlers = new Set<(value: T) => void>();

  /** Adds a handler, once however often it is added; the function that is returned takes it out again. */
  add(handler: (value: T) => void): () => void {
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  get size(): number {
    return this.#handlers.size;
  }

  emit(value: T): void {
    for (const handler of this.#handlers) {
      try {
        handler(value);
      } catch (thrown) {
        // As the browser does for its own events: it is a fault of the page and is shown as such.
        if (typeof reportError === "function") reportError(thrown);
        else console.error(thrown);
      }
    }
  }
}
