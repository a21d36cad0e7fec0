// The table of rooms: any column sorts, a filter narrows, a row opens the room's drawer.

import { byId, make, setText, titled } from "/app/words.js";
import { button, figure, keyed } from "./lists.js";

const MOST = 300;
const COLUMNS = [
  ["room", "Room", (row) => row.title || row.room],
  ["online", "People", (row) => row.online ?? 0],
  ["messages_per_s", "Msg/s", (row) => row.messages_per_s ?? 0],
  ["deliveries_per_s", "Deliv/s", (row) => row.deliveries_per_s ?? 0],
  ["p99_ms", "p99 ms", (row) => row.p99_ms ?? 0],
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

export class Rooms {
  constructor(desk, open) {
    this.desk = desk;
    this.open = open;
    this.rows = [];
    this.by = "online";
    this.down = true;
    this.head();
    byId("room-filter").addEventListener("input", () => this.draw());
    desk.watch("rooms", (frame) => {
      if (frame.refused) return;
      this.rows = frame.rooms ?? [];
      this.draw();
    });
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
    const found = this.rows.filter((row) => !wanted || `${row.room} ${row.title ?? ""} ${row.zone ?? ""} ${stateOf(row)}`.toLowerCase().includes(wanted));
    const sign = this.down ? -1 : 1;
    return found.sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      const order = typeof a === "number" ? a - b : String(a).localeCompare(String(b));
      return sign * order || one.room.localeCompare(other.room);
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
    setText(byId("rooms-rest"), !sorted.length ? "No room fits." : rest > 0 ? `and ${figure(rest)} more: narrow the filter to see them` : "");
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
      setText(element.children[at + 1], typeof held === "number" ? figure(held) : held);
    });
    const state = stateOf(row);
    element.dataset.state = state === "open" ? "" : row.state === "quarantined" ? "bad" : "set";
  }
}
