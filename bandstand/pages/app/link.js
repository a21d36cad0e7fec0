// The connection: opens, says who we are, answers heartbeats, matches answers to questions, and comes back by itself as
// the close codes say (docs/protocol.md, close codes: the range is the verdict). Knows nothing of rooms or of the page.

const HANDSHAKE_MS = 15_000;
const PROBE_MS = 5_000;
const BASE_MS = 500;
const CAP_MS = 30_000;
const FIRST_MS = 250;
const SOUND_MS = 10_000;
const BANNED = 4403;
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
// What a `bye` says where nobody has written a sentence: the name of its code, which is no word for people.
const NAMES = new Set(
  ["left", "overloaded", "internal", "heartbeat lost", "stuck", "auth timeout", "draining", "replaced node"].concat(
    ["bad protocol", "token", "banned", "version", "replaced", "too big", "abusive"],
  ),
);
const UNPLANNED = new Set([1002, 1003, 1007, 1008, 1009, 1010]);

export class Refused extends Error {
  constructor(frame) {
    super(frame.message || frame.code);
    this.code = frame.code;
    this.retry = frame.retry === true;
    this.after = Number.isFinite(frame.retry_after_ms) ? Math.max(50, frame.retry_after_ms) : null;
  }
}

// The connection ended before the answer came: nobody knows whether it was done.
export class Lost extends Error {}

export function verdict(code) {
  if (code === 1000) return "over";
  if (code >= 4200 && code < 4300) return "planned";
  if ((code >= 4400 && code < 4500) || UNPLANNED.has(code)) return "over";
  return "back-off";
}

const inWords = (message) => (message && !NAMES.has(message) ? message : "");

// hooks: credentials() -> {token} or {nickname}; unknown() the token was not accepted; positions() -> {room: seq};
// ready(frame); frame(frame); state({name, since, why, retryAt, told, code, refused}); once: a password is never tried again
// by itself. `retryAt`: when it is tried again; of a state that is over, from when on there is any use in it. `told`: it is
// the server's time, not ours. `refused`: the code with which the server has refused to let us in.
export class Link {
  constructor(url, hooks, protocol = "bandstand.v1") {
    this.url = url;
    this.protocol = protocol;
    this.hooks = hooks;
    this.state = { name: "connecting", since: Date.now(), why: "" };
    this.skew = 0; // server's clock minus ours, ms
    this.limits = {};
    this.failures = 0;
    this.knocked = false;
    this.reset();
  }

  reset() {
    this.socket = null;
    this.bye = null;
    this.asked = 0;
    this.answers = new Map();
    this.deadMs = 60_000;
    this.timers = new Set();
  }

  start() {
    this.open();
    addEventListener("online", () => this.wake());
    addEventListener("offline", () => this.probe());
    addEventListener("pageshow", (event) => event.persisted && this.wake());
    document.addEventListener("visibilitychange", () => document.hidden || this.wake());
  }

  // The world has changed: do not wait for a timer that was set in another one, but for a time that the server has told.
  wake() {
    if (this.state.name !== "offline") this.probe();
    else if (!this.state.told) this.retryNow();
  }

  retryNow() {
    if (this.state.name !== "offline") return;
    clearTimeout(this.retryTimer);
    this.open();
  }

  stop(code = 1000, why = "", refused = "") {
    clearTimeout(this.retryTimer);
    const socket = this.socket;
    this.drop();
    socket?.close(1000);
    this.tell("over", { code, why, refused });
  }

  tell(name, more = {}) {
    const since = name === "online" || this.state.name === "online" ? Date.now() : this.state.since;
    this.state = { name, since, why: "", ...more };
    this.hooks.state(this.state);
  }

  open() {
    clearTimeout(this.retryTimer);
    this.drop();
    const { name, why, refused } = this.state;
    this.tell("connecting", name === "offline" && refused ? { why, refused } : {}); // It stands until we are let in.
    let socket;
    try {
      socket = new WebSocket(this.url, this.protocol);
    } catch (error) {
      this.ended(1006, String(error));
      return;
    }
    this.socket = socket;
    const mine = (act) => (event) => this.socket === socket && act(event);
    socket.onmessage = mine((event) => this.heard(event.data));
    socket.onclose = mine((event) => this.ended(event.code, event.reason));
    this.after(HANDSHAKE_MS, () => this.state.name === "online" || this.ended(1006, "no answer"));
  }

