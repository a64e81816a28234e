// What a page tells of itself and of its network. Outside a browser nobody tells, and timers do all.

/** Calls `woken` when a connection may be had or be needed again, and `doubted` when it may be gone; returns how to stop. */
export function observePage(woken: () => void, doubted: () => void): () => void {
  if (typeof document === "undefined") return () => {};
  const shown = (): void => {
    if (!document.hidden) woken();
  };
  const observed: [EventTarget, string, () => void][] = [
    [window, "online", woken],
    [window, "offline", doubted],
    // A page that comes back from the cache of the browser has lost its connections without a word.
    [window, "pageshow", shown],
    [document, "visibilitychange", shown],
  ];
  const end = new AbortController();
  for (const [target, type, handler] of observed) target.addEventListener(type, handler, { signal: end.signal });
  return () => end.abort();
}
