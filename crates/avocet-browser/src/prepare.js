// Runs before any script of a page, in every frame: time and chance repeat, nothing is asked of
// a person, and what could keep state or talk past the page is not there.
//
// The page's clock is ours: it stands still but for the rounds that we ask for, in which what waits
// for its time comes in order, each by itself. What comes by frames, which follow the machine's
// clock, waits for the next round.
(() => {
  'use strict';
  const start = Date.UTC(2024, 0, 15, 12, 0, 0);
  const RealDate = Date;
  let time = 0;
  let ticks = 0;
  // Time goes on by itself a little with every look, so that a loop that waits for it ends.
  const now = () => start + time + Math.floor((ticks += 1) / 16);
  const FixedDate = function (...given) {
    if (!new.target) return new RealDate(now()).toString();
    return Reflect.construct(RealDate, given.length ? given : [now()], new.target);
  };
  FixedDate.prototype = RealDate.prototype;
  FixedDate.now = now;
  FixedDate.parse = RealDate.parse;
  FixedDate.UTC = RealDate.UTC;
  Object.defineProperty(RealDate.prototype, 'constructor', { value: FixedDate, writable: true, configurable: true });
  const put = (on, name, value) => {
    try {
      Object.defineProperty(on, name, { value, writable: true, configurable: true });
    } catch (error) { /* it stays as it is */ }
  };
  const get = (on, name, value) => {
    try {
      Object.defineProperty(on, name, { get: value, configurable: true });
    } catch (error) { /* it stays as it is */ }
  };
  put(window, 'Date', FixedDate);
  put(performance, 'now', () => time + (ticks += 1) / 16);
  put(performance, 'timeOrigin', start);
  // Nothing else tells the machine's time or speed.
  for (const name of ['getEntries', 'getEntriesByName', 'getEntriesByType']) put(performance, name, () => []);
  for (const name of ['timing', 'navigation', 'memory']) put(performance, name, undefined);
  put(window, 'PerformanceObserver', class PerformanceObserver {
    static supportedEntryTypes = [];
    observe() {}
    disconnect() {}
    takeRecords() { return []; }
  });
  get(Event.prototype, 'timeStamp', () => time);
  get(Document.prototype, 'lastModified', () => '01/15/2024 12:00:00');
  get(Navigator.prototype, 'hardwareConcurrency', () => 4);
  const formats = Intl.DateTimeFormat.prototype;
  const format = Object.getOwnPropertyDescriptor(formats, 'format').get;
  get(formats, 'format', function () {
    const own = format.call(this);
    return (date) => own(date === undefined ? now() : date);
  });
  const formatToParts = formats.formatToParts;
  put(formats, 'formatToParts', function (date) { return formatToParts.call(this, date === undefined ? now() : date); });
  if (window.Temporal) {
    const instant = () => Temporal.Instant.fromEpochMilliseconds(now());
    const zoned = (zone = 'UTC') => instant().toZonedDateTimeISO(zone);
    put(Temporal.Now, 'instant', instant);
    put(Temporal.Now, 'zonedDateTimeISO', zoned);
    put(Temporal.Now, 'plainDateTimeISO', (zone) => zoned(zone).toPlainDateTime());
    put(Temporal.Now, 'plainDateISO', (zone) => zoned(zone).toPlainDate());
    put(Temporal.Now, 'plainTimeISO', (zone) => zoned(zone).toPlainTime());
  }

  // What waits for its time, in the order in which it was asked for. Frames and idle moments come
  // by our clock too: the machine's come when they like.
  const realTimer = window.setTimeout.bind(window);
  const forget = window.clearTimeout.bind(window);
  const FRAME_MS = 16;
  const NESTED_MS = 4;
  const waiting = new Map();
  let number = 1 << 28;
  let depth = 0;
  const begin = (go, delay, every = 0) => {
    number += 1;
    waiting.set(number, { at: time + delay, go, every, depth: depth + 1 });
    return number;
  };
  const nextFrame = () => FRAME_MS - (time % FRAME_MS);
  const wait = (delay) => Math.max(Math.trunc(Number(delay)) || 0, depth < 5 ? 0 : NESTED_MS);
  const run = (task, more) => (typeof task === 'function' ? task.apply(window, more) : (0, eval)(String(task)));
  put(window, 'setTimeout', (task, delay, ...more) => begin(() => run(task, more), wait(delay)));
  put(window, 'setInterval', (task, delay, ...more) => begin(() => run(task, more), wait(delay), Math.max(wait(delay), NESTED_MS)));
  put(window, 'requestAnimationFrame', (task) => begin(() => task(performance.now()), nextFrame()));
  put(window, 'requestIdleCallback', (task) => begin(() => {
    let left = 50;
    task({ didTimeout: false, timeRemaining: () => Math.max(0, (left -= 1) / 5) });
  }, nextFrame()));
  for (const name of ['clearTimeout', 'clearInterval', 'cancelAnimationFrame', 'cancelIdleCallback']) {
    put(window, name, (id) => { waiting.delete(Number(id)); });
  }

  // Messages and tasks take no time; those of a loop that never ends do after so many.
  const MOST_AT_ONCE = 1000;
  let sent = 0;
  const soon = (go) => begin(go, (sent += 1) > MOST_AT_ONCE ? NESTED_MS : 0);
  const post = MessagePort.prototype.postMessage;
  for (const kind of ['MessagePort', 'BroadcastChannel']) {
    const own = window[kind].prototype.postMessage;
    put(window[kind].prototype, 'postMessage', function (...given) { soon(() => own.apply(this, given)); });
  }
  const again = new WeakSet();
  const REST = 'avocet.rest';
  const hail = window.postMessage.bind(window);
  let rested = () => {};
  const heard = (event) => {
    if (event.source !== window || again.has(event)) return;
    event.stopImmediatePropagation();
    if (event.data === REST) {
      rested();
      return;
    }
    const same = new MessageEvent('message', { data: event.data, origin: event.origin, source: window, ports: [...event.ports] });
    again.add(same);
    soon(() => window.dispatchEvent(same));
  };
  window.addEventListener('message', heard, true);
  if (window.scheduler) {
    put(scheduler, 'postTask', (task, { delay = 0, signal } = {}) => new Promise((done, failed) => {
      const stop = () => failed(signal.reason);
      if (signal?.aborted) { stop(); return; }
      signal?.addEventListener('abort', stop, { once: true });
      const go = () => {
        if (signal?.aborted) return;
        try { done(task()); } catch (error) { failed(error); }
      };
      if (delay > 0) begin(go, wait(delay));
      else soon(go);
    }));
    put(scheduler, 'yield', () => new Promise((done) => { soon(done); }));
  }

  // What the page asks for and reads holds the clock until it is there.
  let asked = 0;
  const asking = (promise) => {
    asked += 1;
    const done = () => { asked -= 1; };
    promise.then(done, done);
    return promise;
  };
  const { fetch } = window;
  put(window, 'fetch', (...given) => asking(fetch(...given)));
  for (const kind of ['Response', 'Blob']) {
    for (const name of ['text', 'json', 'arrayBuffer', 'blob', 'bytes', 'formData']) {
      const own = window[kind].prototype[name];
      if (own) put(window[kind].prototype, name, function () { return asking(own.call(this)); });
    }
  }
  const { send } = XMLHttpRequest.prototype;
  put(XMLHttpRequest.prototype, 'send', function (...given) {
    const ended = new Promise((done) => { this.addEventListener('loadend', done, { once: true }); });
    send.apply(this, given);
    if (this.readyState !== XMLHttpRequest.DONE) asking(ended);
  });

  // What observers see is told them in a round.
  let told = [];
  for (const name of ['IntersectionObserver', 'ResizeObserver']) {
    put(window, name, class extends window[name] {
      constructor(tell, options) {
        super(typeof tell === 'function' ? (entries, own) => told.push(() => tell.call(own, entries, own)) : tell, options);
      }
    });
  }
  // So is what workers say; a round waits until they have no more to say. One that never rests is
  // not waited for again.
  const TICK = 'avocet.tick';
  const WORKER_MS = 2000;
  const workers = new Map();
  let askWorkers = () => null;
  if (window.Worker) {
    const { postMessage: ask, terminate } = Worker.prototype;
    put(Worker.prototype, 'terminate', function () { workers.delete(this); terminate.call(this); });
    put(window, 'Worker', class extends Worker {
      constructor(...given) {
        super(...given);
        workers.set(this, () => {});
        this.addEventListener('message', (event) => {
          if (again.has(event)) return;
          event.stopImmediatePropagation();
          if (event.data?.[TICK] !== undefined) {
            workers.get(this)?.();
            return;
          }
          const same = new MessageEvent('message', { data: event.data, ports: [...event.ports] });
          again.add(same);
          told.push(() => this.dispatchEvent(same));
        }, true);
      }
    });
    askWorkers = (until) => Promise.all([...workers.keys()].map((worker) => new Promise((done) => {
      workers.set(worker, done);
      ask.call(worker, { [TICK]: until });
      realTimer(() => { if (workers.get(worker) === done) workers.delete(worker); done(); }, WORKER_MS);
    }).then(() => { if (workers.has(worker)) workers.set(worker, () => {}); })));
  }
  // The window keeps its size, whatever a screenshot does to it.
  let size = '';
  window.addEventListener('resize', (event) => {
    const is = `${window.innerWidth} ${window.innerHeight}`;
    if (is === size) event.stopImmediatePropagation();
    size = is;
  }, true);
  // Pictures that move by themselves have all moved for an hour.
  const HOUR_S = 3600;
  const stop = () => {
    for (const picture of document.querySelectorAll('svg')) {
      picture.pauseAnimations?.();
      picture.setCurrentTime?.(HOUR_S);
    }
    for (const line of document.querySelectorAll('marquee')) {
      const box = document.createElement('div');
      box.append(...line.childNodes);
      line.replaceWith(box);
    }
  };
  // After a task comes what it has promised and sent.
  const channel = new MessageChannel();
  let arrived = () => {};
  channel.port1.onmessage = () => arrived();
  // A document that is written anew in between has lost what listens for that.
  const LOST_MS = 1000;
  let hails = true;
  const rest = async () => {
    if (hails) {
      await new Promise((done) => {
        const lost = realTimer(() => { hails = false; done(); }, LOST_MS);
        rested = () => { forget(lost); done(); };
        hail(REST, '*');
      });
    }
    await new Promise((done) => {
      arrived = done;
      post.call(channel.port2, 0);
    });
  };
  // A round: observers are told what they saw, then the clock runs to `until`; who is patient has it
  // wait where something is asked for. Says how many were told something, what is asked for, and when
  // the next task comes, and the next that comes only once.
  const GONE_MS = 2000;
  put(window, Symbol.for('avocet.round'), async (until, patient) => {
    size = `${window.innerWidth} ${window.innerHeight}`;
    window.addEventListener('message', heard, true);
    hails = true;
    stop();
    await askWorkers(until);
    let all = told.length;
    for (const tell of told.splice(0)) {
      try { tell(); } catch (error) { reportError(error); }
      await rest();
    }
    for (;;) {
      await rest();
      let [id, next] = [0, null];
      for (const [other, task] of waiting) if (task.at <= until && (!next || task.at < next.at)) [id, next] = [other, task];
      if ((asked && patient) || !next) break;
      time = Math.max(time, next.at);
      depth = next.depth;
      if (next.every) next.at += next.every;
      else waiting.delete(id);
      try { next.go(); } catch (error) { reportError(error); }
      depth = 0;
    }
    if (!asked || !patient) time = Math.max(time, until);
    let [open, any, once] = [asked, workers.size ? until : Infinity, Infinity];
    for (const task of waiting.values()) {
      any = Math.min(any, task.at);
      if (!task.every) once = Math.min(once, task.at);
    }
    for (let i = 0; i < window.length; i += 1) {
      try {
        const round = window[i][Symbol.for('avocet.round')](until, patient);
        // A frame that leaves meanwhile says nothing.
        const left = new Promise((done) => { realTimer(() => done([0, 0, Infinity, Infinity]), GONE_MS); });
        const [more, also, soonest, sooner] = await Promise.race([round, left]);
        [all, open, any, once] = [all + more, open + also, Math.min(any, soonest), Math.min(once, sooner)];
      } catch (error) { /* another origin's, or one without */ }
    }
    return [all, open, Math.min(any, 1e9), Math.min(once, 1e9)];
  });

  let state = 0x9e3779b9;
  put(Math, 'random', () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  });
  let drawn = 0;
  const fill = (into) => {
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = (drawn = (Math.imul(drawn, 1103515245) + 12345) | 0) >>> 16;
    return into;
  };
  put(crypto, 'getRandomValues', fill);
  put(crypto, 'randomUUID', () => {
    const digits = [...fill(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20)}`;
  });
  for (const name of ['alert', 'print', 'stop', 'open']) put(window, name, () => null);
  put(window, 'confirm', () => false);
  put(window, 'prompt', () => null);
  for (const name of ['WebSocket', 'WebSocketStream', 'WebTransport', 'EventSource', 'RTCPeerConnection',
    'webkitRTCPeerConnection', 'SharedWorker', 'Notification', 'PaymentRequest', 'showOpenFilePicker',
    'showSaveFilePicker', 'showDirectoryPicker']) {
    try { delete window[name]; } catch (error) { /* it stays, without a network */ }
  }
  for (const name of ['serviceWorker', 'sendBeacon', 'geolocation', 'bluetooth', 'usb', 'serial', 'hid']) {
    try { delete Navigator.prototype[name]; } catch (error) { /* as above */ }
  }
  // Every animation and transition is over at once, and no caret blinks. One without an end stays
  // at its beginning.
  const over = (animation) => {
    try {
      animation.finish();
    } catch (error) {
      animation.pause();
      animation.currentTime = 0;
    }
    return animation;
  };
  const { animate } = Element.prototype;
  put(Element.prototype, 'animate', function (...given) { return over(animate.apply(this, given)); });
  const { play } = Animation.prototype;
  put(Animation.prototype, 'play', function () { play.call(this); over(this); });
  const still = () => {
    const style = document.createElement('style');
    style.textContent = `*, *::before, *::after { animation-duration: 0s !important; animation-delay: 0s !important;
      animation-iteration-count: 1 !important; transition-duration: 0s !important; transition-delay: 0s !important;
      caret-color: transparent !important; scroll-behavior: auto !important; }`;
    (document.head || document.documentElement).append(style);
  };
  document.addEventListener('DOMContentLoaded', still, { once: true });
})();
