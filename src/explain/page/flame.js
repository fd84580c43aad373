// The flame view: the root on top, each node as wide as the self times (or buffers, or cost) of its
// sub-tree, so that what is bare below a box is the node's own.

const kBoxPixels = 20;
const kThinPixels = 0.4; // narrower sub-trees are not drawn

class FlameView {
  constructor(app, box) {
    this.app = app;
    this.model = app.model;
    this.box = box;
    box.setAttribute('role', 'application');
    box.setAttribute('aria-label', 'Flame view: arrows move, Enter zooms, Escape shows all');
    this.canvas = h('canvas', {'aria-hidden': 'true'});
    this.tip = h('div.tip', {hidden: true});
    this.crumbs = h('div.crumbs');
    this.sheet = h('div.sheet', {role: 'presentation'}, this.canvas);
    box.append(this.crumbs, this.sheet, this.tip);
    this.zoom = 0;
    this.layOut();
    box.addEventListener('scroll', () => this.later(), {passive: true});
    this.canvas.addEventListener('click', (event) => this.at(event, (id) => app.select(id)));
    this.canvas.addEventListener('dblclick', (event) => this.at(event, (id) => this.zoomTo(id)));
    this.canvas.addEventListener('mousemove', (event) => this.hover(event));
    this.canvas.addEventListener('mouseleave', () => { this.tip.hidden = true; });
    this.watch = new ResizeObserver(() => this.later());
    this.watch.observe(box);
    this.draw();
  }

  close() { this.watch.disconnect(); }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  // Where each box begins, in the measure's units. Children stand side by side under their parent.
  layOut() {
    const {model} = this;
    this.left = new Float64Array(model.size);
    const next = new Float64Array(model.size);
    for (let id = 1; id < model.size; ++id) {
      const parent = model.parent[id];
      this.left[id] = this.left[parent] + next[parent];
      next[parent] += model.weight[id];
    }
  }

  // Pixels a unit.
  scale() { return this.width / (this.model.weight[this.zoom] || 1); }

  // Calls `visit(id, x, width, y)` for each box that is to be seen.
  eachBox(visit) {
    const {model} = this;
    const scale = this.scale();
    const base = model.depth[this.zoom];
    const from = Math.floor(this.box.scrollTop / kBoxPixels);
    const to = from + Math.ceil(this.shown / kBoxPixels) + 1;
    for (let id = this.zoom; id < model.end[this.zoom];) {
      const width = model.weight[id] * scale;
      const level = model.depth[id] - base;
      if (width < kThinPixels || level > to) {
        id = model.end[id];
        continue;
      }
      if (level >= from) visit(id, (this.left[id] - this.left[this.zoom]) * scale, width, (level - from) * kBoxPixels);
      ++id;
    }
  }

