// One room: joins it on every connection, follows its log exactly once and in order, and empties the outbox into it.
// Tells the page through hooks: entry(frame), gap({from, to, why}), caughtUp(), anew(), letter(letter, fate),
// reactions(seq, counts), typing(nickname, member), changed(), refused(error), alerts(list), removed(frame), late(ok): the
// answer to a join came after the room was left.

import { LONGEST_TIMER_MS, Lost, Refused } from "./link.js";
import { Outbox } from "./outbox.js";
import { moment } from "./words.js";

const TAIL = 60;
const ONLY_TIME = new Set(["rate", "slow_mode", "busy", "unavailable", "draining", "internal"]);
const STUMBLES = 5;
const FAR_MS = 60_000;

export class Room {
  constructor(link, asked, hooks) {
    this.link = link;
    this.asked = asked;
    this.hooks = hooks;
    this.name = "";
    this.title = "";
    this.code = "";
    this.nickname = "";
    this.online = 0;
    this.policy = { frozen: false, slow_s: 0, expires: null, reason: "" };
    this.position = null; // {epoch, seq}: everything up to here has been told
    this.anew = false;
    this.joined = false;
    this.left = false;
    this.outbox = new Outbox(asked);
    this.held = null; // {why, until}: what keeps us out of the room on a sound connection
    this.slowUntil = 0;
  }

  // Joining

  async join() {
    if (this.left) return;
    this.joined = false;
    const since = this.position;
    try {
      // What follows an answer in its microtask comes before the next frame.
      const ok = await this.link.ask({ type: "join", room: this.name || this.asked, since, tail: TAIL });
      if (this.left) this.hooks.late(ok);
      else this.welcomed(ok);
    } catch (error) {
      if (error instanceof Lost || this.left) return;
      if (ONLY_TIME.has(error.code) || (this.name && error.retry)) this.waitOutside(error);
      else this.hooks.refused(error);
    }
  }

  waitOutside({ message, after }) {
    const wait = after ?? 1_000;
    this.held = { why: message, until: after === null ? null : Date.now() + wait };
    this.rejoinTimer = setTimeout(() => this.join(), Math.min(wait, LONGEST_TIMER_MS));
    this.hooks.changed();
  }

  welcomed(ok) {
    Object.assign(this, { name: ok.room, title: ok.title || ok.room, code: ok.code, nickname: ok.nickname });
    this.online = ok.counts?.online ?? this.online;
    this.policy = ok.policy ?? this.policy;
    this.head = ok.head;
    this.oldest = ok.oldest;
    this.epoch = ok.epoch;
    this.anew = false;
    this.held = null;
    this.outbox.named(ok.room);
    if (ok.mode === "fresh") {
      this.position = null;
      this.hooks.anew();
    } else if (this.position?.epoch !== ok.epoch) this.position = { epoch: ok.epoch, seq: 0 };
    this.joined = true;
    this.hooks.alerts(ok.alerts ?? []);
    this.hooks.joined(ok);
    this.rulesChanged();
  }

  connectionLost() {
    this.joined = false;
    this.held = null;
    clearTimeout(this.rejoinTimer);
    this.outbox.connectionLost();
  }

  gone() {
    this.left = true;
    clearTimeout(this.rejoinTimer);
    clearTimeout(this.courierTimer);
    clearTimeout(this.rulesTimer);
  }

  leave() {
    if (this.left) return;
    this.gone();
    if (this.joined) this.link.ask({ type: "leave", room: this.name }).catch(() => {});
  }

  // Following the log

  frame(frame) {
    if (frame.room !== this.name || this.left) return;
    switch (frame.type) {
      case "removed":
        this.gone();
        return this.hooks.removed(frame);
      case "policy":
        // Without a place in the log: the rules as they hold now, with what the house adds to the room's own.
        if (frame.seq !== undefined) return this.entry(frame);
        this.policy = frame;
        return this.rulesChanged();
      case "gap":
        return this.gap(frame);
      case "caught_up":
        return this.caughtUp(frame);
      case "presence":
        this.online = frame.online;
        return this.hooks.changed();
      case "typing":
        return this.hooks.typing(frame.nickname, frame.member);
      case "reactions":
        return Object.entries(frame.counts ?? {}).forEach(([seq, counts]) => this.hooks.reactions(Number(seq), counts));
      default:
        // Whatever has a seq is an entry of the log, of a type we know or not.
        if (Number.isInteger(frame.seq) && typeof frame.epoch === "string") this.entry(frame);
    }
  }

  entry(frame) {
    const held = this.position;
    if (held) {
      const same = this.anew || frame.epoch === held.epoch;
      const last = same ? held.seq : 0;
      if (frame.seq <= last || (!this.anew && frame.epoch < held.epoch)) return;
      if (frame.seq > last + 1) this.hooks.gap({ from: last + 1, to: frame.seq - 1, why: same ? "hole" : "epoch" });
    }
    this.position = { epoch: frame.epoch, seq: frame.seq };
    this.anew = false;
    if (frame.type === "policy") {
      this.policy = { lockdown: this.policy.lockdown, ...frame };
      this.rulesChanged();
    }
    this.arrived(frame);
    this.hooks.entry(frame);
  }

  // One's own words in the log are stored, whether or not the answer still comes.
  arrived({ member, cid }) {
    const letter = member === this.link.member && this.outbox.letters.find((each) => each.cid === cid);
    if (letter) this.outbox.settle(letter);
  }

