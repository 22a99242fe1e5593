// Runs before any script of a page, in every frame: time and chance repeat, nothing is asked of
// a person, and what could keep state or talk past the page is not there.
(() => {
  'use strict';
  const start = Date.UTC(2024, 0, 15, 12, 0, 0);
  const RealDate = Date;
  let ticks = 0;
  // Time goes on by itself a little with every look, so that a loop that waits for it ends.
  const now = () => start + Math.floor((ticks += 1) / 16);
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
  put(window, 'Date', FixedDate);
  put(performance, 'now', () => (ticks += 1) / 16);
  // Timers wait until the page has loaded and its clock is ours, so that none depends on how
  // long loading took.
  const held = new Map();
  const real = new Map();
  let opened = false;
  let number = 1 << 28;
  const hold = (name, cancel) => {
    const start = window[name].bind(window);
    const stop = window[cancel].bind(window);
    put(window, name, (task, ...more) => {
      if (opened) return start(task, ...more);
      number += 1;
      held.set(number, () => start(task, ...more));
      return number;
    });
    put(window, cancel, (id) => {
      if (held.delete(id)) return;
      stop(real.has(id) ? real.get(id) : id);
    });
  };
  hold('setTimeout', 'clearTimeout');
  hold('setInterval', 'clearInterval');
  hold('requestAnimationFrame', 'cancelAnimationFrame');
  hold('requestIdleCallback', 'cancelIdleCallback');
  put(window, Symbol.for('avocet.open'), () => {
    opened = true;
    for (const [id, go] of held) real.set(id, go());
    held.clear();
    for (let i = 0; i < window.length; i += 1) {
      try { window[i][Symbol.for('avocet.open')](); } catch (error) { /* another origin's */ }
    }
  });
  let state = 0x9e3779b9;
  put(Math, 'random', () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  });
  let drawn = 0;
  put(crypto, 'getRandomValues', (into) => {
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = (drawn = (Math.imul(drawn, 1103515245) + 12345) | 0) >>> 16;
    return into;
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
  // Every animation and transition is over at once, and no caret blinks.
  const still = () => {
    const style = document.createElement('style');
    style.textContent = `*, *::before, *::after { animation-duration: 0s !important; animation-delay: 0s !important;
      animation-iteration-count: 1 !important; transition-duration: 0s !important; transition-delay: 0s !important;
      caret-color: transparent !important; scroll-behavior: auto !important; }`;
    (document.head || document.documentElement).append(style);
  };
  document.addEventListener('DOMContentLoaded', still, { once: true });
})();