  measure() {
    this.width = this.box.clientWidth;
    this.shown = Math.max(40, this.box.clientHeight - this.crumbs.offsetHeight);
    let deepest = this.model.depth[this.zoom];
    const scale = this.scale();
    for (let id = this.zoom; id < this.model.end[this.zoom];) {
      if (this.model.weight[id] * scale < kThinPixels) {
        id = this.model.end[id];
        continue;
      }
      deepest = Math.max(deepest, this.model.depth[id]);
      ++id;
    }
    const levels = deepest - this.model.depth[this.zoom] + 1;
    this.sheet.style.height = `${Math.max(levels * kBoxPixels, this.shown)}px`;
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.shown}px`;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.shown * ratio);
    return ratio;
  }

  draw() {
    const ratio = this.measure();
    const style = getComputedStyle(document.documentElement);
    const ink = (name) => style.getPropertyValue(name).trim();
    this.colors = {
      heats: [0, 1, 2, 3, 4, 5].map((i) => ink(`--heat${i}`)),
      inks: [0, 1, 2, 3, 4, 5].map((i) => ink(`--on-heat${i}`)),
      chosen: ink('--accent'), gap: ink('--panel'), mark: ink('--mark'),
      font: ink('--sans'),
    };
    const pen = this.canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.shown);
    pen.font = `12px ${this.colors.font}`;
    pen.textBaseline = 'middle';
    this.boxes = [];
    this.eachBox((id, x, width, y) => {
      this.boxes.push({id, x, width, y});
      this.drawBox(pen, id, x, width, y);
    });
    this.drawChosen(pen);
    this.drawCrumbs();
  }

  drawBox(pen, id, x, width, y) {
    const {model, app, colors} = this;
    const step = heat(model.share(id));
    pen.globalAlpha = app.hits && !app.hitSet.has(id) ? 0.25 : 1;
    pen.fillStyle = colors.heats[step];
    pen.fillRect(x, y, Math.max(width - (width > 3 ? 1 : 0), 0.5), kBoxPixels - 1);
    const marks = model.marks.get(id);
    if (marks && width > 6) {
      pen.fillStyle = colors.mark;
      pen.fillRect(x, y, 4, kBoxPixels - 1);
    }
    if (width > 34) {
      const space = width - 12;
      const text = visible(`${marks ? `[${marks.map((i) => i + 1).join(', ')}] ` : ''}${model.label(id)}`);
      pen.fillStyle = colors.inks[step];
      pen.fillText(fitted(pen, text, space), x + 7, y + kBoxPixels / 2);
    }
    pen.globalAlpha = 1;
  }

  drawChosen(pen) {
    const chosen = this.boxes.find(({id}) => id === this.app.selected);
    if (!chosen) return;
    pen.strokeStyle = this.colors.chosen;
    pen.lineWidth = 3;
    pen.strokeRect(chosen.x + 1.5, chosen.y + 1.5, Math.max(chosen.width - 4, 1), kBoxPixels - 4);
  }

  drawCrumbs() {
    const {model} = this;
    if (this.zoom === 0) {
      this.crumbs.replaceChildren(h('span', {},
        model.weight[0] > 0 ? `the whole plan, ${model.unit(model.weight[0])}; double-click zooms` : 'nothing to draw: no node has any'));
      return;
    }
    this.crumbs.replaceChildren(
      h('button.small', {type: 'button', onclick: () => this.zoomTo(0)}, 'Whole plan'),
      h('span', {}, h('bdi', {}, model.label(this.zoom)), `, ${model.unit(model.weight[this.zoom])}`));
  }

  at(event, found) {
    const bounds = this.canvas.getBoundingClientRect();
    const x = event.clientX - bounds.left;
    const y = event.clientY - bounds.top;
    const hit = this.boxes.find((box) => x >= box.x && x < box.x + Math.max(box.width, 1) && y >= box.y && y < box.y + kBoxPixels);
    if (hit) found(hit.id);
    return hit !== undefined;
  }

  hover(event) {
    const {model} = this;
    this.tip.hidden = !this.at(event, (id) => {
      this.tip.replaceChildren(h('b', {}, model.label(id)), h('br'),
        `own ${model.unit(model.self[id])} (${percent(model.share(id))}), with all below ${model.unit(model.weight[id])} (${percent(model.subtreeShare(id))})`);
    });
    const bounds = this.box.getBoundingClientRect();
    this.tip.style.left = `${Math.min(event.clientX - bounds.left + 12, Math.max(0, bounds.width - 320))}px`;
    this.tip.style.top = `${event.clientY - bounds.top + this.box.scrollTop + 16}px`;
  }

  zoomTo(id) {
    this.zoom = id;
    this.box.scrollTop = 0;
    this.app.select(id);
    this.draw();
  }

  select(id) {
    if (id < this.zoom || id >= this.model.end[this.zoom]) this.zoom = 0;
    const y = (this.model.depth[id] - this.model.depth[this.zoom]) * kBoxPixels;
    this.measure();
    if (y < this.box.scrollTop) this.box.scrollTop = y;
    else if (y + kBoxPixels > this.box.scrollTop + this.shown) this.box.scrollTop = y + kBoxPixels - this.shown;
    this.draw();
  }
  rebuild() {
    this.layOut();
    this.draw();
  }
  refresh() { this.draw(); }

  key(event) {
    const {model, app} = this;
    const id = app.selected;
    if (event.key === 'Enter') {
      this.zoomTo(this.zoom === id ? 0 : id);
      return true;
    }
    if (event.key === 'Escape' && this.zoom !== 0) {
      this.zoomTo(0);
      return true;
    }
    if (event.key === 'ArrowUp' && model.parent[id] !== kNone) app.select(model.parent[id]);
    else if (event.key === 'ArrowDown' && model.fan[id] > 0) app.select(this.widestChild(id));
    else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') this.sideways(id, event.key === 'ArrowRight');
    else return event.key.startsWith('Arrow');
    return true;
  }
  widestChild(id) {
    const {model} = this;
    let best = id + 1;
    for (let child = id + 1; child < model.end[id]; child = model.end[child]) {
      if (model.weight[child] > model.weight[best]) best = child;
    }
    return best;
  }
  sideways(id, right) {
    const {model, app} = this;
    const parent = model.parent[id];
    if (parent === kNone) return;
    if (right) {
      if (model.end[id] < model.end[parent]) app.select(model.end[id]);
      return;
    }
    let before = kNone;
    for (let child = parent + 1; child < id; child = model.end[child]) before = child;
    if (before !== kNone) app.select(before);
  }
}

// The start of `text` that is at most `space` wide, with a mark where it was cut.
function fitted(pen, text, space) {
  const start = text.slice(0, 300);
  if (start.length === text.length && pen.measureText(start).width <= space) return start;
  let low = 0;
  let high = start.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pen.measureText(`${start.slice(0, middle)}\u2026`).width <= space) low = middle;
    else high = middle - 1;
  }
  return low > 2 ? `${start.slice(0, low)}\u2026` : '';
}
