// What happens in the house, newest first: the last thousand, with a filter; further back by pages.

import { byId, make, setText, show } from "/app/words.js";
import { button, clockTime, keyed } from "./lists.js";

const KEPT = 1_000;
const SHOWN = 150;

export class Feed {
  // acts: openRoom(name), confirm(data)
  constructor(desk, acts) {
    this.desk = desk;
    this.acts = acts;
    this.events = new Map();
    this.shown = SHOWN;
    byId("feed-kind").addEventListener("change", () => this.draw());
    byId("feed-filter").addEventListener("input", () => this.draw());
    byId("feed-more").addEventListener("click", () => this.more());
    desk.watch("activity", (frame) => !frame.refused && this.take(frame.events ?? []));
  }

  take(events) {
    for (const event of events) this.events.set(event.n, event);
    if (this.events.size > KEPT * 3) {
      for (const n of [...this.events.keys()].sort((a, b) => a - b).slice(0, this.events.size - KEPT)) this.events.delete(n);
    }
    if (events.length) this.draw();
  }

  async more() {
    this.shown += SHOWN;
    const first = Math.min(...this.events.keys());
    if (this.events.size < this.shown && Number.isFinite(first) && first > 1) {
      const page = await this.desk.read("activity.page", { before: first }).catch(() => ({ items: [] }));
      for (const event of page.items ?? []) this.events.set(event.n, event);
    }
    this.draw();
  }

  wanted() {
    const kind = byId("feed-kind").value;
    const text = byId("feed-filter").value.trim().toLowerCase();
    return [...this.events.values()]
      .filter((event) => (kind ? event.kind === kind : event.kind !== "minute"))
      .filter((event) => !text || `${event.text} ${event.room ?? ""} ${event.operator ?? ""}`.toLowerCase().includes(text))
      .sort((one, other) => other.n - one.n);
  }

  draw() {
    const found = this.wanted();
    keyed(
      byId("feed"),
      found.slice(0, this.shown),
      (event) => event.n,
      (event) => this.line(event),
    );
    show(byId("feed-more"), found.length > this.shown || Math.min(...this.events.keys()) > 1);
    setText(byId("feed-none"), found.length ? "" : "Nothing like that has happened.");
  }

  line(event) {
    const told = (word) => !word || String(event.text ?? "").includes(word);
    const by = [told(event.operator) ? "" : `by ${event.operator}`, told(event.room) ? "" : event.room].filter(Boolean).join(", ");
    const { pending, name, args } = event.data ?? {};
    return make(
      "li",
      { "data-kind": event.kind },
      make("time", {}, clockTime(event.at)),
      make("span", { class: "feed-kind" }, String(event.kind ?? "").replace("_", " ")),
      make("span", { class: "feed-text", dir: "auto" }, `${event.text ?? ""}${by ? ` (${by})` : ""}`),
      event.room ? button("Open", () => this.acts.openRoom(event.room), { "aria-label": `Open the room ${event.room}` }) : null,
      pending && name && event.operator !== this.desk.operator ? button("Confirm", () => this.acts.confirm({ pending, name, args, ttl_s: event.data.ttl_s })) : null,
    );
  }
}
