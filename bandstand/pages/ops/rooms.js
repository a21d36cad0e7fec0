// All rooms there are; and their table: any column sorts, a filter narrows, a row opens the room's drawer.

import { byId, make, setText, titled } from "/app/words.js";
import { allPages, button, clockTime, figure, keyed } from "./lists.js";

const MOST = 300;
const UNMEASURED = -1; // Sorts below whatever was measured.
const inOrder = new Intl.Collator().compare;
const READ_MS = 30_000; // The rooms in trouble and the busiest come each second anyhow.
const AGAIN_MS = 5_000;
const COLUMNS = [
  ["room", "Room", (row) => row.title || row.room],
  ["online", "People", (row) => row.online ?? 0],
  ["messages_per_s", "Msg/s", (row) => row.messages_per_s ?? 0],
  ["deliveries_per_s", "Deliv/s", (row) => row.deliveries_per_s ?? 0],
  ["p99_ms", "p99 ms", (row) => row.p99_ms ?? UNMEASURED],
  ["behind", "Behind", (row) => row.behind ?? 0],
  ["zone", "Zone", (row) => row.zone ?? ""],
  ["state", "State", (row) => stateOf(row)],
];

export function stateOf(row) {
  const words = [];
  if (row.state && row.state !== "up" && row.state !== "asleep") words.push(row.state);
  if (row.frozen) words.push("frozen");
  if (row.closed && row.state !== "closed") words.push("closed");
  if (row.slow_s) words.push(`slow ${figure(row.slow_s)} s`);
  return words.join(", ") || (row.state === "asleep" ? "asleep" : "open");
}

export const roomWords = (row) => `${row.room} ${row.title ?? ""} ${row.zone ?? ""} ${stateOf(row)}`.toLowerCase();

// Of a large house a snapshot brings the rooms in trouble and the busiest; the others are asked for, page by page, while
// somebody looks. rows: all that are known, the live ones first. old: how many of them are as of `at`. missing: how many
// are known by nothing but their number.
export class Census {
  constructor(desk) {
    Object.assign(this, { desk, rows: [], old: 0, missing: 0, at: null, problem: "", live: [], total: 0, listed: [], due: 0, tell: new Set() });
    desk.watch("rooms", (frame) => frame.refused || this.take(frame));
  }

  take({ rooms = [], more = 0 }) {
    this.live = rooms;
    this.total = rooms.length + more;
    if (!more) this.listed = [];
    this.sum();
    const due = this.missing ? this.due - READ_MS + AGAIN_MS : this.due;
    if (more && Date.now() >= due && this.wanted) this.read();
  }

  get wanted() {
    return !document.hidden && (!byId("view-overview").hidden || byId("raise").open);
  }

  sum() {
    const live = new Set(this.live.map((row) => row.room));
    const rest = this.listed.filter((row) => !live.has(row.room)).map((row) => ({ ...row, old: true }));
    this.rows = [...this.live, ...rest];
    this.old = rest.length;
    this.missing = Math.max(0, this.total - this.rows.length);
    this.tell.forEach((tell) => tell());
  }

  async read() {
    this.due = Infinity;
    try {
      this.listed = await allPages((more) => this.desk.read("room.list", { limit: 200, ...more }));
      Object.assign(this, { at: this.desk.now / 1000, due: Date.now() + READ_MS, problem: "" });
    } catch (error) {
      Object.assign(this, { due: Date.now() + READ_MS, problem: error.message || "the connection was lost" });
    }
    this.sum();
  }

  // In words, what of it is not the present; "" when all is.
  says() {
    const missing = !this.missing ? "" : this.problem ? `${figure(this.missing)} more rooms could not be read: ${this.problem}.` : `${figure(this.missing)} more rooms are being read …`;
    return [this.old ? `${figure(this.old)} rooms are shown as of ${clockTime(this.at)}; those in trouble and the busiest are live.` : "", missing].filter(Boolean).join(" ");
  }
}

export class Rooms {
  constructor(census, open) {
    Object.assign(this, { census, open, by: "online", down: true });
    this.head();
    byId("room-filter").addEventListener("input", () => this.draw());
    census.tell.add(() => this.draw());
  }

  head() {
    const cells = COLUMNS.map(([key, label]) =>
      make("th", { scope: "col", class: `col-${key}`, "data-key": key }, make("button", { type: "button", class: "sort", click: () => this.sort(key) }, label)),
    );
    byId("rooms-head").replaceChildren(...cells);
    this.arrows();
  }

  sort(key) {
    this.down = this.by === key ? !this.down : key !== "room" && key !== "zone" && key !== "state";
    this.by = key;
    this.arrows();
    this.draw();
  }

  arrows() {
    for (const cell of byId("rooms-head").children) {
      cell.setAttribute("aria-sort", cell.dataset.key !== this.by ? "none" : this.down ? "descending" : "ascending");
    }
  }

  sorted() {
    const [, , value] = COLUMNS.find(([key]) => key === this.by);
    const wanted = byId("room-filter").value.trim().toLowerCase();
    const found = this.census.rows.filter((row) => !wanted || roomWords(row).includes(wanted));
    const sign = this.down ? -1 : 1;
    return found.sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      const order = typeof a === "number" ? a - b : inOrder(a, b);
      return sign * order || inOrder(one.room, other.room);
    });
  }

  draw() {
    const sorted = this.sorted();
    keyed(
      byId("rooms-body"),
      sorted.slice(0, MOST),
      (row) => row.room,
      (row) => this.row(row),
      (element, row) => this.update(element, row),
    );
    const rest = sorted.length - MOST;
    const fit = sorted.length ? "" : this.census.missing ? "No room fits among those that are known." : "No room fits.";
    const cut = rest > 0 ? `and ${figure(rest)} more: narrow the filter to see them.` : "";
    setText(byId("rooms-rest"), [fit, cut, this.census.says()].filter(Boolean).join(" "));
  }

  row(row) {
    const cells = COLUMNS.slice(1).map(([key]) => make("td", { class: `col-${key}` }));
    const opener = button("", () => this.open(row.room), { class: "small room-name", dir: "auto" });
    return make("tr", {}, make("th", { scope: "row" }, opener), ...cells);
  }

  update(element, row) {
    setText(element.firstElementChild.firstElementChild, row.title || titled(row.room));
    COLUMNS.slice(1).forEach(([, , value], at) => {
      const held = value(row);
      setText(element.children[at + 1], held === UNMEASURED ? "–" : typeof held === "number" ? figure(held) : held);
    });
    const state = stateOf(row);
    if (row.old) element.dataset.old = "yes";
    else delete element.dataset.old;
    element.dataset.state = state === "open" ? "" : row.state === "quarantined" ? "bad" : "set";
  }
}
