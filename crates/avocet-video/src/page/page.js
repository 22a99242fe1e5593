'use strict';
(() => {
  const find = (id) => document.getElementById(id);
  const all = (what) => [...document.querySelectorAll(what)];
  const main = document.querySelector('main');
  const duration = Number(main.dataset.duration) || 1;
  const video = find('video'), still = find('still'), head = find('head'), line = find('line');
  const at = (element) => Number(element.dataset.t);
  const cards = all('.card'), lines = all('.words'), words = all('.words span'), shots = all('.shot'), bars = all('.bar');
  const stops = [...new Set([...cards, ...lines].map(at))].sort((a, b) => a - b);
  let now = 0, canPlay = false;

  for (const [index, card] of cards.entries()) {
    const picture = card.querySelector('.pic img');
    if (!picture) continue;
    const small = document.createElement('img');
    small.src = picture.src;
    small.alt = '';
    small.draggable = false;
    shots[index].append(small);
  }

  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds + 1e-3));
    const two = (number) => String(number).padStart(2, '0');
    const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  };

  // The last of `list`, which is in order of time, that has begun.
  const begun = (list, time) => {
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at(list[middle]) <= time + 1e-3) low = middle + 1; else high = middle;
    }
    return low - 1;
  };
  const lasting = (list, time) => {
    const index = begun(list, time);
    return index >= 0 && time < Number(list[index].dataset.end) ? index : -1;
  };
  const marked = new Map();
  const mark = (list, index) => {
    const before = marked.get(list);
    if (before === list[index]) return false;
    if (before) before.classList.remove('on');
    if (index >= 0) list[index].classList.add('on');
    marked.set(list, list[index]);
    return true;
  };

  const show = (time, follow) => {
    now = Math.min(Math.max(time, 0), duration);
    head.style.left = `${100 * now / duration}%`;
    find('clock').textContent = clock(now);
    const card = begun(cards, now), spoken = lasting(lines, now);
    mark(words, lasting(words, now));
    mark(bars, spoken);
    mark(shots, card);
    const newLine = mark(lines, spoken), newCard = mark(cards, card);
    if (newCard) {
      const picture = card >= 0 && cards[card].querySelector('.pic img');
      if (picture) still.src = picture.src;
      if (picture && video) video.poster = picture.src;
      const caption = card >= 0 && cards[card].querySelector('.caption');
      find('now-seen').textContent = caption ? caption.textContent : '';
    }
    if (follow && (newLine || newCard)) {
      const target = spoken >= 0 ? lines[spoken] : cards[Math.max(card, 0)];
      if (target) target.scrollIntoView({ block: 'nearest' });
    }
  };

  const go = (time, play) => {
    show(time, true);
    history.replaceState(null, '', `#t=${now.toFixed(2)}`);
    if (!canPlay) return;
    video.currentTime = now;
    if (play) video.play().catch(() => {});
  };

  if (video) {
    video.addEventListener('loadedmetadata', () => {
      canPlay = true;
      video.hidden = false;
      still.hidden = true;
      if (now > 0) video.currentTime = now;
    });
    if (still.src) video.poster = still.src;
    const tick = () => {
      show(video.currentTime, true);
      if (!video.paused) requestAnimationFrame(tick);
    };
    video.addEventListener('play', tick);
    video.addEventListener('seeked', () => show(video.currentTime, false));
  }

  main.addEventListener('click', (event) => {
    const place = event.target.closest('[data-t]');
    if (place && place !== main && place.tagName !== 'LI' && place.tagName !== 'P' && !line.contains(place)) {
      event.preventDefault();
      go(at(place), true);
    }
  });
  // On the time line every point is a time; with the keyboard, a picture or a bar is its start.
  let held = false;
  const seek = (event) => {
    const box = line.getBoundingClientRect();
    go(duration * Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1), false);
  };
  line.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    held = true;
    line.setPointerCapture(event.pointerId);
    seek(event);
  });
  line.addEventListener('pointermove', (event) => { if (held) seek(event); });
  line.addEventListener('pointerup', () => { held = false; });
  line.addEventListener('pointercancel', () => { held = false; });
  line.addEventListener('click', (event) => {
    event.preventDefault();
    const place = event.target.closest('[data-t]');
    if (event.detail === 0 && place) go(at(place), true);
  });
  line.addEventListener('dragstart', (event) => event.preventDefault());

  document.addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target === video) return;
    if (event.key === 'ArrowRight') {
      const next = stops.find((stop) => stop > now + 0.01);
      if (next !== undefined) go(next, false);
    } else if (event.key === 'ArrowLeft') {
      const before = stops.filter((stop) => stop < now - 0.3);
      go(before.length ? before[before.length - 1] : 0, false);
    } else if (event.key === ' ' && canPlay && event.target.tagName !== 'A') {
      if (video.paused) video.play().catch(() => {}); else video.pause();
    } else {
      return;
    }
    event.preventDefault();
  });

  const asked = /^#t=(\d+(\.\d+)?)$/.exec(location.hash);
  show(asked ? Number(asked[1]) : stops.length ? stops[0] : 0, asked !== null);
})();
