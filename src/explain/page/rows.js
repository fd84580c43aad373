// A long list of which only the rows in sight are elements.

const kRowMargin = 8;
const kListPixelsMax = 15e6; // browsers lose count of pixels beyond

class Rows {
  // `box` scrolls; `draw(index)` makes the element of a row of `height` pixels.
  constructor(box, height, draw) {
    this.box = box;
    this.height = height;
    this.draw = draw;
    this.count = 0;
    this.sheet = h('div.sheet', {role: 'presentation'});
    this.slice = h('div.slice', {role: 'rowgroup'});
    this.sheet.append(this.slice);
    box.append(this.sheet);
    this.head = 0; // pixels of a heading that stays on top
    box.addEventListener('scroll', () => this.later(), {passive: true});
    this.watch = new ResizeObserver(() => this.later());
    this.watch.observe(box);
  }

  close() { this.watch.disconnect(); }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.render();
    });
  }

  resize(count) {
    this.count = count;
    this.pixels = Math.min(count * this.height, kListPixelsMax);
    this.sheet.style.height = `${this.pixels}px`;
    this.render();
  }

  page() { return Math.max(1, Math.floor((this.box.clientHeight - this.head) / this.height)); }

  // The scroll position stands for a row even where the sheet is shorter than all rows.
  firstInSight() {
    const span = Math.max(1, this.pixels + this.head - this.box.clientHeight);
    const exact = this.pixels === this.count * this.height;
    if (exact) return Math.floor(this.box.scrollTop / this.height);
    return Math.floor((this.box.scrollTop / span) * Math.max(0, this.count - this.page()));
  }

  render() {
    const first = Math.max(0, this.firstInSight() - kRowMargin);
    const last = Math.min(this.count, first + this.page() + 2 * kRowMargin + 1);
    const exact = this.pixels === this.count * this.height;
    const top = exact ? first * this.height
      : Math.min(this.box.scrollTop, this.pixels) - (this.firstInSight() - first) * this.height;
    this.slice.style.transform = `translateY(${Math.max(0, top)}px)`;
    const made = [];
    for (let i = first; i < last; ++i) made.push(this.draw(i));
    this.slice.replaceChildren(...made);
  }

  // Scrolls as little as it takes to see row `index`.
  reveal(index) {
    const exact = this.pixels === this.count * this.height;
    const span = Math.max(1, this.pixels + this.head - this.box.clientHeight);
    const from = this.firstInSight();
    const page = this.page();
    let to = from;
    if (index < from) to = index;
    else if (index >= from + page) to = index - page + 1;
    if (index < from || index >= from + page) {
      this.box.scrollTop = exact ? to * this.height : (to / Math.max(1, this.count - page)) * span;
    }
    this.render();
  }
}
