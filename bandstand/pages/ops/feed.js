// What happens in the house, newest first: the last thousand, with a filter; further back by pages.

import { byId, make, setText, show } from "/app/words.js";
import { button, clockTime, dayTime, keyed } from "./lists.js";

const KEPT = 1_000;
const SHOWN = 150;
const PAGES = 10;

export class Feed {
  // acts: openRoom(name)
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
    // What was missed lies between: it is read again from the newest on, without a hole. But a server that was killed
    // leaves numbers out, and begins with having started.
    const isJump = events.length && this.events.size && events[0].n > Math.max(...this.events.keys()) + 1;
    if (isJump && events[0].kind !== "server") this.events.clear();
    for (const event of events) this.events.set(event.n, event);
    if (this.events.size > KEPT * 3) {
      for (const n of [...this.events.keys()].sort((a, b) => a - b).slice(0, this.events.size - KEPT)) this.events.delete(n);
    }
    if (events.length) this.draw();
  }

  get first() {
    return Math.min(...this.events.keys());
  }

  // Until there is something more to see, for so many pages at most.
  async more() {
    const seen = Math.min(this.shown, this.wanted().length);
    this.shown += SHOWN;
    try {
      for (let page = 0; page < PAGES && this.first > 1 && this.wanted().length <= seen; page += 1) {
        const { items = [] } = await this.desk.read("activity.page", { before: this.first, limit: 200 });
        if (!items.length) break;
        for (const event of items) this.events.set(event.n, event);
      }
      this.draw();
    } catch (error) {
      this.draw();
      setText(byId("feed-none"), error.message || "You are offline.");
    }
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
    const further = this.first > 1 && Number.isFinite(this.first);
    show(byId("feed-more"), found.length > this.shown || further);
    const since = further ? `Nothing like that since ${dayTime(this.events.get(this.first).at)}.` : "Nothing like that has happened.";
    setText(byId("feed-none"), found.length ? "" : since);
  }

  line(event) {
    const told = (word) => !word || String(event.text ?? "").includes(word);
    const by = [told(event.operator) ? "" : `by ${event.operator}`, told(event.room) ? "" : event.room].filter(Boolean).join(", ");
    return make(
      "li",
      { "data-kind": event.kind },
      make("time", {}, clockTime(event.at)),
      make("span", { class: "feed-kind" }, String(event.kind ?? "").replace("_", " ")),
      make("span", { class: "feed-text", dir: "auto" }, `${event.text ?? ""}${by ? ` (${by})` : ""}`),
      event.room ? button("Open", () => this.acts.openRoom(event.room), { "aria-label": `Open the room ${event.room}` }) : null,
    );
  }
}