  after(ms, act) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, ms);
    this.timers.add(timer);
  }

  // Forget this connection; the server keeps our place for a while.
  drop() {
    const { socket, answers, timers } = this;
    this.reset();
    timers.forEach(clearTimeout);
    clearTimeout(this.deadTimer);
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
    answers.forEach(({ reject }) => reject(new Lost()));
  }

  ended(code, reason) {
    const said = this.bye ?? { code, message: reason };
    const inside = this.state.name === "online";
    const lasted = inside ? Date.now() - this.state.since : 0;
    this.drop();
    const how = verdict(said.code);
    const told = Number.isFinite(said.retry_after_ms) ? Math.max(0, said.retry_after_ms) : null;
    const why = inWords(said.message);
    if (lasted >= SOUND_MS) this.knocked = false;
    if (said.code === BANNED && inside && !why && !this.knocked && !this.hooks.once) {
      // Why, and for how long, is said at the door alone: it is asked once.
      this.knocked = true;
      this.open();
      return;
    }
    if (how === "over") {
      this.tell("over", { code: said.code, why, retryAt: told && Date.now() + told });
      return;
    }
    if (lasted >= SOUND_MS) this.failures = 0;
    this.comeBack(how === "planned" ? (told ?? 1_000) : Math.max(this.backOff(), told ?? 0), { why, told: told !== null });
  }

  comeBack(wait, more) {
    const retryAt = Date.now() + wait;
    this.tell("offline", { retryAt, ...more });
    this.openAt(retryAt);
  }

  openAt(when) {
    const left = when - Date.now();
    const act = left > LONGEST_TIMER_MS ? () => this.openAt(when) : () => this.open();
    this.retryTimer = setTimeout(act, Math.min(left, LONGEST_TIMER_MS));
  }

  // Full jitter; the first try after a good connection is quick, because most losses are a phone changing cells.
  backOff() {
    const ceiling = this.failures ? Math.min(CAP_MS, BASE_MS * 2 ** Math.min(this.failures - 1, 10)) : FIRST_MS;
    this.failures += 1;
    return Math.random() * ceiling;
  }

  heard(data) {
    clearTimeout(this.deadTimer);
    this.deadTimer = setTimeout(() => this.ended(1006, "no sign of life"), this.deadMs);
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      frame = null;
    }
    if (frame === null || typeof frame !== "object") {
      this.ended(1006, "unreadable");
      return;
    }
    this.take(frame);
  }

  take(frame) {
    const answer = this.answers.get(frame.re);
    if (answer) {
      this.answers.delete(frame.re);
      if (frame.type === "error") answer.reject(new Refused(frame));
      else answer.resolve(frame);
    } else if (frame.type === "hello") this.greet(frame);
    else if (frame.type === "bye") this.bye = frame;
    else if (frame.type === "heartbeat") this.say({ type: "heartbeat", t: frame.t, at: this.hooks.positions() });
    else this.hooks.frame(frame);
  }

  greet(hello) {
    this.skew = hello.now * 1000 - Date.now();
    this.limits = hello.limits ?? {};
    this.deadMs = Math.max(1_000, hello.heartbeat?.dead_ms ?? 60_000);
    this.authenticate();
  }

  async authenticate() {
    const who = this.hooks.credentials();
    try {
      const ready = await this.ask({ type: "auth", ...who });
      this.tell("online");
      this.hooks.ready(ready);
    } catch (refused) {
      if (refused instanceof Lost) return;
      if (refused.code === "unauthorized" && who.token) {
        this.hooks.unknown();
        this.authenticate();
      } else if (refused.retry && !(this.hooks.once && !who.token)) this.turnedAway(refused);
      else this.stop(4401, refused.message, refused.code);
    }
  }

  // Not let in for now. Without a time it is tried as after any loss; with one, neither sooner nor over and over.
  turnedAway({ message, code, after }) {
    this.drop();
    if (after === null) this.comeBack(this.backOff(), { why: message });
    else this.comeBack(after, { why: message, told: true, refused: code });
  }

  // For people who come back from a tunnel: is anybody there?
  async probe() {
    const socket = this.socket;
    if (this.state.name !== "online") return;
    const silence = setTimeout(() => this.socket === socket && this.ended(1006, "no sign of life"), PROBE_MS);
    try {
      await this.ask({ type: "heartbeat" });
    } catch {
      // Lost is told by whoever lost it.
    }
    clearTimeout(silence);
  }

  // Resolves with the ok, rejects with Refused or Lost.
  ask(frame) {
    return new Promise((resolve, reject) => {
      if (this.socket?.readyState !== WebSocket.OPEN) {
        reject(new Lost());
        return;
      }
      this.asked += 1;
      this.answers.set(this.asked, { resolve, reject });
      this.say({ ...frame, id: this.asked });
    });
  }

  say(frame) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }
}
