// Looks at a page as it is shown: its lines of text in reading order, headings, links, buttons
// and fields with their boxes. Runs in a world of its own, where the page's scripts have changed
// nothing. Boxes are [left, top, right, bottom] in CSS pixels of the area shown: the window's, or
// `limits.height` rows from the page's top, for which the window is only scrolled and keeps its size.
((limits) => {
  'use strict';
  const all = document.getElementsByTagName('*').length;
  if (all > limits.elements) return JSON.stringify({ too_large: all });
  const area = { right: window.innerWidth, bottom: limits.height || window.innerHeight };
  const tidy = (text) => text.replace(/[\s\u00a0\u200b\u00ad\ufeff]+/g, ' ').trim();
  const styles = new Map();
  const style = (element) => {
    let found = styles.get(element);
    if (!found) styles.set(element, (found = getComputedStyle(element)));
    return found;
  };
  // Where the window has been scrolled to look below its first rows; places are those at the top.
  const root = document.scrollingElement || document.documentElement;
  let scrolled = 0;
  const scroll = (to) => {
    if (to === scrolled) return;
    window.scrollTo({ left: 0, top: to, behavior: 'instant' });
    scrolled = root.scrollTop;
  };
  // What does not scroll with the page: parts that are fixed, or stick to an edge.
  const pins = new Map();
  const pinOf = (element) => {
    const path = [];
    let node = element;
    for (; node && !pins.has(node); node = node.parentElement || (node.getRootNode() || {}).host) path.push(node);
    let found = node ? pins.get(node) : null;
    for (const each of path.reverse()) {
      if (!found && /^(fixed|sticky)$/.test(style(each).position)) found = { element: each, top: null };
      pins.set(each, found);
    }
    return found;
  };
  // A rectangle of an element as it is with the window at the page's top.
  const placed = (element, rects) => {
    if (scrolled > 0 && pinOf(element)) scroll(0);
    return rects().map((rect) => ({ left: rect.left, right: rect.right, top: rect.top + scrolled,
      bottom: rect.bottom + scrolled, width: rect.width, height: rect.height }));
  };
  // Whether a part that does not scroll is now elsewhere on the page than with the window at its top.
  const isMoved = (pin) => {
    const { top } = pin.element.getBoundingClientRect();
    if (pin.top === null) {
      const at = scrolled;
      scroll(0);
      pin.top = pin.element.getBoundingClientRect().top;
      scroll(at);
    }
    return Math.abs(top + scrolled - pin.top) > 1;
  };
  // What lies at a place, from above; null where that cannot be found out.
  const stackAt = (element, x, y) => {
    const tall = window.innerHeight;
    if (y < tall) {
      scroll(0);
    } else if (y - scrolled < 0.3 * tall || y - scrolled > 0.8 * tall) {
      scroll(Math.round(y - tall / 2));
    }
    if (y - scrolled < 0 || y - scrolled >= tall) return null;
    if (scrolled > 0) {
      const pin = pinOf(element);
      if (pin && isMoved(pin)) return null;
    }
    const within = element.getRootNode();
    const stack = (within.elementsFromPoint ? within : document).elementsFromPoint(x, y - scrolled);
    return scrolled > 0 ? stack.filter((above) => !pinOf(above) || !isMoved(pinOf(above))) : stack;
  };
  const box = (rect) => [Math.max(0, rect.left), Math.max(0, rect.top),
    Math.min(area.right, rect.right), Math.min(area.bottom, rect.bottom)].map((side) => Math.round(side * 100) / 100);
  const inside = (rect) => rect.width > 0.5 && rect.height > 0.5 && rect.left >= -0.5 && rect.top >= -0.5
    && rect.right <= area.right + 0.5 && rect.bottom <= area.bottom + 0.5;
  const covers = (element) => {
    const look = style(element);
    if (look.backgroundImage !== 'none' || /^(IMG|VIDEO|CANVAS|IFRAME|EMBED|OBJECT)$/.test(element.tagName)) return true;
    const alpha = /rgba\(.*,\s*([\d.]+)\)/.exec(look.backgroundColor);
    return look.backgroundColor !== 'transparent' && (!alpha || Number(alpha[1]) > 0.3);
  };
  const related = (above, element) => {
    for (let node = above; node; node = node.parentElement || (node.getRootNode() || {}).host) if (node === element) return true;
    return false;
  };
  // Whether a point of an element is seen: nothing that covers lies above it.
  const seenAt = (element, x, y) => {
    const stack = stackAt(element, x, y);
    if (!stack) return true;
    for (const above of stack) {
      if (related(above, element)) return true;
      if (covers(above) && !related(element, above)) return false;
    }
    return style(element).pointerEvents === 'none';
  };
  const seen = (element, rect) => {
    const [left, top, right, bottom] = [Math.max(0, rect.left), Math.max(0, rect.top),
      Math.min(area.right, rect.right), Math.min(area.bottom, rect.bottom)];
    if (right - left < 0.5 || bottom - top < 0.5) return false;
    const y = (top + bottom) / 2;
    return seenAt(element, (left + right) / 2, y);
  };
  // As `seen`, at both ends of a line too: what a box cuts off is not whole.
  const seenWhole = (element, rect) => {
    const y = (rect.top + rect.bottom) / 2;
    return inside(rect) && seenAt(element, rect.left + 1, y) && seenAt(element, rect.right - 1, y);
  };
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });

  const fragments = [];
  const blocks = new Map();
  let length = 0;
  const blockOf = (element) => {
    let block = element;
    while (block.parentElement && /^(inline|contents|ruby)/.test(style(block).display)
      && !/^inline-(block|flex|grid|table)/.test(style(block).display)) block = block.parentElement;
    if (!blocks.has(block)) blocks.set(block, blocks.size);
    return blocks.get(block);
  };
  const cased = (text, element) => {
    switch (style(element).textTransform) {
      case 'uppercase': return text.toUpperCase();
      case 'lowercase': return text.toLowerCase();
      case 'capitalize': return text.replace(/(^|[\s(\[{"'-])(\p{L})/gu, (_, before, letter) => before + letter.toUpperCase());
      default: return text;
    }
  };
  // `before` and `after`: whether white space parts it from what stands before and after it.
  const add = (text, rect, element, whole, before, after) => {
    if (fragments.length >= limits.lines || length > limits.characters) return;
    length += text.length;
    fragments.push({ text, rect, block: blockOf(element), pre: /^pre/.test(style(element).whiteSpace), whole, before, after });
  };
  const addText = (node, element) => {
    if (!node.data.trim() || !shown(element)) return;
    const range = document.createRange();
    range.selectNodeContents(node);
    const rects = placed(element, () => [...range.getClientRects()]).filter((rect) => rect.width > 0 && rect.height > 0);
    if (!rects.length || rects.every((rect) => rect.bottom <= 0 || rect.top >= area.bottom)) return;
    if (style(element).fontSize === '0px') return;
    if (rects.length === 1) {
      const text = tidy(cased(node.data, element));
      if (text && seen(element, rects[0])) add(text, rects[0], element, seenWhole(element, rects[0]), /^\s/.test(node.data), /\s$/.test(node.data));
      return;
    }
    // Several lines: word by word.
    let line = null;
    const flush = (last) => {
      if (line && seen(element, line.rect)) {
        add(tidy(cased(line.words.join(' '), element)), line.rect, element, seenWhole(element, line.rect), line.before, !last || /\s$/.test(node.data));
      }
      line = null;
    };
    for (const match of node.data.matchAll(/[^\s]+/g)) {
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const [rect] = placed(element, () => [range.getBoundingClientRect()]);
      if (rect.width <= 0) continue;
      const middle = (rect.top + rect.bottom) / 2;
      if (line && middle > line.rect.top && middle < line.rect.bottom) {
        line.words.push(match[0]);
        line.rect = { left: Math.min(line.rect.left, rect.left), right: Math.max(line.rect.right, rect.right), top: line.rect.top, bottom: line.rect.bottom };
      } else {
        flush(false);
        line = { words: [match[0]], before: match.index > 0, rect: { left: rect.left, right: rect.right, top: rect.top, bottom: rect.bottom } };
      }
      line.rect.width = line.rect.right - line.rect.left;
      line.rect.height = line.rect.bottom - line.rect.top;
    }
    flush(true);
  };
  const fieldText = (element) => {
    if (element.tagName === 'SELECT') return element.selectedOptions.length ? element.selectedOptions[0].text : '';
    if (/^(checkbox|radio|hidden|range|color|file|password|image)$/.test(element.type)) return '';
    return element.value || element.placeholder || (/^(submit)$/.test(element.type) ? 'Submit' : '');
  };
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      if (node.parentElement) addText(node, node.parentElement);
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    if (/^(SCRIPT|STYLE|NOSCRIPT|TEMPLATE|OPTION|IFRAME|VIDEO|AUDIO|CANVAS|OBJECT|HEAD)$/.test(node.tagName.toUpperCase())) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName)) {
      const [rect] = placed(node, () => [node.getBoundingClientRect()]);
      const text = tidy(fieldText(node));
      if (text && shown(node) && seen(node, rect)) add(text, rect, node, inside(rect), true, true);
      return;
    }
    if (node.tagName === 'SLOT' && node.assignedNodes) {
      const given = node.assignedNodes();
      if (given.length) { given.forEach(walk); return; }
    }
    (node.shadowRoot || node).childNodes.forEach(walk);
  };
  if (document.body) walk(document.body);

  // Fragments of one line of one block are one line.
  const lines = [];
  for (const piece of fragments) {
    const last = lines[lines.length - 1];
    const middle = (piece.rect.top + piece.rect.bottom) / 2;
    if (last && last.block === piece.block && middle > last.rect.top && middle < last.rect.bottom && piece.rect.left >= last.rect.left - 1) {
      const gap = piece.rect.left - last.rect.right > 1.5;
      last.text += (gap || last.after || piece.before ? ' ' : '') + piece.text;
      last.after = piece.after;
      last.whole = last.whole && piece.whole;
      last.rect = { left: Math.min(last.rect.left, piece.rect.left), top: Math.min(last.rect.top, piece.rect.top),
        right: Math.max(last.rect.right, piece.rect.right), bottom: Math.max(last.rect.bottom, piece.rect.bottom) };
    } else {
      lines.push({ ...piece });
    }
  }
  const ofElement = (element) => {
    const rects = placed(element, () => [...element.getClientRects()]).filter((rect) => rect.width > 0.5 && rect.height > 0.5);
    if (!rects.length || !shown(element)) return null;
    const whole = { left: Math.min(...rects.map((r) => r.left)), top: Math.min(...rects.map((r) => r.top)),
      right: Math.max(...rects.map((r) => r.right)), bottom: Math.max(...rects.map((r) => r.bottom)) };
    whole.width = whole.right - whole.left;
    whole.height = whole.bottom - whole.top;
    if (whole.bottom <= 0 || whole.top >= area.bottom || whole.right <= 0 || whole.left >= area.right) return null;
    if (!rects.some((rect) => seen(element, rect))) return null;
    // A link over two lines has no one box.
    const single = rects.length === 1 || whole.height < 1.6 * Math.min(...rects.map((rect) => rect.height));
    const cut = element.scrollWidth > element.clientWidth + 1 && style(element).overflowX !== 'visible' && element.clientWidth > 0;
    return { box: box(whole), whole: single && inside(whole) && !cut && rects.every((rect) => seen(element, rect)) };
  };
  const said = (element) => tidy((/^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) ? fieldText(element) : element.innerText) || '').slice(0, 300);
  const elements = [];
  const kindOf = (element) => {
    if (element.matches('button, [role=button], input[type=submit], input[type=button], input[type=reset], summary')) return 'button';
    if (element.matches('a[href]')) return 'link';
    if (element.matches('h1, h2, h3, h4, h5, h6, [role=heading]')) return 'heading';
    if (element.matches('input:not([type=hidden]), textarea, select')) return 'field';
    return null;
  };
  const wanted = 'button, [role=button], input:not([type=hidden]), summary, a[href], h1, h2, h3, h4, h5, h6, [role=heading], textarea, select';
  for (const element of document.querySelectorAll(wanted)) {
    if (elements.length >= limits.lines) break;
    const kind = kindOf(element);
    const place = kind && ofElement(element);
    if (!place) continue;
    const level = kind === 'heading' ? Number(element.tagName[1]) || Number(element.getAttribute('aria-level')) || 2 : 0;
    const label = kind === 'field' && element.labels && element.labels.length ? tidy(element.labels[0].innerText) : '';
    const href = kind === 'link' ? String(element.getAttribute('href')).slice(0, 300) : '';
    elements.push({ kind, level, text: said(element), label, href, ...place });
  }
  const facts = [];
  for (const element of document.querySelectorAll('[data-fact]')) {
    const place = ofElement(element);
    if (place) facts.push({ name: element.getAttribute('data-fact'), text: said(element), ...place });
  }
  let frames = 0;
  for (const frame of document.querySelectorAll('iframe, object, embed, canvas')) {
    const [rect] = placed(frame, () => [frame.getBoundingClientRect()]);
    if (rect.width > 40 && rect.height > 20 && rect.top < area.bottom && rect.bottom > 0 && shown(frame)) frames += 1;
  }
  scroll(0);
  return JSON.stringify({
    title: tidy(document.title).slice(0, 300),
    width: area.right,
    height: area.bottom,
    frames,
    lines: lines.map(({ text, rect, block, pre, whole }) => ({ text, box: box(rect), block, pre, whole })),
    elements,
    facts,
  });
})
