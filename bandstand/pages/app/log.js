// The messages of a room, on the page: in the order of their seq, each once, never more than LIMIT in the document.
// When the newest do not fit below what somebody is reading, they are counted, and fetched when asked for.

import { bubble, fillQuote, joinUp, keyAmong, redraw, rove, setChips, stopAt } from "./bubble.js";
import { applyTo, isLine, line, lineOf } from "./notes.js";
import { byId, dayOf, make, setText, show } from "./words.js";

const LIMIT = 300;
const PAGE = 50;
const NEAR = 120;

export class Log {
  constructor(acts) {
    this.acts = { ...acts, quoted: (seq) => this.items.get(seq)?.entry, jump: (seq) => this.jump(seq) };
    this.box = byId("log");
    this.list = byId("messages");
    this.pending = byId("pending");
    this.older = byId("older");
    this.pill = byId("unread");
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.box.addEventListener("keydown", (event) => keyAmong(this.list, event));
    this.pill.addEventListener("click", () => this.toNewest());
    this.older.addEventListener("click", () => this.loadOlder());
    new ResizeObserver(() => this.resized()).observe(this.box);
    new ResizeObserver(() => this.stuck && this.stick()).observe(this.list); // Chips under a message, new words in it.
    this.clear();
  }

  clear() {
    this.letters = new Map(); // cid -> item
    this.pending.replaceChildren();
    this.clearList();
  }

  clearList() {
    this.view = (this.view ?? 0) + 1; // What was asked for an earlier view has no place in this one.
    this.queue = [];
    this.items = new Map(); // seq -> item
    this.reached = 1; // everything before this seq is not on the page; 1 = nothing is
    this.known = false; // whether there is anything at all
    this.live = true;
    this.stuck = true;
    this.unread = 0;
    this.list.replaceChildren();
    this.drawEdges();
  }

  use(room, me) {
    this.room = room;
    this.me = me;
  }

  // Adding

  // Live entries gather until the next frame of the screen: a flood costs one layout, not one a message.
  add(frame) {
    this.queue.push(frame);
    if (this.queue.length >= LIMIT) this.flush();
    else if (this.queue.length > 1) return;
    else if (document.hidden) setTimeout(() => this.flush(), 100);
    else requestAnimationFrame(() => this.flush());
  }

  flush() {
    const frames = this.queue;
    this.queue = [];
    if (!frames.length) return;
    for (const frame of frames) this.insert(frame, false);
    this.trim(this.list.firstElementChild, (each) => each.nextElementSibling);
    if (this.stuck) this.stick();
    rove(this.list);
    this.drawEdges();
  }

  insert(frame, old) {
    const seq = frame.seq;
    if (frame.type === "edited" && !frame.deleted) this.edit(frame);
    if (frame.type === "deleted") this.removed(frame.target);
    if (!old) applyTo(this, frame);
    if ((frame.type !== "message" && !isLine(frame)) || this.items.has(seq)) return;
    if (frame.type !== "message" && this.list.querySelector(`[data-seq="${seq}"]`)) return;
    if (!old && !this.stuck && this.list.childElementCount >= LIMIT) this.live = false;
    if (old || this.live) this.place(this.elementOf(frame), seq);
    else if (frame.cid) this.dropLetter(frame.cid);
    if (!old && !this.stuck && frame.type === "message" && frame.member !== this.me) this.unread += 1;
  }

  elementOf(frame) {
    if (frame.type !== "message") return lineOf(frame, this.acts);
    if (frame.member === "house" && !frame.deleted) return line(frame, frame.text);
    const item = bubble(frame, this.me, this.acts);
    item.element.item = item;
    item.element.dataset.seq = frame.seq;
    if (frame.cid && this.letters.has(frame.cid)) this.dropLetter(frame.cid);
    this.items.set(frame.seq, item);
    return item.element;
  }

  place(element, seq) {
    let before = this.list.lastElementChild;
    while (before && Number(before.dataset.seq) > seq) before = before.previousElementSibling;
    if (before) before.after(element);
    else this.list.prepend(element);
    this.neighbours(element);
  }

  neighbours(element) {
    for (const each of [element, element.nextElementSibling]) {
      if (!each) continue;
      joinUp(each, each.previousElementSibling);
      this.dayMark(each);
    }
  }

  dayMark(element) {
    const ts = element.item?.entry.ts;
    if (!ts) return;
    let before = element.previousElementSibling;
    while (before && !before.item) before = before.previousElementSibling;
    const word = dayOf(ts * 1000);
    const fresh = before ? dayOf(before.item.entry.ts * 1000) !== word : this.reached <= 1;
    if (fresh) element.dataset.day = word;
    else delete element.dataset.day;
  }

