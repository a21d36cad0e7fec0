// What was said and is not known to be stored: kept on this device, under one key a letter, until the server answers.
// A letter keeps its cid over every retry and reload, and the server stores a cid once: it is safe to send it again.

import { forget, recall, remember, remembered } from "./store.js";

const LIMIT = 200;

// RFC 9562, section 5.7: 48 bits of time, then noise; sorts by time.
export function uuid7(now = Date.now()) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let at = 0; at < 6; at += 1) bytes[at] = Math.floor(now / 2 ** (8 * (5 - at))) % 256;
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

// What was on its way when the page closed waits again.
function lettersTo(room) {
  return remembered(`letter.${room}.`)
    .map((key) => recall(key))
    .filter((letter) => letter?.cid && typeof letter.text === "string")
    .map((letter) => ({ ...letter, state: letter.state === "sending" ? "waiting" : letter.state }));
}

// A letter: {cid, room, text, reply_to, at, state, why, tries, member, spent}. state: waiting | sending | failed. spent: its
// cid is of no use any more, another try is another letter.
export class Outbox {
  constructor(room) {
    this.room = room;
    this.letters = lettersTo(room);
  }

  // What was said before the room told its name was kept under the code that was asked for.
  named(room) {
    if (room === this.room) return;
    const early = this.letters;
    for (const letter of early) forget(`letter.${this.room}.${letter.cid}`);
    this.room = room;
    this.letters = [...lettersTo(room), ...early].sort((one, other) => one.at - other.at);
    for (const letter of early) this.change(letter, { room });
  }

  get full() {
    return this.letters.length >= LIMIT;
  }

  get waiting() {
    return this.letters.filter((letter) => letter.state !== "failed").length;
  }

  add(text, replyTo) {
    const at = Math.max(Date.now(), (this.letters.at(-1)?.at ?? 0) + 1); // Said later sorts later.
    const letter = { cid: uuid7(at), room: this.room, text, at, state: "waiting", why: "", tries: 0, member: null };
    if (replyTo) letter.reply_to = replyTo;
    this.letters.push(letter);
    this.keep(letter);
    return letter;
  }

  keep(letter) {
    remember(`letter.${this.room}.${letter.cid}`, letter);
  }

  change(letter, changes) {
    Object.assign(letter, changes);
    this.keep(letter);
  }

  // The same words as a new letter, behind all others.
  renew(letter) {
    this.settle(letter);
    return this.add(letter.text, letter.reply_to);
  }

  settle(letter) {
    this.letters = this.letters.filter((each) => each !== letter);
    forget(`letter.${this.room}.${letter.cid}`);
  }

  // The letter to send now: one at a time, so that no word overtakes another.
  next(now = Date.now()) {
    const first = this.letters.find((letter) => letter.state !== "failed");
    return first?.state === "waiting" && (first.notBefore ?? 0) <= now ? first : null;
  }

  connectionLost() {
    for (const letter of this.letters) if (letter.state === "sending") letter.state = "waiting";
  }
}
