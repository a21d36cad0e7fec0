// One client as a process: what it is to do comes as JSON in its first argument, what it sees goes to stdout as lines.
import WebSocket from "ws";
import { live } from "./client.mjs";

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const wish = JSON.parse(process.argv[2]);
say({ result: await live({ Socket: WebSocket, report: say, ...wish }) });
