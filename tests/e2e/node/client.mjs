// A client of the protocol, written from docs/protocol.md alone, for Node's `ws` and for a browser's own WebSocket.
// `live` comes back until everything of its own is stored and an entry with the text `until` has been heard.

export async function live({ Socket, url, room, nickname, texts, until, report }) {
  const state = { token: null, epoch: null, seq: 0, heard: [], stored: [], gaps: [], losses: [], done: false };
  const outbox = texts.map((text, n) => ({ cid: `${nickname}-${n}`, text }));
  while (!state.done) {
    await visit(Socket, url, room, nickname, outbox, until, state, report);
    if (!state.done) await new Promise((wake) => setTimeout(wake, 20 + Math.random() * 100));
  }
  const { token, ...shown } = state;
  return shown;
}

function visit(Socket, url, room, nickname, outbox, until, state, report) {
  return new Promise((over) => {
    const socket = new Socket(url, "bandstand.v1");
    let id = 0, patience = 5000, watch = 0, asked = new Map(), stage = "here";
    const ask = (type, fields, answered) => {
      asked.set(++id, answered);
      socket.send(JSON.stringify({ type, id, ...fields }));
    };
    const end = (why) => {
      if (stage === "over") return;
      stage = "over";
      clearTimeout(watch);
      state.losses.push(why);
      report({ lost: why });
      over();
    };
    // Nothing heard for dead_ms: a black hole says no word.
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(() => { end("silence"); socket.close(); }, patience);
    };
    const finish = () => {
      if (outbox.length === 0 && state.heard.some((entry) => entry.text === until)) {
        state.done = true;
        clearTimeout(watch);
        stage = "over";
        socket.close(1000);
        over();
      }
    };
    const post = () => {
      if (outbox.length === 0) return finish();
      const { cid, text } = outbox[0];
      ask("send", { room, cid, text }, (answer) => {
        if (answer.type === "ok") {
          state.stored.push({ cid, epoch: answer.epoch, seq: answer.seq });
          outbox.shift();
          report({ stored: state.stored.length });
          post();
        } else if (answer.retry) setTimeout(post, answer.retry_after_ms ?? 500);
        else throw new Error(answer.code);
      });
    };
    const joined = (answer) => {
      if (answer.type !== "ok") throw new Error(answer.code);
      if (state.epoch === null) state.seq = answer.head;
      state.epoch = answer.epoch;
      report({ joined: answer.mode });
      post();
    };
    const ready = (answer) => {
      if (answer.type !== "ready") throw new Error(answer.code);
      state.token = answer.token;
      const since = state.epoch === null ? null : { epoch: state.epoch, seq: state.seq };
      ask("join", { room, since, tail: 0, presence: false }, joined);
    };
    const entry = (frame) => {
      if (frame.epoch !== state.epoch || frame.seq !== state.seq + 1) throw new Error(`hole at ${frame.seq}`);
      state.seq = frame.seq;
      state.heard.push({ seq: frame.seq, cid: frame.cid, text: frame.text });
      report({ heard: frame.seq });
      finish();
    };
    socket.onerror = () => {};
    socket.onclose = (event) => end(event.code);
    socket.onopen = alive;
    alive();
    socket.onmessage = (event) => {
      alive();
      const frame = JSON.parse(event.data);
      if ("re" in frame) return asked.get(frame.re)(frame);
      if (frame.type === "hello") {
        patience = frame.heartbeat.dead_ms;
        const who = state.token === null ? { nickname } : { token: state.token, nickname };
        ask("auth", who, ready);
      } else if (frame.type === "heartbeat") socket.send(JSON.stringify({ type: "heartbeat", t: frame.t }));
      else if (frame.type === "gap") { state.gaps.push(frame); state.seq = frame.to; }
      else if ("seq" in frame && "epoch" in frame && frame.room === room) entry(frame);
    };
  });
}
