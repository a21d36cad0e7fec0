// What is carried away as a file: a room's history, the timeline.

import { make, setText } from "/app/words.js";
import { allPages, figure, save } from "./lists.js";

const lines = (items) => items.map((item) => (typeof item === "string" ? item : JSON.stringify(item))).join("\n") + "\n";

const LONG_MS = 3_600_000;

async function carry(orders, what, read, filename) {
  const far = make("span", {}, `${what}: reading …`);
  const away = orders.toast(far, { lasts: LONG_MS });
  try {
    const items = await allPages(read, (count) => setText(far, `${what}: ${figure(count)} lines so far …`));
    save(filename, lines(items));
    orders.toast(`${what}: ${figure(items.length)} lines saved as ${filename}.`);
  } catch (error) {
    orders.toast(`${what}: nothing was saved, ${error.message || "the connection was lost"}`, { bad: true });
  } finally {
    away();
  }
}

export function exportRoom(desk, orders, room) {
  return carry(orders, "Export", (more) => desk.read("room.export", { room, format: "jsonl", ...more }), `${room}.jsonl`);
}

export function exportTimeline(desk, orders, args) {
  return carry(orders, "Timeline", (more) => desk.read("timeline.export", { ...args, ...more }), "timeline.jsonl");
}