  trim(first, following) {
    if (this.list.childElementCount <= LIMIT) return;
    for (let each = first; each && this.list.childElementCount > LIMIT; ) {
      const next = following(each);
      if (each.item) this.items.delete(Number(each.dataset.seq));
      each.remove();
      each = next;
    }
    this.reached = Math.max(this.reached, Number(this.list.firstElementChild?.dataset.seq ?? 1));
    this.drawEdges();
  }

  edit(frame) {
    const item = this.items.get(frame.target);
    if (!item || item.entry.deleted || item.entry.hidden || frame.deleted) return;
    Object.assign(item.entry, { text: frame.text, edited: frame.seq });
    redraw(item);
    this.requote(frame.target);
  }

  removed(seq) {
    const item = this.items.get(seq);
    if (!item) return;
    Object.assign(item.entry, { deleted: true, text: "" });
    redraw(item);
    this.requote(seq);
  }

  reactions(seq, counts) {
    const item = this.items.get(seq);
    if (item) setChips(item, counts, this.acts);
  }

  // What is taken from a message goes from where it is quoted too.
  requote(seq) {
    for (const quote of this.box.querySelectorAll(`.quote[data-quotes="${Number(seq)}"]`)) fillQuote(quote, this.acts.quoted(Number(seq)));
  }

  // What is not there

  gap({ from, to, why }) {
    this.flush();
    if (why === "epoch") {
      this.clearList();
      this.reached = to + 1;
      this.drawEdges();
      return;
    }
    if (to < from) return;
    this.drawGap(from, to, why);
    if (this.stuck) this.stick();
  }

  drawGap(from, to, why) {
    const count = to - from + 1;
    const said = count === 1 ? "1 message is missing here" : `${count.toLocaleString()} messages are missing here`;
    const element = make("div", { class: "gap", "data-seq": to }, make("span", {}, why === "trimmed" ? "Older messages are no longer kept" : said));
    if (why !== "trimmed") {
      element.append(make("button", { type: "button", class: "load", click: () => this.fill(element, from, to) }, "Load"));
    }
    this.place(element, to);
  }

  async fill(element, from, to) {
    element.querySelector("button").disabled = true;
    const page = await this.page({ before: to + 1 });
    if (!page) {
      element.querySelector("button").disabled = false;
      return;
    }
    const found = page.items.filter((item) => item.seq >= from);
    element.remove();
    const rest = (found[0]?.seq ?? to + 1) - 1;
    if (found.length === 0) this.drawGap(from, to, "trimmed");
    else if (rest >= from) this.drawGap(from, rest, rest < page.oldest ? "trimmed" : "too_many");
    this.addPage(found, page.reactions);
    rove(this.list);
  }

  addPage(frames, reactions = {}) {
    for (const frame of frames) this.insert(frame, true);
    for (const [seq, counts] of Object.entries(reactions)) this.reactions(Number(seq), counts);
  }

  // null: it cannot be had just now, or it is not wanted any more.
  async page(ask) {
    const { view, room } = this;
    try {
      const page = await room.request({ type: "history", limit: PAGE, ...ask });
      room.oldest = page.oldest;
      this.flush();
      return view === this.view && room === this.room ? page : null;
    } catch {
      return null;
    }
  }

  // After the first join: what lies before the tail.
  caughtUp() {
    this.flush();
    const first = Number(this.list.firstElementChild?.dataset.seq ?? (this.room.head ?? 0) + 1);
    this.known = true;
    if (this.list.querySelector(".gap") === null) this.reached = Math.max(this.reached, first);
    this.dayMark(this.list.firstElementChild ?? this.list);
    this.drawEdges();
    if (this.stuck) this.stick();
  }

  async loadOlder() {
    if (this.loading || this.reached <= 1) return;
    this.loading = true;
    this.older.disabled = true;
    const page = await this.page({ before: this.reached });
    this.loading = false;
    this.older.disabled = false;
    if (!page) return;
    const height = this.box.scrollHeight - this.box.scrollTop;
    this.reached = page.more ? (page.items[0]?.seq ?? 1) : 1;
    this.addPage(page.items, page.reactions);
    this.stuck = false;
    if (this.list.childElementCount > LIMIT) {
      this.live = false;
      const reached = this.reached;
      this.trim(this.list.lastElementChild, (each) => each.previousElementSibling);
      this.reached = reached;
    }
    this.drawEdges();
    this.box.scrollTop = this.box.scrollHeight - height;
  }

  drawEdges() {
    show(this.older, this.reached > 1);
    const whole = this.known && this.reached <= 1;
    setText(byId("beginning"), this.room?.oldest > 1 ? "Older messages are no longer kept." : "This is where the room begins.");
    show(byId("beginning"), whole && this.list.childElementCount > 0);
    show(byId("empty"), whole && this.list.childElementCount === 0 && this.pending.childElementCount === 0);
    show(this.pill, this.unread > 0 || !this.live || !this.stuck);
    setText(this.pill.firstElementChild, this.unread > 0 ? `${this.unread} new` : "Newest");
  }

  // Unread

