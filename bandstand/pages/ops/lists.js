// Small things that all parts draw with. Text nodes only; what is on the page already is changed in place, so that a
// keyboard's place and a reader's eye are not lost each second.

import { make } from "/app/words.js";

// keyed(list, items, key, create(item) -> element, update(element, item)): the list shows the items in their order.
export function keyed(list, items, key, create, update = () => {}) {
  const kept = (list.kept ??= new Map());
  const wanted = new Set(items.map(key));
  for (const [name, element] of kept) {
    if (wanted.has(name)) continue;
    element.remove();
    kept.delete(name);
  }
  items.forEach((item, at) => {
    const name = key(item);
    let element = kept.get(name);
    if (!element) {
      element = create(item);
      kept.set(name, element);
    }
    update(element, item);
    if (list.children[at] !== element) list.insertBefore(element, list.children[at] ?? null);
  });
}

export const button = (label, click, more = {}) => make("button", { type: "button", class: "small", click, ...more }, label);
export const name = (text) => make("bdi", {}, text || "somebody");
const whole = new Intl.NumberFormat("en");
const parts = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export function figure(value) {
  if (!Number.isFinite(value)) return "–";
  return Math.abs(value) < 100 ? parts.format(value) : whole.format(Math.round(value));
}

export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  const step = value >= 1e9 ? [1e9, "GB"] : value >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  return `${figure(value / step[0])} ${step[1]}`;
}

export function lasting(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${figure(seconds / 3600)} h` : `${figure(seconds / 86_400)} d`;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
export const clockTime = (unix) => (Number.isFinite(unix) ? clock.format(new Date(unix * 1000)) : "");

export const dayTime = (unix) => (Number.isFinite(unix) ? `${new Date(unix * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clockTime(unix)}` : "never");

// The hour, and the day too where it is another one.
export const hourOf = (unix) => (new Date(unix * 1000).toDateString() === new Date().toDateString() ? clockTime(unix) : dayTime(unix));

// An order's arguments in words; of an alert, what tells it from others.
export function aboutOf(args) {
  if (args.headline && args.status) return `${args.status}, ${args.severity}: ${args.headline}`;
  return Object.entries(args)
    .map(([key, value]) => `${key} ${value !== null && typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(", ");
}

// A file that the browser saves.
export function save(filename, text, type = "application/x-ndjson") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = make("a", { href: address, download: filename });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// A person is not so quick: an order given meanwhile is not told to wait for what is read here.
const PAGE_PAUSE_MS = 60;

// All pages of a read that answers {items, more, next}, however many; heard(count) after each.
export async function allPages(read, heard = () => {}) {
  const items = [];
  for (let after = null; ; ) {
    const detail = await read(after === null ? {} : { after });
    items.push(...(detail.items ?? []));
    heard(items.length);
    if (!detail.more) return items;
    if ((detail.next ?? after) === after) throw new Error("the server tells the same page again");
    after = detail.next;
    await new Promise((done) => setTimeout(done, PAGE_PAUSE_MS));
  }
}
