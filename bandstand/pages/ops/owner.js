// For owners: who may sign in, who is signed in, which programs may, and the end of the house.

import { byId, make, setText, show } from "/app/words.js";
import { button, dayTime, keyed, name } from "./lists.js";
import { showOnce } from "./once.js";

const ROLES = [
  ["viewer", "viewer: sees"],
  ["moderator", "moderator: hides, mutes, kicks, slows"],
  ["operator", "operator: rooms, bans, drills"],
  ["safety", "safety: real alerts, lockdown"],
  ["owner", "owner: everything"],
];
const LIFE = [["", "until it is revoked"], ["86400", "1 day"], ["604800", "1 week"], ["2592000", "30 days"]];
const PASSWORD = { name: "password", label: "Password, at least 10 characters", kind: "password", required: true };

export class Owner {
  constructor(desk, orders, record) {
    Object.assign(this, { desk, orders, record });
    byId("operator-add").addEventListener("click", () => this.add());
    byId("token-create").addEventListener("click", () => this.create());
    byId("drain").addEventListener("click", () => this.drain());
    byId("wipe").addEventListener("click", () => this.wipe());
    orders.given.add((command) => this.shown && /^(operator|session|token)\./.test(command) && this.load());
  }

  get shown() {
    return !byId("view-owner").hidden;
  }

  async load() {
    this.record.load();
    for (const [id, command] of Object.entries({ drain: "house.drain", wipe: "house.wipe", "operator-add": "operator.add", "token-create": "token.create" })) {
      show(byId(id), this.desk.may(command));
    }
    await Promise.all([
      this.list("operator.list", "operators-said", ({ items, tokens }) => {
        this.drawOperators(items ?? []);
        this.drawTokens(tokens ?? []);
      }),
      this.list("session.list", "sessions-said", ({ items }) => this.drawSessions(items ?? [])),
    ]);
  }

  async list(command, said, draw) {
    try {
      draw(await this.desk.read(command));
      setText(byId(said), "");
    } catch (error) {
      setText(byId(said), error.message || "You are offline.");
    }
  }

  // Operators

  drawOperators(items) {
    keyed(
      byId("operators-list"),
      items,
      (each) => JSON.stringify(each),
      (each) => this.operator(each),
    );
  }

  operator(each) {
    const mine = each.name === this.desk.operator;
    const state = [each.role, each.disabled ? "may not sign in" : "", each.seen ? `last here ${dayTime(each.seen)}` : "was never here"].filter(Boolean).join(" · ");
    const change = (command, label, run, more) => (this.desk.may(command) ? button(label, run, { "data-act": command, "aria-label": `${label} ${each.name}`, ...more }) : null);
    return make(
      "li",
      {},
      make("div", { class: "line-words" }, name(each.name), mine ? make("span", { class: "tag" }, "you") : null, make("p", { class: "hint" }, state)),
      make(
        "span",
        { class: "line-buttons" },
        ...[
          change("operator.update", "Role", () => this.role(each)),
          change("operator.update", "Password", () => this.password(each)),
          change("operator.update", each.disabled ? "Enable" : "Disable", () => this.disable(each)),
          change("operator.remove", "Remove", () => this.remove(each), { class: "small grave" }),
        ].filter(Boolean),
      ),
    );
  }

  add() {
    const fields = [
      { name: "name", label: "Name to sign in with", required: true, max: 64, hint: "Small letters, digits and . _ @ - between them." },
      { name: "role", label: "Role", kind: "select", options: ROLES, value: "viewer" },
      { ...PASSWORD, hint: "Give it to them in person." },
    ];
    return this.orders.give("operator.add", {}, { title: "Add an operator", fields });
  }

  role({ name: operator, role }) {
    const fields = [{ name: "role", label: "Role", kind: "select", options: ROLES, value: role, changed: true }];
    return this.orders.give("operator.update", { name: operator }, { title: `Role of ${operator}`, send: "Save", says: "Whoever is signed in under this name has to sign in again.", fields });
  }

  password({ name: operator }) {
    return this.orders.give("operator.update", { name: operator }, { title: `New password for ${operator}`, send: "Save", says: "Whoever is signed in under this name has to sign in again.", fields: [PASSWORD] });
  }

