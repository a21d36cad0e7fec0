// Raising an alert: write it, see exactly what phones will show and how many people it reaches, type the word, and it goes.

import { dress, face, RESPONSE, SEVERITY } from "/app/face.js";
import { byId, make, setText, show, titled } from "/app/words.js";
import { control } from "./orders.js";
import { figure } from "./lists.js";
import { TEMPLATES } from "./templates.js";

const WORDS = { actual: "SEND ALERT", exercise: "DRILL", test: "TEST" };
const KINDS = [["exercise", "A drill: everybody sees that it is one"], ["actual", "Real: something has happened"], ["test", "A test of the system"]];
const pairs = (words) => words.map((word) => [word, word.replace("_", " ")]);
const labelled = (labels) => Object.entries(labels).map(([value, label]) => [value, label || "nothing to do"]);
const EXPIRY = [["10", "10 minutes"], ["30", "30 minutes"], ["45", "45 minutes"], ["60", "1 hour"], ["120", "2 hours"], ["360", "6 hours"]];

const FIELDS = [
  { name: "status", label: "Real or drill", kind: "select", options: KINDS, value: "exercise" },
  { name: "severity", label: "How bad", kind: "select", options: labelled(SEVERITY), value: "moderate" },
  { name: "response", label: "What people should do", kind: "select", options: labelled(RESPONSE), value: "none" },
  { name: "headline", label: "Headline", required: true, max: 160 },
  { name: "text", label: "Text", kind: "area", rows: 4, max: 2000 },
  { name: "minutes", label: "In force for", kind: "select", options: EXPIRY, value: "30" },
  { name: "ack", label: "Answer wanted", kind: "select", options: [["required", "that it was read"], ["seen", "that it was on the screen"], ["none", "none"]], value: "required" },
];
const FINER = [
  { name: "urgency", label: "How soon", kind: "select", options: pairs(["immediate", "expected", "future", "past", "unknown"]), value: "immediate" },
  { name: "certainty", label: "How sure", kind: "select", options: pairs(["observed", "likely", "possible", "unlikely", "unknown"]), value: "observed" },
  { name: "lang", label: "Language of the text", value: "en", max: 12 },
  { name: "remind_s", label: "Repeat after, seconds (0 = never)", kind: "number", min: 0, most: 3600, value: "60" },
  { name: "spread", label: "Answers spread over, seconds", kind: "number", min: 0, most: 600, value: "5" },
  { name: "correction_headline", label: "Prepared correction: headline", max: 160 },
  { name: "correction_text", label: "Prepared correction: text", kind: "area", rows: 2, max: 2000 },
];

export class Composer {
  constructor(desk, orders, raised) {
    Object.assign(this, { desk, orders, raised });
    this.dialog = byId("raise");
    this.inputs = new Map([...FIELDS, ...FINER].map((field) => [field.name, control({ ...field, name: `alert-${field.name}` })]));
    const rows = (fields) => fields.map(({ name }) => this.inputs.get(name).row);
    byId("raise-fields").replaceChildren(...rows(FIELDS));
    byId("raise-finer").append(...rows(FINER));
    byId("raise-template").replaceChildren(...TEMPLATES.map((each, at) => make("option", { value: String(at) }, each.name)));
    byId("raise-template").addEventListener("change", () => this.fill(TEMPLATES[Number(byId("raise-template").value)]));
    byId("raise-where").addEventListener("change", () => this.where());
    byId("raise-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.preview();
    });
    byId("raise-form").addEventListener("input", () => this.undecided());
    byId("raise-back").addEventListener("click", () => this.undecided());
    byId("raise-close").addEventListener("click", () => this.dialog.close());
    byId("raise-confirm").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  open() {
    const real = this.desk.may("alert.update"); // Who may not update a real one may not send a real one.
    const status = this.input("status");
    [...status.options].forEach((option) => (option.disabled = option.value === "actual" && !real));
    const rooms = this.desk.latest("rooms")?.rooms ?? [];
    const zones = [...new Set(rooms.map((row) => row.zone).filter(Boolean))].sort();
    const pick = (kind, value, label) => make("li", {}, make("label", { class: "pick" }, make("input", { type: "checkbox", value, "data-kind": kind }), make("bdi", {}, label)));
    byId("raise-rooms").replaceChildren(...rooms.slice(0, 256).map((row) => pick("rooms", row.room, `${row.title || titled(row.room)} (${figure(row.online ?? 0)})`)));
    byId("raise-zones").replaceChildren(...zones.map((zone) => pick("zones", zone, zone)));
    byId("raise-where").querySelector('[value="all"]').checked = true;
    byId("raise-where").querySelector('[value="zones"]').disabled = !zones.length;
    byId("raise-template").value = "0";
    this.fill(TEMPLATES[0]);
    this.where();
    this.dialog.showModal();
    byId("raise-template").focus();
  }

