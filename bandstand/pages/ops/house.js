// The whole house: the ladder of lockdown, calm, announcements, people, new rooms, and the timeline.

import { badgeOf, byId, make, setText, show } from "/app/words.js";
import { memberButtons } from "./drawer.js";
import { exportTimeline } from "./exports.js";
import { clockTime, name } from "./lists.js";

const LADDER = [
  [5, "Normal", "Everything is open."],
  [4, "No new rooms", "Only operators make rooms."],
  [3, "Slow, no links", "At most a message each 10 s from one person, and no links."],
  [2, "Known people only", "Who came in after this moment may read, not write."],
  [1, "Staff only", "Only staff may write. Asks for a second person."],
];

export class House {
  constructor(desk, orders) {
    Object.assign(this, { desk, orders });
    byId("calm").addEventListener("click", () =>
      orders.give("house.calm", {}, { title: "Calm the house", says: "Slow everywhere, no links, no new rooms. Lifting it brings back what was before.", ttl: true }),
    );
    byId("uncalm").addEventListener("click", () => orders.give("house.uncalm", {}, { title: "Lift the calm", says: "Everything is again as it was before." }));
    byId("announce").addEventListener("click", () => this.announce());
    byId("new-room").addEventListener("click", () => this.newRoom());
    byId("timeline").addEventListener("click", () => exportTimeline(desk, orders, { since: Number(byId("timeline-since").value) ? desk.now / 1000 - Number(byId("timeline-since").value) : 0 }));
    byId("find-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.find();
    });
    desk.watch("stats", (stats) => !stats.refused && this.level(stats.lockdown ?? 5));
    orders.given.add((command) => command.startsWith("house.") && this.load());
  }

  load() {
    const allowed = { calm: "house.calm", uncalm: "house.uncalm", announce: "house.announce", "new-room": "room.create", timeline: "timeline.export" };
    for (const [id, command] of Object.entries(allowed)) show(byId(id), this.desk.may(command));
    this.drawLadder();
  }

  level(level) {
    if (level === this.now) return;
    this.now = level;
    this.drawLadder();
  }

  drawLadder() {
    const may = this.desk.may("house.lockdown");
    const steps = LADDER.map(([level, label, says]) => {
      const here = level === (this.now ?? 5);
      const run = () => this.lock(level, label, says);
      const words = [make("strong", {}, `${level} ${label}`), make("span", {}, says)];
      return make("li", {}, make("button", { type: "button", class: "step", "aria-pressed": String(here), disabled: !may || here, click: run }, ...words));
    });
    byId("ladder").replaceChildren(...steps);
  }

  lock(level, label, says) {
    this.orders.give("house.lockdown", { level }, { title: `Lockdown ${level}: ${label}`, says, ttl: true, danger: level < 3, word: level === 1 ? "STAFF ONLY" : "" });
  }

  announce() {
    const fields = [
      { name: "text", label: "What to say", kind: "area", required: true, max: 1000 },
      { name: "rooms", label: "Rooms (names with spaces between; none = all)", list: true, max: 2000 },
    ];
    this.orders.give("house.announce", {}, { title: "Announce", says: "A notice of the house in the rooms. It is not an alert.", fields });
  }

  newRoom() {
    const fields = [
      { name: "room", label: "Name (letters, digits, hyphens)", required: true, max: 48 },
      { name: "title", label: "Title", max: 120 },
      { name: "code", label: "Code (word-word-00; empty = made by the server)", max: 64 },
      { name: "zone", label: "Zone", max: 48 },
    ];
    this.orders.give("room.create", {}, { title: "New room", fields });
  }

  async find() {
    const text = byId("find").value.trim();
    if (!text) return;
    setText(byId("find-said"), "One moment …");
    try {
      const { items = [] } = await this.desk.read("member.find", { text });
      byId("found").replaceChildren(...items.map((member) => this.person(member)));
      setText(byId("find-said"), items.length ? `${items.length} found` : "Nobody is called like that.");
    } catch (error) {
      setText(byId("find-said"), error.message || "You are offline.");
    }
  }

  person(member) {
    const seen = member.last_seen ? `last here ${clockTime(member.last_seen)}` : "";
    const where = (member.rooms ?? []).join(", ");
    return make(
      "li",
      {},
      make("div", { class: "line-words" }, name(member.nickname), badgeOf(member.badge), make("p", { class: "hint" }, [where, seen].filter(Boolean).join(" · "))),
      memberButtons(this.desk, this.orders, member),
    );
  }
}
