// Making elements. What a document says is put into the page as text only, never as markup.

/** An element: `h("a", { href, class: "x", onclick }, "text", child)`. Children that are null or false are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Says something to those who do not see the page. */
export function announce(text) {
  document.getElementById("announce").textContent = text;
}

/** A button that copies a text and says so. */
export function copyButton(text, label = "Copy") {
  const button = h("button", { type: "button", class: "copy", onclick: copy }, label);
  async function copy() {
    const written = typeof text === "function" ? text() : text;
    try {
      await navigator.clipboard.writeText(written);
      button.textContent = "Copied";
      announce("Copied");
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  }
  return button;
}

let ids = 0;
/** An id that no other element of the page has. */
export const freshId = (prefix) => `${prefix}-${++ids}`;

/**
 * Tabs after the pattern of WAI-ARIA: arrows move, Home and End jump, one tab is in the order of the Tab key.
 * `tabs` is a list of `{ name, content }`, where content is called when the tab is first shown.
 */
export function tabs(label, list, { chosen = 0, onchange } = {}) {
  const made = list.map(({ name, content }) => {
    const [tabId, panelId] = [freshId("tab"), freshId("panel")];
    const tab = h("button", { type: "button", role: "tab", id: tabId, "aria-controls": panelId }, name);
    const panel = h("div", { role: "tabpanel", id: panelId, "aria-labelledby": tabId, tabindex: 0 });
    return { name, content, tab, panel, filled: false };
  });
  const select = (index, focus) => {
    made.forEach((one, at) => {
      const on = at === index;
      one.tab.setAttribute("aria-selected", String(on));
      one.tab.tabIndex = on ? 0 : -1;
      one.panel.hidden = !on;
      if (on && !one.filled) {
        one.panel.append(...[one.content()].flat());
        one.filled = true;
      }
    });
    if (focus) made[index].tab.focus();
    onchange?.(made[index].name);
  };
  const tablist = h("div", { role: "tablist", "aria-label": label, onkeydown: (event) => {
    const at = made.findIndex((one) => one.tab === document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: made.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    select((to + made.length) % made.length, true);
  } }, made.map((one, index) => {
    one.tab.addEventListener("click", () => select(index, false));
    return one.tab;
  }));
  select(Math.max(0, Math.min(chosen, made.length - 1)), false);
  return h("div", { class: "tabs" }, tablist, made.map((one) => one.panel));
}
