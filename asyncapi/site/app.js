// The docs site: reads the AsyncAPI document once, then shows the page that the fragment of the address names.

import { channelPage } from "./channel-page.js";
import { announce, h } from "./dom.js";
import { link, route } from "./links.js";
import { Model } from "./model.js";
import { accessPage, errorsPage, overviewPage } from "./reference-pages.js";
import { connectSearch } from "./search.js";
import { connectTheme } from "./theme.js";
import { transportPage } from "./transport-page.js";
import { leaveTryPage, tryPage } from "./try-page.js";

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const menu = document.getElementById("menu");
const source = document.querySelector('link[rel="describedby"]').getAttribute("href");

connectTheme(document.getElementById("theme"));
menu.addEventListener("click", () => openMenu(menu.getAttribute("aria-expanded") !== "true"));
start();

async function start() {
  let model;
  try {
    const answer = await fetch(source);
    if (!answer.ok) throw new Error(`the hub answers ${answer.status}`);
    model = new Model(await answer.json());
  } catch (error) {
    main.replaceChildren(h("p", { class: "warning", role: "alert" }, `The document cannot be read: ${error.message}`));
    return;
  }
  document.title = model.info.title ?? "Events";
  document.getElementById("title").textContent = model.info.title ?? "Events";
  document.getElementById("version").textContent = model.info.version ?? "";
  drawContents(model);
  connectSearch(model);
  let shown = null;
  const show = () => {
    const parts = route();
    const page = parts.slice(0, 2).join("/");
    // Another place on the same page is a jump, not a new page.
    if (page !== shown || parts[0] === "try") {
      if (shown?.startsWith("try")) leaveTryPage();
      draw(model, parts);
      if (shown !== null) {
        main.focus({ preventScroll: true });
        window.scrollTo(0, 0);
        announce(document.title);
      }
      shown = page;
    }
    jump(parts);
    markContents();
    openMenu(false);
  };
  window.addEventListener("hashchange", show);
  show();
  document.documentElement.dataset.ready = "true";
  performance.mark("fanline-docs-ready");
}

function draw(model, [first, second]) {
  const pages = {
    channels: () => {
      const channel = model.channel(second);
      return channel && { title: channel.title, content: channelPage(model, channel) };
    },
    transports: () => {
      const server = model.servers.find((one) => one.id === second);
      return server && { title: server.title ?? server.id, content: transportPage(model, server) };
    },
    errors: () => ({ title: "Errors and close codes", content: errorsPage(model) }),
    access: () => ({ title: "Access", content: accessPage(model) }),
    try: () => ({ title: "Try it", content: tryPage(model, second) }),
  };
  // The address is anybody's: `#/constructor` is no page, though every object has one.
  const known = Object.hasOwn(pages, first ?? "") ? pages[first]() : undefined;
  const page = first === undefined ? { title: null, content: overviewPage(model) } : known;
  const { title, content } = page ?? { title: "Not found", content: [h("h1", {}, "Not found"), h("p", {}, "The document has nothing of this name. ", h("a", { href: link.overview() }, "Overview"))] };
  document.title = title ? `${title} · ${model.info.title}` : model.info.title;
  main.replaceChildren(...content.flat(Infinity).filter(Boolean));
  for (const anchor of main.querySelectorAll("[data-document]")) {
    anchor.href = source.replace(/json$/, anchor.dataset.document);
  }
}

/** Brings the event, field, endpoint or reason that the address names into view. */
function jump([first, second, third, fourth]) {
  main.querySelectorAll(".target").forEach((element) => element.classList.remove("target"));
  const find = (attribute, value, inside = main) => [...inside.querySelectorAll(`[${attribute}]`)].find((element) => element.getAttribute(attribute) === value);
  let element;
  if (first === "channels" && third !== undefined) {
    element = find("data-event", third);
    if (element && fourth !== undefined) element = find("data-field", fourth, element) ?? element;
  } else if (first === "transports" && third !== undefined) {
    element = find("data-endpoint", third);
  } else if (first === "errors" && second !== undefined) {
    element = find("data-name", second);
  }
  if (!element) return;
  element.classList.add("target");
  element.scrollIntoView({ block: "start" });
  element.tabIndex = -1;
  element.focus({ preventScroll: true });
}

function drawContents(model) {
  const item = (href, ...children) => h("li", {}, h("a", { href }, ...children));
  const group = (title, items) => items.length > 0 && [h("h2", {}, title), h("ul", {}, items)];
  const live = (model.about.tryIt ?? "off") !== "off";
  nav.replaceChildren(...[
    h("ul", {}, item(link.overview(), "Overview"), live && item(link.tryIt(), "Try it")),
    group("Channels", model.channels.map((channel) => h("li", {},
      h("a", { href: link.channel(channel.id) }, channel.title),
      channel.events.length > 0 && h("ul", { class: "events" }, channel.events.map((event) =>
        item(link.event(channel.id, event.key), event.name)))))),
    group("Transports", model.servers.map((server) => item(link.transport(server.id), server.title ?? server.id))),
    group("Reference", [item(link.access(), "Access"), item(link.errors(), "Errors and close codes")]),
  ].flat(Infinity).filter(Boolean));
}

function markContents() {
  const here = location.hash === "" ? "#/" : location.hash;
  const links = [...nav.querySelectorAll("a")];
  // The longest address that leads here: a field belongs to its event.
  const best = links.filter((one) => here === one.hash || (one.hash !== "#/" && here.startsWith(`${one.hash}/`)))
    .sort((left, right) => right.hash.length - left.hash.length)[0];
  for (const one of links) {
    if (one === best) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  const open = best?.closest("nav > ul > li");
  nav.querySelectorAll(":scope > ul > li").forEach((one) => one.classList.toggle("open", one === open));
  best?.scrollIntoView({ block: "nearest" });
}

function openMenu(open) {
  menu.setAttribute("aria-expanded", String(open));
  nav.classList.toggle("open", open);
}
