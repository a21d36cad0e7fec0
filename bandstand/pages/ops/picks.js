// For which rooms or zones an alert is: any of all there are, with a filter. What was chosen stays chosen, shown or not.

import { byId, make, setText, show, titled } from "/app/words.js";
import { figure, keyed } from "./lists.js";
import { roomWords } from "./rooms.js";

const SHOWN = 200;

export class Picks {
  constructor(census) {
    Object.assign(this, { census, kind: "all", picked: { rooms: new Set(), zones: new Set() }, order: { rooms: new Map(), zones: new Map() } });
    byId("raise-filter").addEventListener("input", () => this.draw());
    byId("raise-filter").addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
    census.tell.add(() => byId("raise").open && this.draw());
  }

  open() {
    byId("raise-filter").value = "";
    for (const kind of ["rooms", "zones"]) {
      this.picked[kind].clear();
      this.order[kind].clear();
      byId(`raise-${kind}`).kept = undefined;
      byId(`raise-${kind}`).replaceChildren();
    }
  }

  // kind: all, rooms or zones.
  show(kind) {
    if (kind !== this.kind) byId("raise-filter").value = "";
    this.kind = kind;
    show(byId("raise-rooms"), kind === "rooms");
    show(byId("raise-zones"), kind === "zones");
    show(byId("raise-narrow"), kind !== "all");
    this.draw();
  }

  // {value, label, words} of each. The order stays while the dialog is open: nothing moves away under a finger.
  choices() {
    const rows = [...this.census.rows].sort((one, other) => (other.online ?? 0) - (one.online ?? 0));
    const zones = new Map();
    for (const { zone, online } of rows) if (zone) zones.set(zone, (zones.get(zone) ?? 0) + (online ?? 0));
    byId("raise-where").querySelector('[value="zones"]').disabled = !zones.size;
    if (this.kind === "all") return [];
    const found =
      this.kind === "zones"
        ? [...zones.keys()].sort().map((zone) => ({ value: zone, label: zone, words: zone.toLowerCase() }))
        : rows.map((row) => ({ value: row.room, label: `${row.title || titled(row.room)} (${figure(row.online ?? 0)})`, words: roomWords(row) }));
    const place = this.order[this.kind];
    for (const { value } of found) if (!place.has(value)) place.set(value, place.size);
    return found.sort((one, other) => place.get(one.value) - place.get(other.value));
  }

  draw() {
    const wanted = byId("raise-filter").value.trim().toLowerCase();
    const all = this.choices();
    const found = all.filter(({ words }) => !wanted || words.includes(wanted));
    if (this.kind !== "all") {
      keyed(
        byId(`raise-${this.kind}`),
        found.slice(0, SHOWN),
        ({ value }) => value,
        ({ value, label }) => this.box(value, label),
        (element, { label }) => setText(element.querySelector("bdi"), label),
      );
    }
    const rest = found.length - SHOWN;
    const fit = all.length && !found.length ? "None fits." : rest > 0 ? `and ${figure(rest)} more: narrow the filter to see them.` : "";
    const missing = this.census.missing ? this.census.says() : "";
    setText(byId("raise-rest"), this.kind === "all" ? "" : [fit, missing].filter(Boolean).join(" "));
    this.drawChosen(all);
  }

  box(value, label) {
    const picked = this.picked[this.kind];
    const change = (event) => {
      if (event.target.checked) picked.add(value);
      else picked.delete(value);
      this.draw();
    };
    const input = make("input", { type: "checkbox", value, "data-kind": this.kind, change });
    input.checked = picked.has(value);
    return make("li", {}, make("label", { class: "pick" }, input, make("bdi", {}, label)));
  }

  drawChosen(all) {
    const picked = this.picked[this.kind] ?? new Set();
    const labels = new Map(all.map(({ value, label }) => [value, label.replace(/ \([^()]*\)$/, "")]));
    setText(byId("raise-chosen"), picked.size ? `${figure(picked.size)} chosen: ${[...picked].map((value) => labels.get(value) ?? value).join(", ")}` : "");
  }
}