  gap(frame) {
    if (frame.why === "epoch") {
      this.anew = true;
      this.position = { epoch: this.epoch, seq: frame.to };
    } else if (this.position) {
      if (frame.to <= this.position.seq) return;
      this.position.seq = frame.to;
    }
    this.hooks.gap(frame);
  }

  caughtUp(frame) {
    if (!this.position) this.position = { epoch: this.epoch, seq: frame.seq };
    else if (frame.seq > this.position.seq) {
      this.hooks.gap({ from: this.position.seq + 1, to: frame.seq, why: "hole" });
      this.position.seq = frame.seq;
    }
    this.hooks.caughtUp();
  }

  // The rules in force

  get serverNow() {
    return Date.now() + this.link.skew;
  }

  get expired() {
    return this.policy.expires !== null && this.policy.expires !== undefined && this.serverNow >= this.policy.expires * 1000;
  }

  get paused() {
    return Boolean(this.policy.frozen) && !this.expired;
  }

  get slowSeconds() {
    return this.expired ? 0 : this.policy.slow_s || 0;
  }

  rulesChanged() {
    clearTimeout(this.rulesTimer);
    if (this.policy.expires && !this.expired) {
      const left = this.policy.expires * 1000 - this.serverNow + 50;
      this.rulesTimer = setTimeout(() => this.rulesChanged(), Math.min(left, LONGEST_TIMER_MS));
    }
    this.hooks.changed();
    this.deliver();
  }

  // Saying things

  say(text, replyTo) {
    const letter = this.outbox.add(text, replyTo);
    this.deliver();
    return letter;
  }

  // The letter that goes now: the same one, or another with the same words.
  again(letter) {
    const strange = letter.member && this.link.member && letter.member !== this.link.member;
    const next = letter.spent || strange ? this.outbox.renew(letter) : letter;
    this.outbox.change(next, { state: "waiting", why: "", notBefore: 0 });
    this.deliver();
    return next;
  }

  deliver() {
    clearTimeout(this.courierTimer);
    if (!this.joined || this.left) return;
    const letter = this.outbox.next();
    if (letter) {
      // One that may be stored already is never judged by a later pause: it may go.
      if (!this.paused || letter.tries > 0) this.post(letter);
      return;
    }
    const first = this.outbox.letters.find((each) => each.state === "waiting");
    if (first?.notBefore) this.courierTimer = setTimeout(() => this.deliver(), Math.max(20, first.notBefore - Date.now()));
  }

  async post(letter) {
    const me = this.link.member;
    if (letter.member && letter.member !== me) {
      this.fail(letter, "it was said under another identity, and nobody knows whether it arrived", true);
      this.deliver();
      return;
    }
    this.outbox.change(letter, { state: "sending", why: "", tries: letter.tries + 1, member: me });
    this.hooks.letter(letter, "sending");
    const { cid, text, reply_to } = letter;
    try {
      const ok = await this.link.ask({ type: "send", room: this.name, cid, text, ...(reply_to && { reply_to }) });
      if (this.slowSeconds) this.slowUntil = Date.now() + this.slowSeconds * 1000;
      this.outbox.settle(letter);
      this.hooks.letter(letter, "stored", ok);
    } catch (error) {
      if (error instanceof Lost) return; // connectionLost() has put it back.
      if (this.outbox.letters.includes(letter)) this.refusedLetter(letter, error);
    }
    this.deliver();
  }

  refusedLetter(letter, error) {
    const stumbled = error.code === "internal" && letter.tries >= STUMBLES;
    if (error.retry && ONLY_TIME.has(error.code) && !stumbled) {
      const notBefore = Date.now() + (error.after ?? 1_000);
      this.outbox.change(letter, { state: "waiting", why: error.message, notBefore, tries: 0 });
      if (error.code === "slow_mode") this.slowUntil = notBefore;
      this.hooks.letter(letter, "waiting");
    } else if (error.code === "frozen") {
      this.outbox.change(letter, { state: "waiting", why: error.message, tries: 0, notBefore: Date.now() + 2_000 });
      this.hooks.letter(letter, "waiting");
    } else {
      const until = error.after >= FAR_MS ? `, until ${moment(Date.now() + error.after)}` : "";
      this.fail(letter, error.message + until, error.code === "cid_reused");
    }
  }

  fail(letter, why, spent = false) {
    this.outbox.change(letter, { state: "failed", why, spent });
    this.hooks.letter(letter, "failed");
  }

  // Asked again after a loss: for what may be asked twice.
  async request(frame, { patienceMs = 60_000, stumbles = STUMBLES } = {}) {
    for (let stumble = 0; ; ) {
      try {
        return await this.link.ask({ ...frame, room: this.name });
      } catch (error) {
        if (error instanceof Lost) {
          if (!(await this.rejoined(patienceMs))) throw error;
        } else if (error instanceof Refused && error.retry && ONLY_TIME.has(error.code) && stumble < stumbles) {
          stumble += 1;
          await new Promise((done) => setTimeout(done, error.after ?? 1_000));
        } else throw error;
      }
    }
  }

  // Waits in any case: a line that is closing is joined still, and a question asked over and over would keep the page from
  // hearing that it has closed.
  async rejoined(patienceMs) {
    for (const until = Date.now() + patienceMs; Date.now() < until && !this.left; ) {
      await new Promise((done) => setTimeout(done, 200));
      if (this.joined) return !this.left;
    }
    return false;
  }
}
