// One room: joins it on every connection, follows its log exactly once and in order, and empties the outbox into it.
// Tells the page through hooks: entry(frame), gap({from, to, why}), caughtUp(), anew(), letter(letter, fate),
// reactions(seq, counts), typing(nickname, member), changed(), refused(error), alerts(list), removed(frame).

import { Lost, Refused } from "./link.js";

const TAIL = 60;
const ONLY_TIME = new Set(["rate", "slow_mode", "busy", "unavailable", "draining", "internal"]);
const STUMBLES = 5;

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
    this.outbox = null;
    this.slowUntil = 0;
  }

  // Joining

  async join() {
    if (this.left) return;
    this.joined = false;
    const since = this.position;
    try {
      // What follows an answer in its microtask comes before the next frame.
      this.welcomed(await this.link.ask({ type: "join", room: this.name || this.asked, since, tail: TAIL }));
    } catch (error) {
      if (error instanceof Lost || this.left) return;
      if (ONLY_TIME.has(error.code) || (this.name && error.retry)) {
        this.rejoinTimer = setTimeout(() => this.join(), error.after ?? 1_000);
      } else this.hooks.refused(error);
    }
  }

  welcomed(ok) {
    if (this.left) return;
    Object.assign(this, { name: ok.room, title: ok.title || ok.room, code: ok.code, nickname: ok.nickname });
    this.online = ok.counts?.online ?? this.online;
    this.policy = ok.policy ?? this.policy;
    this.head = ok.head;
    this.epoch = ok.epoch;
    this.anew = false;
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
    clearTimeout(this.rejoinTimer);
    this.outbox?.connectionLost();
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
    this.hooks.entry(frame);
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
      this.rulesTimer = setTimeout(() => this.rulesChanged(), Math.min(left, 2 ** 31 - 1));
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

  again(letter) {
    this.outbox.change(letter, { state: "waiting", why: "", notBefore: 0 });
    this.deliver();
  }

  deliver() {
    clearTimeout(this.courierTimer);
    if (!this.joined || this.left || !this.outbox) return;
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
      this.fail(letter, "said under another identity; nobody knows whether it arrived");
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
      this.refusedLetter(letter, error);
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
    } else this.fail(letter, error.message);
  }

  fail(letter, why) {
    this.outbox.change(letter, { state: "failed", why });
    this.hooks.letter(letter, "failed");
  }

  // Asked again after a loss: for what may be asked twice.
  async request(frame) {
    for (let stumble = 0; ; ) {
      try {
        return await this.link.ask({ ...frame, room: this.name });
      } catch (error) {
        if (error instanceof Lost) {
          if (!(await this.rejoined())) throw error;
        } else if (error instanceof Refused && error.retry && ONLY_TIME.has(error.code) && stumble < STUMBLES) {
          stumble += 1;
          await new Promise((done) => setTimeout(done, error.after ?? 1_000));
        } else throw error;
      }
    }
  }

  async rejoined(patienceMs = 60_000) {
    for (const until = Date.now() + patienceMs; Date.now() < until && !this.left; ) {
      if (this.joined) return true;
      await new Promise((done) => setTimeout(done, 200));
    }
    return false;
  }
}
