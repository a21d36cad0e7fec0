// The whole house: the ladder of lockdown, calm, announcements, people and what was laid upon them, new rooms, and the timeline.

import { badgeOf, byId, make, setText, show, titled } from "/app/words.js";
import { exportTimeline } from "./exports.js";
import { dayTime, figure, keyed, name } from "./lists.js";
import { showOnce } from "./once.js";
import { memberButtons, sanctionLine } from "./person.js";

const LADDER = [
  [5, "Normal", "Everything is open."],
  [4, "No new rooms", "Only operators make rooms."],
  [3, "Slow, no links", "At most a message each 10 s from one person, and no links."],
  [2, "Known people only", "Who came in after this moment may read, not write."],
  [1, "Staff only", "Only staff may write. Asks for a second person."],
];

export class House {
  constructor(desk, orders, people) {
    Object.assign(this, { desk, orders, people });
    byId("calm").addEventListener("click", () =>
      orders.give("house.calm", {}, { title: "Calm the house", says: "Slow everywhere, no links, no new rooms. Lifting it brings back what was before.", ttl: true }),
    );
    byId("uncalm").addEventListener("click", () => orders.give("house.uncalm", {}, { title: "Lift the calm", says: "Everything is again as it was before." }));
    byId("announce").addEventListener("click", () => this.announce());
    byId("new-room").addEventListener("click", () => this.newRoom());
    byId("timeline").addEventListener("click", () => exportTimeline(desk, orders, { since: Number(byId("timeline-since").value) ? desk.now / 1000 - Number(byId("timeline-since").value) : 0 }));
    byId("new-member").addEventListener("click", () => this.newMember());
    byId("ban-address").addEventListener("click", () => this.banAddress());
    byId("everybody").addEventListener("click", () => this.everybody());
    byId("found-more").addEventListener("click", () => this.everybody(this.next));
    byId("find-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.find();
    });
    desk.watch("stats", (stats) => !stats.refused && this.level(stats.lockdown ?? 5));
    orders.given.add((command) => !byId("view-house").hidden && /^(house|member|address|act)\./.test(command) && this.load());
  }

  load() {
    const allowed = { calm: "house.calm", uncalm: "house.uncalm", announce: "house.announce", "new-room": "room.create", timeline: "timeline.export", "timeline-row": "timeline.export", "new-member": "member.create", "ban-address": "address.ban", everybody: "member.list" };
    for (const [id, command] of Object.entries(allowed)) show(byId(id), this.desk.may(command));
    this.drawLadder();
    return this.laid();
  }

  // Who may not write or come in, of the whole house.
  async laid() {
    try {
      const { sanctions = [], sanctions_total = 0, calm = false } = await this.desk.read("house.show");
      setText(byId("calm-said"), calm ? "The house is calmed: slow everywhere, no links, no new rooms." : "");
      keyed(
        byId("laid-list"),
        sanctions,
        (each) => JSON.stringify([each, this.known(each.member)]),
        (each) => sanctionLine(this.desk, this.orders, each, this.known(each.member)),
      );
      const rest = sanctions_total - sanctions.length;
      setText(byId("laid-said"), !sanctions.length ? "Nobody is muted or banned." : rest > 0 ? `and ${figure(rest)} more` : "");
    } catch (error) {
      setText(byId("laid-said"), error.message || "You are offline.");
    }
  }

  known(member) {
    return this.names?.get(member) ?? member;
  }

  level(level) {
    if (level === this.now) return;
    this.now = level;
    this.drawLadder();
  }

  drawLadder() {
    const may = this.desk.may("house.lockdown");
    const steps = LADDER.map(([level, label, says]) => {
      const here = level === this.now;
      const run = () => this.lock(level, label, says);
      const words = [make("strong", {}, `${level} ${label}`), make("span", {}, says)];
      return make("li", {}, make("button", { type: "button", class: "step", "data-act": "house.lockdown", "aria-pressed": String(here), disabled: !may || here, click: run }, ...words));
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
    this.orders.give("room.create", {}, { title: "New room", send: "Make the room", fields });
  }

  async newMember() {
    const fields = [
      { name: "nickname", label: "Name", required: true, max: 32 },
      { name: "role", label: "Role (any word makes this person staff; empty = guest)", max: 24 },
      { name: "badge", label: "Badge beside the name", max: 24 },
    ];
    const ok = await this.orders.give("member.create", {}, { title: "New member", send: "Make the member", says: "Somebody who comes in with a token instead of a name of their own choice.", fields });
    if (!ok?.act) return;
    const says = `Whoever has this token is ${ok.detail?.nickname ?? "this member"}. It is shown this once.`;
    showOnce("The token", says, ok.detail?.token, "The answer was lost on the way, and the server does not tell a token twice. Make another member.");
  }

  banAddress() {
    const says = "Nobody from this address comes in. A whole festival may stand behind one address: look at how many people it touches.";
    const fields = [{ name: "address", label: "Address", required: true, max: 64 }];
    this.orders.give("address.ban", {}, { title: "Ban an address", says, fields, ttl: true, danger: true });
  }

  find() {
    const text = byId("find").value.trim();
    if (!text) return;
    this.list(this.desk.read("member.find", { text, limit: 200 }), ({ more }, shown) =>
      !shown ? "Nobody is called like that." : more ? `The first ${figure(shown)}. There are more: write more of the name.` : `${figure(shown)} found`,
    );
  }

  // A page; after: the last one of the page before.
  async everybody(after = null) {
    const says = ({ more, online }, shown) => (!shown ? "Nobody is here." : more ? `${figure(shown)} of ${figure(online)} are shown` : `${figure(shown)} found`);
    const detail = await this.list(this.desk.read("member.list", { limit: 200, ...(after && { after }) }), says, Boolean(after));
    this.next = detail?.more ? detail.next : null;
    show(byId("found-more"), Boolean(this.next));
  }

  async list(asked, says, further = false) {
    setText(byId("find-said"), "One moment …");
    show(byId("found-more"), false);
    try {
      const detail = await asked;
      const items = detail.items ?? [];
      this.names = new Map([...(this.names ?? []), ...items.map((each) => [each.member, each.nickname])]);
      if (!further) byId("found").replaceChildren();
      byId("found").append(...items.map((member) => this.person(member)));
      setText(byId("find-said"), says(detail, byId("found").childElementCount));
      return detail;
    } catch (error) {
      setText(byId("find-said"), error.message || "You are offline.");
      return null;
    }
  }

  person(member) {
    const seen = member.last_seen ? `last here ${dayTime(member.last_seen)}` : "";
    const where = (member.rooms ?? []).map(titled).join(", ");
    return make(
      "li",
      {},
      make("div", { class: "line-words" }, name(member.nickname), badgeOf(member.badge), make("p", { class: "hint" }, [where, seen].filter(Boolean).join(" · "))),
      memberButtons(this.desk, this.people, member),
    );
  }
}
