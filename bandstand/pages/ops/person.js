// One person: what is known of them, what was laid upon them, and what can be done. And the short row of buttons that stands
// behind a name wherever one is listed.

import { badgeOf, byId, make, setText, show, titled } from "/app/words.js";
import { button, dayTime, figure, name } from "./lists.js";

const LIFT = { mute: "member.unmute", ban: "member.unban" };

const here = (room) => (room ? `in ${titled(room)}` : "in the whole house");

// In a room, or (room "") in the whole house.
export function memberButtons(desk, people, member, room = "") {
  const list = ["member.mute", "member.kick", "member.ban"].filter((command) => desk.may(command));
  const whom = member.nickname || "somebody";
  const acts = list.map((command) => {
    const { label } = WORDS[command];
    return button(label, () => people.give(command, member, room), { "aria-label": `${label} ${whom}`, "data-act": command });
  });
  const more = desk.may("member.show") ? [button("More", () => people.open(member), { "aria-label": `More about ${whom}`, "data-act": "member.show" })] : [];
  return make("span", { class: "line-buttons" }, ...acts, ...more);
}

const WORDS = {
  "member.mute": { label: "Mute", says: (where) => `Cannot write ${where}.`, more: { ttl: true } },
  "member.kick": { label: "Kick", says: (where) => `Is put out ${where} and may come back.`, more: {} },
  "member.ban": { label: "Ban", says: (where) => `Cannot come back ${where}.`, more: { ttl: true, danger: true } },
  "member.unmute": { label: "Unmute", says: (where) => `May write again ${where}.`, more: {} },
  "member.unban": { label: "Unban", says: (where) => `May come in again ${where}.`, more: {} },
  "member.message": { label: "Message", says: () => "Only this person sees it, as a note from the organisers.", whole: true, more: { fields: [{ name: "text", label: "What to say", kind: "area", required: true, max: 500 }] } },
  "address.ban": {
    label: "Ban the address",
    says: () => "Nobody from the address of this person comes in. A whole festival may stand behind one address: look at how many people it touches.",
    whole: true,
    more: { ttl: true, danger: true },
  },
  "member.revoke": {
    label: "Revoke tokens",
    says: () => "No token that this person has had so far lets anybody in any more; whoever is here with one is put out. For a phone or a token that was lost.",
    whole: true,
    more: { danger: true },
  },
  "member.erase": { label: "Erase", says: () => "All that this person wrote goes out of sight now and is erased for good in ten minutes.", whole: true, more: { danger: true } },
};

export class People {
  constructor(desk, orders) {
    Object.assign(this, { desk, orders });
    this.dialog = byId("person");
    byId("person-close").addEventListener("click", () => this.dialog.close());
    orders.given.add((command) => this.dialog.open && /^(member|address|act)\./.test(command) && this.load());
  }

  give(command, member, room = "") {
    const { label, says, whole, more } = WORDS[command];
    const args = { member: member.member, ...(room && !whole && { room }) };
    return this.orders.give(command, args, { title: `${label} ${member.nickname || "somebody"}`, says: says(here(room)), ...more });
  }

  open(member) {
    this.member = member;
    setText(byId("person-title"), member.nickname || "Somebody");
    byId("person-facts").replaceChildren();
    byId("person-laid").replaceChildren();
    this.acts();
    if (!this.dialog.open) this.dialog.showModal();
    return this.load();
  }

  async load() {
    const { member } = this;
    setText(byId("person-said"), "One moment …");
    try {
      const found = await this.desk.read("member.show", { member: member.member });
      if (this.member.member !== member.member) return;
      this.member = { ...member, ...found };
      this.draw(this.member);
      setText(byId("person-said"), "");
    } catch (error) {
      setText(byId("person-said"), error.message || "You are offline.");
    }
  }

  draw(person) {
    byId("person-title").replaceChildren(name(person.nickname), ...[badgeOf(person.badge)].filter(Boolean));
    const facts = [
      ["Now", person.online ? `here${person.rooms?.length ? `, in ${person.rooms.map(titled).join(", ")}` : ""}` : "not here"],
      ["Devices", figure(person.connections ?? 0)],
      ["First here", dayTime(person.first_seen)],
      ["Last here", dayTime(person.last_seen)],
      ["Role", person.role || "guest"],
      ["Id", person.member],
    ];
    byId("person-facts").replaceChildren(...facts.flatMap(([term, said]) => [make("dt", {}, term), make("dd", { dir: "auto" }, String(said))]));
    const laid = person.sanctions ?? [];
    show(byId("person-laid-title"), laid.length > 0);
    byId("person-laid").replaceChildren(...laid.map((each) => sanctionLine(this.desk, this.orders, each)));
  }

  acts() {
    const whole = Object.keys(WORDS).map((command) => [command, WORDS[command].label, () => this.give(command, this.member)]);
    const list = [...whole.slice(0, 6), ["member.update", "Name, role, badge", () => this.change()], ...whole.slice(6)].filter(([command]) => this.desk.may(command));
    const grave = new Set(["member.ban", "address.ban", "member.revoke", "member.erase"]);
    byId("person-acts").replaceChildren(...list.map(([command, label, run]) => button(label, run, { "data-act": command, class: grave.has(command) ? "small grave" : "small" })));
  }

  change() {
    const { member, nickname = "", role = "", badge = "" } = this.member;
    const fields = [
      { name: "nickname", label: "Name", value: nickname, max: 32, changed: true },
      { name: "role", label: "Role", value: role, max: 24, changed: true, hint: "Any word makes this person staff: may write in a frozen room and in a lockdown. Empty = guest." },
      { name: "badge", label: "Badge", value: badge === role ? "" : badge, max: 24, changed: true, hint: "Shown beside the name. Empty = the role." },
    ];
    return this.orders.give("member.update", { member }, { title: `Change ${nickname || "somebody"}`, send: "Save", fields, ttl: true });
  }
}

// A mute or a ban in force, with what lifts it.
export function sanctionLine(desk, orders, each, whom = "") {
  const word = { mute: "Muted", ban: "Banned" }[each.kind] ?? each.kind;
  const about = [whom || each.address, here(each.room), each.until ? `until ${dayTime(each.until)}` : "", each.reason].filter(Boolean).join(" · ");
  const byAddress = desk.may("address.unban") ? "address.unban" : "act.undo"; // An undo can be had for a day.
  const command = each.address ? byAddress : LIFT[each.kind];
  const args = each.address ? { address: each.address } : { member: each.member, ...(each.room && { room: each.room }) };
  const lift = () => (command === "act.undo" ? orders.undo(each.act) : orders.quick(command, args, { reason: "lifted by hand" }));
  return make(
    "li",
    {},
    make("div", { class: "line-words" }, make("strong", {}, word), make("p", { class: "hint", dir: "auto" }, about)),
    command && desk.may(command) && (command !== "act.undo" || each.act) ? button("Lift", lift, { "data-act": command, "aria-label": `Lift: ${word} ${about}` }) : null,
  );
}
