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
    for (const handler of this.#handlers) tell(handler, value);
  }
}

/** Calls a handler of the application. What it throws is shown, as the browser does for its own events. */
export function tell<T>(handler: (value: T) => void, value: T): void {
  try {
    handler(value);
  } catch (thrown) {
    if (typeof reportError === "function") reportError(thrown);
    else console.error(thrown);
  }
}
