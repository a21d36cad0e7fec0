// How the rules in force are said: the strip over the messages, and the line in the log where they changed.

import { moment, seconds } from "./words.js";

const LOCKDOWN = {
  4: "No new rooms for now.",
  3: "The whole house is in slow mode, and links are off.",
  2: "Only people who were here before may speak.",
  1: "Only staff may speak now.",
};

const untilWord = (policy, skew) => (policy.expires ? ` until ${moment(policy.expires * 1000 - skew)}` : "");

// {text, kind}; text "" = everybody may speak as usual. `turn`: seconds until it is this person's turn.
export function strip(policy, { skew = 0, expired = false, paused = false, slow = 0, turn = 0 } = {}) {
  const until = expired ? "" : untilWord(policy, skew);
  const because = policy.reason ? ` ${policy.reason}` : "";
  const locked = LOCKDOWN[policy.lockdown ?? 5] ?? "";
  const said = [];
  let kind = "slow";
  if (policy.closed) said.push("This room is closed: nobody can come in.");
  if (locked) said.push(locked);
  if (paused) said.push(`Paused${until}.${because}`);
  else if (slow) said.push(`Slow: one message every ${seconds(slow)}${until}.${because}${turn > 0 ? ` Yours again in ${seconds(turn)}.` : ""}`);
  else if (said.length && policy.reason) said.push(policy.reason);
  if (paused) kind = "paused";
  else if (policy.closed) kind = "closed";
  else if (locked) kind = "locked";
  return { text: said.join(" "), kind };
}

export function changed(policy) {
  const because = policy.reason ? `: ${policy.reason}` : "";
  const until = untilWord(policy, 0);
  if (policy.closed) return `This room is closed${until}${because}`;
  if (policy.frozen) return `This room is paused${until}${because}`;
  if (LOCKDOWN[policy.lockdown ?? 5]) return `${LOCKDOWN[policy.lockdown].slice(0, -1)}${because}`;
  if (policy.slow_s) return `Slow mode${until}: one message every ${seconds(policy.slow_s)}${because}`;
  return "Everybody may speak as usual";
}
