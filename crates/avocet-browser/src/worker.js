// Runs before the script of a worker: its time and chance are ours too. Its clock goes on when the
// page asks, which is answered when all that comes until then has been done.
(() => {
  'use strict';
  const TICK = 'avocet.tick';
  const start = Date.UTC(2024, 0, 15, 12, 0, 0);
  const RealDate = Date;
  let time = 0;
  let ticks = 0;
  const now = () => start + time + Math.floor((ticks += 1) / 16);
  const FixedDate = function (...given) {
    if (!new.target) return new RealDate(now()).toString();
    return Reflect.construct(RealDate, given.length ? given : [now()], new.target);
  };
  FixedDate.prototype = RealDate.prototype;
  FixedDate.now = now;
  FixedDate.parse = RealDate.parse;
  FixedDate.UTC = RealDate.UTC;
  self.Date = FixedDate;
  performance.now = () => time + (ticks += 1) / 16;
  let state = 0x9e3779b9;
  Math.random = () => ((state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0) / 4294967296;
  const LEAST_MS = 4;
  const timers = new Map();
  let number = 0;
  const begin = (task, delay, more, repeats) => {
    const wait = Math.max(LEAST_MS, Number(delay) || 0);
    timers.set((number += 1), { at: time + wait, every: repeats ? wait : 0, go: () => task(...more) });
    return number;
  };
  self.setTimeout = (task, delay, ...more) => begin(task, delay, more, false);
  self.setInterval = (task, delay, ...more) => begin(task, delay, more, true);
  self.requestAnimationFrame = (task) => begin(() => task(performance.now()), 16, [], false);
  for (const name of ['clearTimeout', 'clearInterval', 'cancelAnimationFrame']) self[name] = (id) => { timers.delete(id); };
  const post = self.postMessage.bind(self);
  self.addEventListener('message', async (event) => {
    const until = event.data?.[TICK];
    if (until === undefined) return;
    event.stopImmediatePropagation();
    for (;;) {
      let [id, next] = [0, null];
      for (const [other, timer] of timers) if (timer.at <= until && (!next || timer.at < next.at)) [id, next] = [other, timer];
      if (!next) break;
      time = Math.max(time, next.at);
      if (next.every) next.at += next.every;
      else timers.delete(id);
      try { next.go(); } catch (error) { reportError(error); }
      // What a task has promised comes before the next.
      await null;
    }
    time = Math.max(time, until);
    post({ [TICK]: until });
  });
})();
