// Keeps the pieces of a page current: the page's own address, asked as an event stream, sends those
// that changed. Elements are patched in place, so focus, selection and scrolling stay.
import { refresh, setClock } from "./times.js";

export function live(changed) {
  const connection = document.getElementById("connection");
  let source = null;
  let lostAt = null;

  function open() {
    if (source) return;
    source = new EventSource(location.pathname + location.search);
    source.addEventListener("now", (event) => {
      const clock = JSON.parse(event.data);
      setClock(clock.now_ms, clock.speed);
      say("");
    });
    source.addEventListener("piece", (event) => {
      // A page that came as its shape alone is whole now.
      if (document.querySelector("[data-reload]")) return location.reload();
      const { id, html } = JSON.parse(event.data);
      const element = document.getElementById(id);
      if (!element) return;
      const wanted = document.createElement("template");
      wanted.innerHTML = html;
      patchChildren(element, wanted.content);
      refresh(element);
      changed(id);
    });
    source.addEventListener("failed", (event) => say("Figures are not current", JSON.parse(event.data).detail));
    source.onerror = () => {
      say("Connection lost");
      if (source.readyState === EventSource.CLOSED) {
        close();
        setTimeout(() => document.hidden || open(), 3000);
      }
    };
  }

  function close() {
    source?.close();
    source = null;
  }

  function say(text, detail = "") {
    lostAt = text ? (lostAt ?? new Date()) : null;
    const since = lostAt ? ` since ${lostAt.toTimeString().slice(0, 8)}; trying again` : "";
    const shown = text ? text + since : "";
    if (connection.textContent !== shown) connection.textContent = shown;
    connection.title = detail;
  }

  // A browser opens few connections to one host: pages that nobody sees give theirs back.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  if (!document.hidden) open();
}

function patchChildren(from, to) {
  const byId = new Map();
  for (const child of from.children) if (child.id) byId.set(child.id, child);
  let place = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    let match = wanted.id ? byId.get(wanted.id) : place;
    if (!wanted.id && match && !alike(match, wanted)) match = null;
    if (!match) {
      from.insertBefore(wanted, place);
      continue;
    }
    if (match === place) place = place.nextSibling;
    else from.insertBefore(match, place);
    patch(match, wanted);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

const alike = (a, b) => a.nodeName === b.nodeName && !a.id;

function patch(from, to) {
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && name !== "open" && name !== "tabindex") from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (name !== "open" && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  patchChildren(from, to);
}
