// Times: relative while near, in the viewer's zone otherwise; exact UTC stays in data-utc.
const NEAR_MS = 7 * 86400e3;
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const root = document.documentElement;

let base = Number(root.dataset.now);
let speed = Number(root.dataset.speed);
let taken = performance.now();

// The product's clock, which may be a trial clock that stands still or runs at another speed.
export const now = () => base + speed * (performance.now() - taken);

export function setClock(nowMs, newSpeed) {
  base = nowMs;
  speed = newSpeed;
  taken = performance.now();
}

function relative(at, present) {
  const away = Math.floor(Math.abs(at - present) / 1000);
  if (away < 1) return "now";
  const [seconds, name] = UNITS.find(([unit]) => away >= unit);
  const text = `${Math.floor(away / seconds)} ${name}`;
  return at > present ? `in ${text}` : `${text} ago`;
}

const two = (n) => String(n).padStart(2, "0");
const day = (d) => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
const minute = (d) => `${two(d.getHours())}:${two(d.getMinutes())}`;

function offset(date) {
  const minutes = -date.getTimezoneOffset();
  const rest = Math.abs(minutes);
  if (!minutes) return "UTC";
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(rest / 60)}${rest % 60 ? ":" + two(rest % 60) : ""}`;
}

function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function refresh(within) {
  const present = now();
  for (const element of within.querySelectorAll("time[data-ms]")) {
    const at = Number(element.dataset.ms);
    const date = new Date(at);
    const near = Math.abs(at - present) < NEAR_MS;
    show(element, near ? relative(at, present) : `${day(date)} ${minute(date)}`);
  }
  for (const element of within.querySelectorAll("time[data-exact]")) {
    const date = new Date(element.dateTime);
    show(element, `${day(date)} ${minute(date)}:${two(date.getSeconds())} ${offset(date)}`);
  }
}

export function tick() {
  // Outside tables a time is a stop of the Tab key, so that its exact UTC can be seen; in tables
  // the row shows it.
  for (const element of document.querySelectorAll("time[data-utc]")) {
    if (!element.closest("td, a")) element.tabIndex = 0;
  }
  setInterval(() => document.hidden || refresh(document), 1000);
}
