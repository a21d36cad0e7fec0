// How far an alert has come: a ring, the sum that must add up, names of those who have not answered or asked for help, and
// what can be done about the alert.

import { statusWord } from "/app/face.js";
import { byId, make, setText, show, titled } from "/app/words.js";
import { button, clockTime, figure, keyed, name, save } from "./lists.js";

const STEPS = ["acknowledged", "seen", "received", "written", "queued", "unreachable"];
// What counts as done, by the answer that the alert asks for.
const WANTED = {
  required: { steps: STEPS.slice(0, 1), words: "have read it" },
  seen: { steps: STEPS.slice(0, 2), words: "have seen it" },
  none: { steps: STEPS.slice(0, 3), words: "have got it" },
};
const sumOf = (ledger, steps) => steps.reduce((total, step) => total + (ledger[step] ?? 0), 0);
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

// Calls for help that nobody has dealt with yet.
const openCalls = (ledger) => (ledger?.help ?? 0) - (ledger?.helped ?? 0);
const needing = (count) => (count === 1 ? "1 person needs help" : `${figure(count)} people need help`);
const dealtWith = (count) => (count === 1 ? "1 call was dealt with" : `${figure(count)} calls were dealt with`);
const callOf = (alert) => `${needing(openCalls(alert.ledger))}: ${[statusWord(alert), alert.headline].filter(Boolean).join(": ")}`;

function helpWords(ledger) {
  const waiting = openCalls(ledger);
  if (!ledger.help) return "Nobody has asked for help.";
  return `${waiting ? needing(waiting) : "Nobody waits for help"}${ledger.helped ? `; ${dealtWith(ledger.helped)}` : ""}.`;
}

// What the alert had come to when it ended; the ring is that of its last words.
function lastWords({ final }) {
  if (!final) return "";
  const { steps, words } = WANTED[final.ack] ?? WANTED.required;
  const help = final.help ? `, ${figure(final.help)} asked for help` : "";
  return `When it ended (version ${final.rev}): ${figure(sumOf(final, steps))} of ${figure(final.targeted)} ${words}${help}.`;
}

export class Ledger {
  constructor(desk, orders) {
    Object.assign(this, { desk, orders, called: new Map(), again: null });
    orders.given.add((command) => byId("names").open && /^(help|act)\./.test(command) && this.again?.());
    desk.watch("alerts", (frame) => !frame.refused && this.draw(frame.alerts ?? [], frame.more));
    byId("alert-import").addEventListener("click", () => this.fromXml());
    byId("names-close").addEventListener("click", () => byId("names").close());
  }