  disable({ name: operator, disabled }) {
    const says = disabled ? "May sign in again." : "Is signed out now and cannot sign in until enabled again.";
    return this.orders.give("operator.update", { name: operator, disabled: !disabled }, { title: `${disabled ? "Enable" : "Disable"} ${operator}`, says, danger: !disabled });
  }

  remove({ name: operator }) {
    return this.orders.give("operator.remove", { name: operator }, { title: `Remove ${operator}`, says: "No longer an operator; signed out now. What they did stays in the record.", danger: true, word: operator });
  }

  // Sessions

  drawSessions(items) {
    setText(byId("sessions-said"), items.length ? "" : "Nobody is signed in.");
    keyed(
      byId("sessions-list"),
      items,
      (each) => each.session,
      (each) => {
        const mine = each.session === this.desk.session;
        const about = `${each.role} · from ${each.address} · since ${dayTime(each.created)}`;
        const end = () => this.orders.give("session.end", { session: each.session }, { title: `Sign out ${each.operator}`, says: mine ? "This is you, on this page." : "Signed out at once; may sign in again." });
        return make(
          "li",
          {},
          make("div", { class: "line-words" }, name(each.operator), mine ? make("span", { class: "tag" }, "this page") : null, make("p", { class: "hint" }, about)),
          this.desk.may("session.end") ? button("End", end, { "data-act": "session.end", "aria-label": `End the session of ${each.operator}` }) : null,
        );
      },
    );
  }

  // Tokens

  drawTokens(items) {
    const now = this.desk.now / 1000;
    const living = (each) => !each.revoked && !(each.expires && each.expires <= now);
    const sorted = [...items.filter(living), ...items.filter((each) => !living(each))];
    setText(byId("tokens-said"), items.length ? "" : "No program has a token.");
    keyed(
      byId("tokens-list"),
      sorted,
      (each) => `${each.token}${each.revoked}`,
      (each) => {
        const state = each.revoked ? `revoked ${dayTime(each.revoked)}` : each.expires ? `${living(each) ? "until" : "over since"} ${dayTime(each.expires)}` : "until it is revoked";
        const about = `${each.role} · by ${each.author} · ${state} · ${each.seen ? `last used ${dayTime(each.seen)}` : "never used"}`;
        const revoke = () => this.orders.give("token.revoke", { token: each.token }, { title: `Revoke ${each.name}`, says: "Whatever program uses it is out at once.", danger: true });
        return make(
          "li",
          { class: living(each) ? "" : "line-over" },
          make("div", { class: "line-words" }, name(each.name), make("p", { class: "hint" }, about)),
          living(each) && this.desk.may("token.revoke") ? button("Revoke", revoke, { "data-act": "token.revoke", "aria-label": `Revoke ${each.name}` }) : null,
        );
      },
    );
  }

  async create() {
    const fields = [
      { name: "name", label: "What it is for", required: true, max: 64 },
      { name: "role", label: "Role", kind: "select", options: ROLES, value: "viewer" },
      { name: "expires_s", label: "For how long", kind: "select", options: LIFE, value: "" },
    ];
    const shape = ({ expires_s, ...rest }) => ({ ...rest, ...(expires_s && { expires_s: Number(expires_s) }) });
    const ok = await this.orders.give("token.create", {}, { title: "A token for a program", send: "Make the token", fields, shape });
    if (!ok?.act) return;
    const lost = "The answer was lost on the way, and the server does not tell a token twice. Revoke it and make another.";
    showOnce("The token", "Put it where the program reads it, in a file that nobody else can read. It is shown this once.", ok.detail?.secret, lost);
  }

  // The end

  drain() {
    const says = "The server hears out what is under way, tells all phones to come back later, and stops. Somebody at the machine has to start it again.";
    return this.orders.give("house.drain", {}, { title: "Stop the server", says, danger: true, word: "STOP" });
  }

  wipe() {
    const says = "All that was said is erased, in every room, for good. Rooms, operators, alerts and the record stay.";
    return this.orders.give("house.wipe", {}, { title: "Wipe the house", says, danger: true });
  }
}