  async toNewest() {
    if (!this.live && !(await this.reload())) return;
    this.stick();
    this.list.lastElementChild?.focus({ preventScroll: true });
  }

  // The list made anew from one page: the newest, or the one after a seq. False: it cannot be had just now.
  async reload(ask = {}) {
    let page = await this.page(ask);
    const newest = () => ask.after === undefined || !page.more;
    // What came while the page was on its way is neither on it nor in the list to come: it is read again.
    for (let tries = 3; page && newest() && this.overtaken(page) && tries; tries -= 1) page = await this.page(ask);
    if (!page) return false;
    this.view += 1;
    this.list.replaceChildren();
    this.items = new Map();
    const first = page.items[0]?.seq ?? 1;
    const earlier = ask.after === undefined ? page.more : first > page.oldest;
    this.reached = earlier ? first : 1;
    this.live = newest();
    this.stuck = this.stuck && ask.after === undefined;
    this.addPage(page.items, page.reactions);
    rove(this.list);
    this.drawEdges();
    return true;
  }

  overtaken({ epoch, head }) {
    const { position } = this.room;
    return position?.epoch === epoch && position.seq > head;
  }

  stick() {
    this.stuck = true;
    this.unread = 0;
    this.box.scrollTop = this.box.scrollHeight;
    this.bottom = this.box.scrollTop;
    this.drawEdges();
  }

  resized() {
    this.height = this.box.clientHeight;
    if (this.stuck) this.stick();
  }

  scrolled() {
    if (this.box.clientHeight !== this.height) return; // Nobody has scrolled: an alert has come or gone above.
    const below = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight;
    const stuck = below < NEAR / 3 || (this.stuck && this.box.scrollTop >= this.bottom); // It was the end that moved.
    if (this.box.scrollTop < NEAR && !stuck && this.box.scrollHeight > this.box.clientHeight + NEAR) this.loadOlder();
    if (stuck === this.stuck) return;
    this.stuck = stuck && this.live;
    if (this.stuck) this.unread = 0;
    this.drawEdges();
  }

  // A line over the first message that came while this person was away.
  markNew(seq) {
    for (const item of this.items.values()) item.element.classList.remove("first-new");
    const first = [...this.items.keys()].sort((a, b) => a - b).find((each) => each > seq && this.items.get(each).entry.member !== this.me);
    if (seq > 0 && first !== undefined) this.items.get(first).element.classList.add("first-new");
  }

  // What is not sent yet stands below everything else

  showLetter(letter) {
    let item = this.letters.get(letter.cid);
    if (!item) {
      const entry = { member: this.me, nickname: this.room.nickname || "you", text: letter.text, ts: letter.at / 1000, reply_to: letter.reply_to, letter };
      item = bubble(entry, this.me, this.acts);
      item.element.item = item;
      this.letters.set(letter.cid, item);
      this.pending.append(item.element);
      joinUp(item.element, item.element.previousElementSibling);
    }
    redraw(item);
    item.element.querySelector(".mend")?.remove();
    if (letter.state === "failed") item.element.append(this.mend(letter));
    this.drawEdges();
  }

  mend(letter) {
    return make(
      "div",
      { class: "mend" },
      make("button", { type: "button", class: "act", click: () => this.acts.again(letter) }, "Try again"),
      make("button", { type: "button", class: "act", click: () => this.acts.discard(letter) }, "Discard"),
    );
  }

  // Stored: shown at its place, unless the log has shown it already.
  stored(letter, ok) {
    this.flush();
    if (!this.letters.has(letter.cid)) return;
    const { cid, text, reply_to } = letter;
    const known = this.room.position?.seq >= ok.seq && this.room.position.epoch === ok.epoch;
    this.dropLetter(cid);
    if (known || this.items.has(ok.seq)) return;
    const frame = { type: "message", seq: ok.seq, ts: ok.ts, member: this.me, nickname: this.room.nickname, cid, text, reply_to };
    this.place(this.elementOf(frame), ok.seq);
    if (this.stuck) this.stick();
  }

  dropLetter(cid) {
    this.letters.get(cid)?.element.remove();
    this.letters.delete(cid);
    this.drawEdges();
  }

  // Somewhere else in the log

  // To a message; one that is not among those on the page is read from the server, with what follows it.
  async jump(seq) {
    const here = () => this.list.querySelector(`[data-seq="${Number(seq)}"]`);
    this.flush();
    if (!here() && !(await this.goBackTo(seq))) return;
    const element = here();
    if (!element) {
      this.acts.missing("That message is no longer kept.");
      return;
    }
    element.scrollIntoView({ block: "center" });
    stopAt(this.list, element);
    element.focus({ preventScroll: true });
  }

  async goBackTo(seq) {
    const { view } = this;
    if (this.room.joined && (await this.reload({ after: seq - 1 }))) return true;
    if (view === this.view) this.acts.missing("You are offline, and that message is not on this page.");
    return false;
  }
}
