// The keyboard: / searches, g then a letter goes to a page, arrows walk the rows of a table,
// Enter opens (a row's link has the focus), Esc leaves a field, then the menu, then the thing shown.
const GO_MS = 1500;

export function keys() {
  let going = 0;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.closest("input, textarea, select");
    if (event.key === "Escape") return leave(event, field);
    if (field) return;
    if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select?.();
      }
      return;
    }
    if (Date.now() - going < GO_MS) {
      going = 0;
      document.body.classList.remove("keys");
      const link = document.querySelector(`nav [data-letter="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        link.click();
      }
      return;
    }
    if (event.key === "g") {
      going = Date.now();
      document.body.classList.add("keys");
      setTimeout(() => document.body.classList.remove("keys"), GO_MS);
      return;
    }
    walk(event);
  });
}

function leave(event, field) {
  if (field) return field.blur();
  if (location.hash === "#nav") {
    location.hash = "#main";
    return;
  }
  document.querySelector("[data-close]")?.click();
}

function walk(event) {
  const row = event.target.closest("table.rows tbody tr");
  if (!row) return;
  const rows = [...row.parentElement.children].filter((one) => one.querySelector("a"));
  const at = rows.indexOf(row);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  rows[Math.min(Math.max(to, 0), rows.length - 1)].querySelector("a").focus();
}
