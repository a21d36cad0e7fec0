// What every part of the operators' page stands on: the connection, who is signed in, orders, questions, and figures with
// their age. An order keeps its cid over a lost connection, so that given again it is carried out once.

import { Link, Lost } from "/app/link.js";
import { uuid7 } from "/app/outbox.js";
import { whyOver } from "/app/words.js";

const ROLES = ["viewer", "moderator", "operator", "safety", "owner"];
const SESSION = "bandstand.ops.session";
const PATIENCE_MS = 60_000;
const SESSION_OVER = "Your session is over: it has run out, or it was ended elsewhere. Sign in again.";
const UNKNOWN = "The connection was lost. Nobody knows yet whether this was done: look at the acts.";

export class Desk {
  // hooks: ready(frame), changed(state), signedOut(why)
  constructor(hooks) {
    this.hooks = hooks;
    this.topics = new Map(); // topic -> {tell: Set, frame, at}
    this.commands = new Map();
    this.role = "viewer";
    this.operator = "";
    this.entering = null;
    this.hello = {};
    this.link = new Link(
      `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/admin/ws`,
      {
        once: true,
        credentials: () => this.entering ?? { token: sessionStorage.getItem(SESSION) ?? "" },
        unknown: () => this.forgotten("Your session is over. Sign in again."),
        positions: () => ({}),
        ready: (frame) => this.ready(frame),
        frame: (frame) => this.frame(frame),
        state: (state) => this.state(state),
      },
      "bandstand.admin.v1",
    );
  }

  get remembered() {
    return Boolean(sessionStorage.getItem(SESSION));
  }

  get online() {
    return this.link.state.name === "online";
  }

  get now() {
    return Date.now() + this.link.skew;
  }

  // Signing in

  enter(credentials) {
    this.entering = credentials;
    if (this.begun) this.link.open();
    else this.link.start();
    this.begun = true;
  }

  resume() {
    this.enter(null);
  }

  // The session is over on the server too, where that can be reached: nobody comes back with what this tab remembered.
  async leave() {
    if (this.online && this.may("session.leave")) {
      const told = this.link.ask({ type: "command", cid: uuid7(), name: "session.leave", args: {}, reason: "signed out" });
      await Promise.race([told.catch(() => {}), new Promise((done) => setTimeout(done, 2_000))]);
    }
    this.forgotten("You are signed out.");
  }

  forgotten(why) {
    sessionStorage.removeItem(SESSION);
    this.inside = false;
    this.link.stop(1000);
    this.hooks.signedOut(why);
  }

  ready(frame) {
    this.entering = null;
    const session = frame.token || frame.session;
    if (session) sessionStorage.setItem(SESSION, session);
    Object.assign(this, { operator: frame.operator, role: frame.role, session: frame.session, inside: true });
    this.commands = new Map((frame.commands ?? []).map((each) => [each.name, each]));
    for (const topic of this.topics.keys()) this.subscribe(topic);
    this.hooks.ready(frame);
  }

  state(state) {
    if (state.name === "over" && state.code !== 1000) {
      if (state.code === 4401) sessionStorage.removeItem(SESSION);
      const why = state.code !== 4401 ? whyOver(state.code, state.why, state.retryAt) : this.inside ? SESSION_OVER : state.why;
      this.entering = null;
      this.inside = false;
      this.hooks.signedOut(why || SESSION_OVER);
    }
    this.hooks.changed(state);
  }

  may(name) {
    const command = this.commands.get(name);
    return Boolean(command) && ROLES.indexOf(command.role) <= ROLES.indexOf(this.role);
  }

  // Questions and orders

  async read(name, args = {}) {
    const ok = await this.link.ask({ type: "command", name, args });
    return ok.detail ?? {};
  }

  // How it ended: ok with act, affected, undo, undo_until, detail; or with pending. waits(): the connection is lost, it will
  // be given again.
  async order(name, args, more = {}, waits = () => {}) {
    const frame = { type: "command", cid: uuid7(), name, args, reason: "", ...more };
    const by = this.operator;
    for (const until = Date.now() + PATIENCE_MS; ; ) {
      try {
        return await this.link.ask(frame);
      } catch (error) {
        if (!(error instanceof Lost) || frame.dry_run) throw error;
        waits();
        await this.backOnline(until, by);
      }
    }
  }

  // Nobody gives an order of somebody else who sat here before. Waits in any case: a line that is closing is online still, and
  // an order given to it over and over would keep the page from hearing that it has closed.
  async backOnline(until, by) {
    do {
      if (Date.now() > until || this.operator !== by) throw new Error(UNKNOWN);
      await new Promise((done) => setTimeout(done, 200));
    } while (!this.online || this.operator !== by);
  }

  // Figures

  // tell(frame, age_ms) at each snapshot; what is known already is told at once. Gives back what stops it.
  watch(topic, tell) {
    let held = this.topics.get(topic);
    if (!held) {
      held = { tell: new Set(), frame: null, at: 0 };
      this.topics.set(topic, held);
      if (this.online) this.subscribe(topic);
    }
    held.tell.add(tell);
    if (held.frame) tell(held.frame);
    return () => {
      held.tell.delete(tell);
      if (held.tell.size || this.topics.get(topic) !== held) return;
      this.topics.delete(topic);
      if (this.online) this.link.ask({ type: "unwatch", topic }).catch(() => {});
    };
  }

  subscribe(topic) {
    const since = this.topics.get(topic)?.since;
    this.link.ask({ type: "watch", topic, ...(since && { since }) }).catch((error) => {
      if (!(error instanceof Lost)) this.topics.get(topic)?.tell.forEach((tell) => tell({ topic, refused: error.message }));
    });
  }

  frame(frame) {
    const held = frame.type === "snapshot" ? this.topics.get(frame.topic) : null;
    if (!held) return;
    if (frame.unknown) {
      // Nothing is known of it: that has no age.
      held.tell.forEach((tell) => tell({ ...frame, refused: "There is no such thing any more." }));
      return;
    }
    held.frame = frame.topic === "activity" ? null : frame;
    held.at = Date.now() - (frame.age_ms ?? 0);
    if (frame.topic === "activity") held.since = Math.max(held.since ?? 0, ...(frame.events ?? []).map((event) => event.n ?? 0));
    held.tell.forEach((tell) => tell(frame));
  }

  age(topic) {
    const at = this.topics.get(topic)?.at;
    return at ? Math.max(0, Date.now() - at) : null;
  }

  latest(topic) {
    return this.topics.get(topic)?.frame ?? null;
  }
}
