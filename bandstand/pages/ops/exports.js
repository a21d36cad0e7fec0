// What is carried away as a file: a room's history, the timeline.

import { allPages, save } from "./lists.js";

const lines = (items) => items.map((item) => (typeof item === "string" ? item : JSON.stringify(item))).join("\n") + "\n";

async function carry(orders, what, read, filename) {
  try {
    const items = await allPages(read);
    save(filename, lines(items));
    orders.toast(`${what}: ${items.length} lines saved as ${filename}.`);
  } catch (error) {
    orders.toast(`${what}: ${error.message || "the connection was lost"}`, { bad: true });
  }
}

export function exportRoom(desk, orders, room) {
  return carry(orders, "Export", (more) => desk.read("room.export", { room, format: "jsonl", ...more }), `${room}.jsonl`);
}

export function exportTimeline(desk, orders, args) {
  return carry(orders, "Timeline", (more) => desk.read("timeline.export", { ...args, ...more }), "timeline.jsonl");
}
