// How far an alert has come: a ring, the sum that must add up, names of those who have not answered or asked for help, and
// what can be done about the alert.

import { statusWord } from "/app/face.js";
import { byId, make, setText, show, titled } from "/app/words.js";
import { button, clockTime, figure, keyed, name } from "./lists.js";

const STEPS = ["acknowledged", "seen", "received", "written", "queued", "unreachable"];
const R = 54;
const ROUND = 2 * Math.PI * R;
const SVG = "http://www.w3.org/2000/svg";
const STATE = { active: "in force", cancelled: "cancelled", expired: "over", cleared: "all clear" };

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export class Ledger {
  constructor(desk, orders) {
    Object.assign(this, { desk, orders });
    desk.watch("alerts", (frame) => !frame.refused && this.draw(frame.alerts ?? []));
    byId("names-close").addEventListener("click", () => byId("names").close());
  }

  draw(alerts) {
    const rank = (alert) => (alert.state === "active" ? 0 : 1);
    const sorted = [...alerts].sort((one, other) => rank(one) - rank(other) || (other.sent ?? 0) - (one.sent ?? 0));
    setText(byId("alerts-none"), sorted.length ? "" : "No alert was raised yet.");
    const active = sorted.filter((alert) => alert.state === "active").length;
    setText(byId("alerts-count"), active ? String(active) : "");
    keyed(
      byId("alert-cards"),
      sorted,
      (alert) => `${alert.id}`,
      (alert) => this.card(alert),
      (element, alert) => this.update(element, alert),
    );
  }

  card(alert) {
    const ring = svg("svg", { viewBox: "0 0 140 140", class: "ring", role: "img" });
    ring.append(svg("circle", { cx: 70, cy: 70, r: R, class: "ring-ground" }));
    for (const step of STEPS) ring.append(svg("circle", { cx: 70, cy: 70, r: R, class: `ring-${step}`, transform: "rotate(-90 70 70)" }));
    ring.append(svg("text", { x: 70, y: 68, class: "ring-figure" }), svg("text", { x: 70, y: 88, class: "ring-words" }));
    const legend = make("ul", { class: "legend" }, ...[...STEPS].map((step) => make("li", { "data-step": step }, make("span", { class: `key key-${step}` }), make("span", {}, step), make("strong", {}))));
    const card = make(
      "li",
      { class: "card" },
      make("h3", { dir: "auto" }),
      make("p", { class: "card-state" }),
      make("div", { class: "card-middle" }, ring, legend),
      make("p", { class: "equation" }),
      make("p", { class: "card-help" }),
      make("div", { class: "card-acts" }),
      make("ul", { class: "card-rooms" }),
    );
    this.buttons(card.querySelector(".card-acts"), alert);
    return card;
  }

  buttons(box, alert) {
    const id = alert.id;
    const args = { alert: id };
    const words = [{ name: "text", label: "What to tell people (may stay empty)", kind: "area", max: 2000 }];
    const update = [{ name: "headline", label: "New headline", required: true, max: 160 }, { name: "text", label: "New text", kind: "area", max: 2000, keepEmpty: true }];
    const list = [
      ["alert.ledger", "Who has not answered", () => this.names(id, "unanswered")],
      ["alert.ledger", "Who needs help", () => this.names(id, "help")],
      ["alert.update", "Update", () => this.change(id, update)],
      ["alert.all_clear", "All clear", () => this.orders.give("alert.all_clear", args, { title: "All clear", says: "The danger is over. Everybody who got the alert is told.", fields: words })],
      ["alert.cancel", "Cancel", () => this.orders.give("alert.cancel", args, { title: "Cancel the alert", says: "It is withdrawn from all phones.", fields: words })],
      ["alert.correct", "Send correction", () => this.orders.give("alert.correct", args, { title: "Send the prepared correction", says: "The words that were prepared with the alert go out in its place." })],
    ].filter(([command]) => this.desk.may(command));
    box.replaceChildren(...list.map(([command, label, run]) => button(label, run, { "data-act": command })));
  }

  change(alert, fields) {
    const nested = (args) => ({ alert, changes: { headline: args.headline, text: args.text } });
    this.orders.give("alert.update", { alert }, { title: "Update the alert", fields, shape: nested });
  }

  update(card, alert) {
    const ledger = alert.ledger ?? {};
    const targeted = ledger.targeted ?? 0;
    const word = statusWord(alert);
    card.dataset.status = alert.status;
    card.dataset.severity = alert.severity;
    setText(card.querySelector("h3"), `${word ? `${word}: ` : ""}${alert.headline ?? ""}`);
    const live = alert.state === "active";
    const score = Number.isFinite(alert.score) ? ` Score ${figure(alert.score)}.` : "";
    setText(card.querySelector(".card-state"), `${alert.id}, version ${alert.rev}, ${STATE[alert.state] ?? alert.state}. Sent ${clockTime(alert.sent)}, until ${clockTime(alert.expires)}.${score}`);
    card.classList.toggle("card-over", !live);
    this.ring(card, ledger, targeted);
    const sum = STEPS.reduce((total, step) => total + (ledger[step] ?? 0), 0);
    const terms = [...STEPS].reverse().map((step) => `${figure(ledger[step] ?? 0)} ${step}`).join(" + ");
    const equation = card.querySelector(".equation");
    setText(equation, `${figure(targeted)} targeted ${sum === targeted ? "=" : "≠"} ${terms}`);
    equation.classList.toggle("equation-bad", sum !== targeted);
    const after = ledger.joined_after ? ` ${figure(ledger.joined_after)} came in afterwards.` : "";
    setText(card.querySelector(".card-help"), `${ledger.help ? `${figure(ledger.help)} need help.` : "Nobody has asked for help."}${after}`);
    card.querySelector(".card-help").classList.toggle("card-help-wanted", ledger.help > 0);
    card.querySelectorAll('.card-acts [data-act]:not([data-act="alert.ledger"])').forEach((each) => show(each, live));
    const rooms = Object.entries(alert.rooms ?? {}).slice(0, 50);
    keyed(
      card.querySelector(".card-rooms"),
      rooms,
      ([room]) => room,
      ([room]) => make("li", {}, make("bdi", {}, titled(room)), make("span", {})),
      (element, [, held]) => setText(element.lastElementChild, ` ${figure(held.acknowledged ?? 0)} of ${figure(held.targeted ?? 0)} have read it`),
    );
  }

  ring(card, ledger, targeted) {
    let at = 0;
    for (const step of STEPS) {
      const part = targeted ? ((ledger[step] ?? 0) / targeted) * ROUND : 0;
      const arc = card.querySelector(`.ring-${step}`);
      arc.setAttribute("stroke-dasharray", `${part} ${ROUND}`);
      arc.setAttribute("stroke-dashoffset", String(-at));
      at += part;
      setText(card.querySelector(`[data-step="${step}"] strong`), figure(ledger[step] ?? 0));
    }
    const read = targeted ? Math.floor((100 * (ledger.acknowledged ?? 0)) / targeted) : 0;
    setText(card.querySelector(".ring-figure"), `${read} %`);
    setText(card.querySelector(".ring-words"), "have read it");
    card.querySelector(".ring").setAttribute("aria-label", `${figure(ledger.acknowledged ?? 0)} of ${figure(targeted)} people have read it`);
  }

  async names(alert, state) {
    const dialog = byId("names");
    const list = byId("names-list");
    list.kept = undefined;
    list.replaceChildren();
    setText(byId("names-title"), state === "help" ? "Who needs help" : "Who has not answered");
    if (!dialog.open) dialog.showModal();
    const load = async (page) => {
      setText(byId("names-said"), "One moment …");
      const detail = await this.desk.read("alert.ledger", { alert, state, page });
      const items = detail.items ?? [];
      list.append(...items.map((row) => this.person(row)));
      setText(byId("names-said"), list.childElementCount ? "" : state === "help" ? "Nobody." : "Everybody has answered.");
      show(byId("names-more"), Boolean(detail.more));
      byId("names-more").onclick = () => load(page + 1).catch(failed);
    };
    const failed = (error) => setText(byId("names-said"), error.message || "You are offline.");
    await load(1).catch(failed);
  }

  person({ member, nickname, state, at, note, rooms }) {
    const more = [state, ...(rooms ?? []).map(titled), at ? clockTime(at) : ""].filter(Boolean).join(", ");
    return make("li", { title: member ?? "" }, name(nickname), make("span", { class: "hint" }, ` ${more}`), note ? make("p", { class: "line-text", dir: "auto" }, note) : null);
  }
}