  draw(alerts, more = 0) {
    show(byId("alert-import"), this.desk.may("alert.import"));
    const rank = (alert) => (alert.state === "active" ? 0 : 1);
    const sorted = [...alerts].sort((one, other) => rank(one) - rank(other) || (other.sent ?? 0) - (one.sent ?? 0));
    setText(byId("alerts-none"), sorted.length ? "" : "No alert was raised yet.");
    setText(byId("alerts-rest"), more ? `${figure(more)} more alerts are not shown: those in force come first, then the newest.` : "");
    this.calls(sorted.filter((alert) => alert.state === "active"));
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

  // Whoever waits for help is seen from every view while the alert is in force; over an open dialog each new call is said.
  calls(alerts) {
    for (const alert of alerts) {
      const waiting = openCalls(alert.ledger);
      if (waiting > (this.called.get(alert.id) ?? 0) && document.querySelector("dialog[open]")) {
        this.orders.toast(callOf(alert), { act: "Look", run: () => this.names(alert.id, "help"), bad: true });
      }
      this.called.set(alert.id, waiting);
    }
    const calling = alerts.filter((alert) => openCalls(alert.ledger) > 0);
    show(byId("calls"), calling.length > 0);
    keyed(
      byId("calls-list"),
      calling,
      (alert) => alert.id,
      (alert) => make("li", {}, make("strong", { class: "line-words", dir: "auto" }), button("Look", () => this.names(alert.id, "help"), { class: "small primary", "aria-label": `Look who needs help: ${alert.headline ?? ""}` })),
      (element, alert) => setText(element.firstElementChild, callOf(alert)),
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
      make("p", { class: "card-final" }),
      make("div", { class: "card-acts" }),
      make("ul", { class: "card-rooms" }),
      make("p", { class: "hint card-rooms-rest" }),
    );
    this.buttons(card.querySelector(".card-acts"), alert);
    return card;
  }

  buttons(box, alert) {
    const id = alert.id;
    const args = { alert: id };
    const words = [{ name: "text", label: "What to tell people (may stay empty)", kind: "area", max: 2000 }];
    const list = [
      ["alert.ledger", "Who has not answered", () => this.names(id, "unanswered")],
      ["alert.ledger", "Who needs help", () => this.names(id, "help")],
      ["alert.update", "Update", () => this.change(id)],
      ["alert.all_clear", "All clear", () => this.orders.give("alert.all_clear", args, { title: "All clear", says: "The danger is over. Everybody who got the alert is told.", fields: words })],
      ["alert.cancel", "Cancel the alert", () => this.orders.give("alert.cancel", args, { title: "Cancel the alert", says: "It is withdrawn from all phones.", fields: words })],
      ["alert.correct", "Send correction", () => this.orders.give("alert.correct", args, { title: "Send the prepared correction", says: "The words that were prepared with the alert go out in its place." })],
      ["alert.export", "Save as CAP", () => this.export(id)],
    ].filter(([command]) => this.desk.may(command));
    box.replaceChildren(...list.map(([command, label, run]) => button(label, run, { "data-act": command })));
  }

  // Begins with the words that are out now, in the alert's first language.
  async change(alert) {
    const shown = await this.desk.read("alert.show", { alert }).catch((error) => this.orders.toast(`alert.show: ${error.message || "the connection was lost"}`, { bad: true }) && null);
    if (!shown) return; // Without the words that are out, an empty text would go out in their place.
    const { draft = {} } = shown;
    const [lang] = Object.keys(draft.info ?? {});
    const now = draft.info?.[lang] ?? {};
    const fields = [
      { name: "headline", label: "New headline", required: true, max: 160, value: now.headline },
      { name: "text", label: "New text", kind: "area", max: 2000, keepEmpty: true, value: now.text },
    ];
    const shape = ({ headline, text }) => ({ alert, changes: { headline, text, ...(lang && { lang }) } });
    await this.orders.give("alert.update", { alert }, { title: "Update the alert", says: "Everybody who got the alert gets the new words and is asked again.", fields, shape });
  }

  async export(alert) {
    try {
      const { xml = "" } = await this.desk.read("alert.export", { alert });
      save(`${alert}.xml`, xml, "application/cap+xml");
      this.orders.toast(`Saved as ${alert}.xml (CAP 1.2).`);
    } catch (error) {
      this.orders.toast(`alert.export: ${error.message || "the connection was lost"}`, { bad: true });
    }
  }

  fromXml() {
    const fields = [{ name: "xml", label: "The CAP 1.2 message", kind: "area", rows: 8, required: true, max: 12_000 }];
    return this.orders.give("alert.import", {}, { title: "Raise an alert from a CAP message", says: "As the authorities send it. It goes to everybody whom it names.", fields, danger: true });
  }

  update(card, alert) {
    const ledger = alert.ledger ?? {};
    const targeted = ledger.targeted ?? 0;
    const word = statusWord(alert);
    card.dataset.status = alert.status;
    card.dataset.severity = alert.severity;
    setText(card.querySelector("h3"), `${word ? `${word}: ` : ""}${alert.headline ?? ""}`);
    const live = alert.state === "active";
    const score = live && Number.isFinite(alert.score) ? ` ${figure(alert.score)} % have answered.` : "";
    setText(card.querySelector(".card-state"), `${alert.id}, version ${alert.rev}, ${STATE[alert.state] ?? alert.state}. Sent ${clockTime(alert.sent)}, until ${clockTime(alert.expires)}.${score}`);
    card.classList.toggle("card-over", !live);
    const wanted = WANTED[alert.ack] ?? WANTED.required;
    this.ring(card, ledger, targeted, wanted);
    const sum = sumOf(ledger, STEPS);
    const terms = [...STEPS].reverse().map((step) => `${figure(ledger[step] ?? 0)} ${step}`).join(" + ");
    const equation = card.querySelector(".equation");
    setText(equation, `${figure(targeted)} targeted ${sum === targeted ? "=" : "≠"} ${terms}`);
    equation.classList.toggle("equation-bad", sum !== targeted);
    const after = ledger.joined_after ? ` ${figure(ledger.joined_after)} came in afterwards.` : "";
    setText(card.querySelector(".card-help"), `${helpWords(ledger)}${after}`);
    card.querySelector(".card-help").classList.toggle("card-help-wanted", openCalls(ledger) > 0);
    setText(card.querySelector(".card-final"), live ? "" : lastWords(alert));
    card.querySelectorAll('.card-acts [data-act]:not([data-act="alert.ledger"], [data-act="alert.export"])').forEach((each) => show(each, live));
    const rooms = Object.entries(alert.rooms ?? {});
    setText(card.querySelector(".card-rooms-rest"), alert.rooms_more ? `and ${figure(alert.rooms_more)} more rooms` : "");
    keyed(
      card.querySelector(".card-rooms"),
      rooms,
      ([room]) => room,
      ([room]) => make("li", {}, make("bdi", {}, titled(room)), make("span", {})),
      (element, [, held]) => setText(element.lastElementChild, ` ${figure(sumOf(held, wanted.steps))} of ${figure(held.targeted ?? 0)} ${wanted.words}`),
    );
  }

  ring(card, ledger, targeted, wanted) {
    let at = 0;
    for (const step of STEPS) {
      const part = targeted ? ((ledger[step] ?? 0) / targeted) * ROUND : 0;
      const arc = card.querySelector(`.ring-${step}`);
      arc.setAttribute("stroke-dasharray", `${part} ${ROUND}`);
      arc.setAttribute("stroke-dashoffset", String(-at));
      at += part;
      setText(card.querySelector(`[data-step="${step}"] strong`), figure(ledger[step] ?? 0));
    }
    const done = sumOf(ledger, wanted.steps);
    const read = targeted ? Math.floor((100 * done) / targeted) : 0;
    setText(card.querySelector(".ring-figure"), `${read} %`);
    setText(card.querySelector(".ring-words"), wanted.words);
    card.querySelector(".ring").setAttribute("aria-label", `${figure(done)} of ${figure(targeted)} people ${wanted.words}`);
  }

  async names(alert, state) {
    const dialog = byId("names");
    const list = byId("names-list");
    list.kept = undefined;
    list.replaceChildren();
    this.again = () => this.names(alert, state);
    setText(byId("names-title"), state === "help" ? "Who needs help" : "Who has not answered");
    if (!dialog.open) dialog.showModal();
    const load = async (page) => {
      setText(byId("names-said"), "One moment …");
      const detail = await this.desk.read("alert.ledger", { alert, state, page });
      const items = detail.items ?? [];
      list.append(...items.map((row) => this.person(row, alert)));
      const shown = list.childElementCount;
      const count = detail.more ? `${figure(shown)} of ${figure(detail.total)} people` : shown === 1 ? "1 person" : `${figure(shown)} people`;
      const said = shown ? count : state === "help" ? "Nobody" : "Everybody has answered";
      setText(byId("names-said"), `${said}, as of ${clockTime(this.desk.now / 1000)}.`);
      show(byId("names-more"), Boolean(detail.more));
      byId("names-more").onclick = () => load(page + 1).catch(failed);
    };
    const failed = (error) => setText(byId("names-said"), error.message || "You are offline.");
    await load(1).catch(failed);
  }

  person({ member, nickname, state, at, note, rooms, help, helped }, alert) {
    const more = [state, ...(rooms ?? []).map(titled), at ? clockTime(at) : "", helped ? "dealt with" : ""].filter(Boolean).join(", ");
    const resolve = () => this.orders.quick("help.resolve", { alert, member }, { reason: "help was given" });
    const done = help && !helped && this.desk.may("help.resolve");
    return make(
      "li",
      { title: member ?? "" },
      make("strong", {}, name(nickname)),
      make("span", { class: "hint" }, ` ${more}`),
      done ? button("Dealt with", resolve, { "data-act": "help.resolve", "aria-label": `Dealt with: ${nickname ?? ""}` }) : null,
      note ? make("p", { class: "names-note", dir: "auto" }, note) : null,
    );
  }
}
