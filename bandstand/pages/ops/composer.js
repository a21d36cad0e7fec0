// Raising an alert: write it, see exactly what phones will show and how many people it reaches, type the word, and it goes.

import { RESPONSE, SEVERITY } from "/app/face.js";
import { byId, make, setText, show } from "/app/words.js";
import { control } from "./fields.js";
import { figure } from "./lists.js";
import { Picks } from "./picks.js";
import { alertOf } from "./preview.js";
import { TEMPLATES } from "./templates.js";

const MOST_NAMES = 256;
const WORDS = { actual: "SEND ALERT", exercise: "DRILL", test: "TEST" };
const KINDS = [["exercise", "Drill: phones say that it is one"], ["actual", "Real: something has happened"], ["test", "Test of the system"]];
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
  constructor(desk, orders, census, raised) {
    Object.assign(this, { desk, orders, raised, picks: new Picks(census) });
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
    byId("raise-form").addEventListener("input", () => {
      this.written = true;
      this.undecided();
    });
    this.dialog.addEventListener("cancel", (event) => this.escape(event));
    byId("raise-back").addEventListener("click", () => this.undecided());
    byId("raise-close").addEventListener("click", () => this.dialog.close());
    byId("raise-confirm").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  // As new each time: what was written for another alert, its language, its kind and its reason, is not in the way of this one.
  open() {
    const real = this.desk.may("alert.update"); // Who may not update a real one may not send a real one.
    const status = this.input("status");
    [...status.options].forEach((option) => (option.disabled = option.value === "actual" && !real));
    for (const { input, field } of this.inputs.values()) input.value = field.value ?? "";
    byId("raise-reason").value = "";
    byId("raise-finer").open = false;
    byId("raise-where").querySelector('[value="all"]').checked = true;
    byId("raise-template").value = "0";
    this.fill(TEMPLATES[0]);
    this.picks.open();
    this.where();
    this.written = false;
    this.opened = (this.opened ?? 0) + 1;
    byId("raise-send").disabled = false;
    this.dialog.showModal();
    byId("raise-template").focus();
  }

  // With the words that are in it.
  goOn() {
    this.undecided();
    this.dialog.showModal();
  }

  // What was written in a hurry is not thrown away by one key.
  escape(event) {
    if (!this.written) return;
    this.written = false;
    event.preventDefault();
    setText(byId(this.draft ? "raise-send-problem" : "raise-problem"), "Escape once more throws away what you wrote.");
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

  get kind() {
    return byId("raise-where").querySelector(":checked").value;
  }

  where() {
    this.picks.show(this.kind);
    this.undecided();
  }

  args() {
    const value = (name) => this.input(name).value.trim();
    const { kind } = this;
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
      ...(kind === "all" ? { all: true } : { [kind]: [...this.picks.picked[kind]] }),
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
    const names = args.all ? 1 : args[this.kind].length;
    const wrong = !args.headline
      ? "An alert needs a headline."
      : !names
        ? `Choose at least one ${this.kind === "zones" ? "zone" : "room"}, or everybody.`
        : names > MOST_NAMES
          ? `An alert can name ${MOST_NAMES} at most. Choose zones, or everybody.`
          : "";
    setText(problem, wrong);
    if (wrong) {
      (args.headline ? byId("raise-filter") : this.input("headline")).focus();
      return;
    }
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
    byId("raise-phone").replaceChildren(alertOf(frame, this.desk.link.skew, [args.lang]));
    const people = `${figure(count)} ${count === 1 ? "person" : "people"}`;
    const names = args.rooms ?? args.zones ?? [];
    const where = args.all ? "in all rooms" : `in ${names.length > 6 ? `${names.length} ${this.kind}: ` : ""}${names.join(", ")}`;
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
    const { opened } = this;
    const about = () => this.opened === opened; // It may wait for a minute, and another one be written by then.
    try {
      const ok = await this.orders.now("alert.raise", args, { confirm, reason });
      if (!about()) return;
      this.dialog.close();
      if (!ok.pending) this.raised(ok);
    } catch (error) {
      if (about()) setText(problem, error.message || "The connection was lost.");
    } finally {
      if (about()) send.disabled = false;
    }
  }
}