  input(name) {
    return this.inputs.get(name).input;
  }

  fill(template) {
    const { correction } = template;
    const values = { ...template, correction_headline: correction.headline, correction_text: correction.text };
    for (const [name, { input }] of this.inputs) if (name in values) input.value = String(values[name]);
    this.undecided();
  }

  where() {
    const kind = byId("raise-where").querySelector(":checked").value;
    show(byId("raise-rooms"), kind === "rooms");
    show(byId("raise-zones"), kind === "zones");
    this.undecided();
  }

  args() {
    const value = (name) => this.input(name).value.trim();
    const kind = byId("raise-where").querySelector(":checked").value;
    const picked = [...byId(`raise-${kind === "zones" ? "zones" : "rooms"}`).querySelectorAll(":checked")].map((box) => box.value);
    const correction = { headline: value("correction_headline"), text: value("correction_text") };
    return {
      status: value("status"),
      severity: value("severity"),
      urgency: value("urgency"),
      certainty: value("certainty"),
      response: value("response"),
      headline: value("headline"),
      text: value("text"),
      lang: value("lang") || "en",
      ...(kind === "all" ? { all: true } : { [kind]: picked }),
      expires_s: Number(value("minutes")) * 60,
      ack: value("ack"),
      remind_s: Number(value("remind_s")),
      receipt_spread_ms: Number(value("spread")) * 1000,
      ...(correction.headline && { correction }),
    };
  }

  // Something was changed after the preview: what was shown is not what would be sent.
  undecided() {
    this.draft = null;
    show(byId("raise-preview"), false);
    show(byId("raise-form"), true);
    setText(byId("raise-problem"), "");
  }

  async preview() {
    const args = this.args();
    const problem = byId("raise-problem");
    if (!args.headline) {
      setText(problem, "An alert needs a headline.");
      this.input("headline").focus();
      return;
    }
    setText(problem, "");
    byId("raise-next").disabled = true;
    try {
      const ok = await this.desk.order("alert.raise", args, { reason: "preview", dry_run: true });
      const { frame } = this.desk.may("alert.preview") ? await this.desk.read("alert.preview", args) : {};
      this.decide(args, ok, frame);
    } catch (error) {
      setText(problem, error.message || "The connection was lost.");
    } finally {
      byId("raise-next").disabled = false;
    }
  }

  decide(args, ok, made) {
    this.draft = args;
    const detail = ok.detail ?? {};
    const count = ok.affected ?? detail.people ?? 0;
    const words = { headline: args.headline, text: args.text };
    const frame = made ?? { ...args, kind: "alert", info: { [args.lang]: words }, expires: this.desk.now / 1000 + args.expires_s };
    const shown = make("article", { class: "alert" });
    dress(shown, frame);
    const still = (label, kind) => make("span", { class: `alert-button ${kind}` }, label);
    shown.append(
      make("div", { class: "alert-top" }, face(frame, { spoken: false, skew: this.desk.link.skew, languages: [args.lang] })),
      make("div", { class: "alert-buttons", "aria-hidden": "true" }, still("I have read this", "alert-read"), still("I need help", "alert-need")),
    );
    byId("raise-phone").replaceChildren(shown);
    const people = `${figure(count)} ${count === 1 ? "person" : "people"}`;
    const where = args.all ? "in all rooms" : `in ${(args.rooms ?? args.zones ?? []).join(", ")}`;
    const kind = { actual: "Real alert", exercise: "Drill", test: "Test" }[args.status];
    setText(byId("raise-count"), `${kind} to ${people} ${where}`);
    const word = WORDS[args.status];
    setText(byId("raise-word-label"), `Type ${word} to send it`);
    setText(byId("raise-send"), args.status === "actual" ? "Send the alert" : args.status === "test" ? "Send the test" : "Send the drill");
    byId("raise-send").classList.toggle("danger", args.status === "actual");
    byId("raise-word").value = "";
    setText(byId("raise-send-problem"), "");
    show(byId("raise-form"), false);
    show(byId("raise-preview"), true);
    byId("raise-word").focus();
  }

  async send() {
    const args = this.draft;
    const problem = byId("raise-send-problem");
    const word = WORDS[args.status];
    const confirm = byId("raise-word").value.trim();
    if (confirm !== word) {
      setText(problem, `Nothing was sent. Type ${word} exactly as it is written.`);
      byId("raise-word").focus();
      return;
    }
    const send = byId("raise-send");
    send.disabled = true;
    setText(problem, "");
    const reason = byId("raise-reason").value.trim() || args.headline;
    try {
      const ok = await this.orders.now("alert.raise", args, { confirm, reason });
      this.dialog.close();
      if (!ok.pending) this.raised(ok);
    } catch (error) {
      setText(problem, error.message || "The connection was lost.");
    } finally {
      send.disabled = false;
    }
  }
}
