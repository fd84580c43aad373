// The tree: one line a node, as in a terminal.

const kIndentMax = 28; // levels that are indented; deeper ones tell their depth
const kIndentPixels = 14;

class TreeView {
  constructor(app, box) {
    this.app = app;
    this.model = app.model;
    this.box = box;
    this.head = this.heading();
    box.append(this.head);
    box.setAttribute('role', 'treegrid');
    box.setAttribute('aria-label', 'Plan tree');
    this.rows = new Rows(box, 24, (i) => this.row(i));
    this.rows.head = 26;
    this.rebuild();
  }

  close() { this.rows.close(); }

  heading() {
    const cells = ['share', 'self', 'total', 'rows est \u2192 act', 'buffers', 'node'];
    return h('div.head.tree', {role: 'row'},
      cells.map((name) => h('span', {role: 'columnheader'}, name)));
  }

  // What is in sight: ids of nodes, and -1 - n for folded group n.
  rebuild() {
    const {model} = this;
    const lines = [];
    for (let id = 0; id < model.size;) {
      const group = model.groupAt[id];
      if (group !== kNone && !this.groupOpen(group)) {
        lines.push(-1 - group);
        id = model.groups[group].end;
        continue;
      }
      lines.push(id);
      id = this.app.folded.has(id) ? model.end[id] : id + 1;
    }
    this.lines = Int32Array.from(lines);
    this.box.setAttribute('aria-rowcount', lines.length + 1);
    this.rows.resize(lines.length);
    this.describe();
  }

  groupOpen(group) {
    return this.app.openGroups.has(group) || !this.app.foldSmall;
  }

  // The line that shows `id`, or what it is folded into; the lines ascend by first id.
  lineOf(id) {
    let low = 0;
    let high = this.lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.firstId(this.lines[middle]) <= id) low = middle;
      else high = middle - 1;
    }
    return low;
  }
  firstId(line) { return line >= 0 ? line : this.model.groups[-1 - line].first; }

  select(id, keepFolded = false) {
    if (!keepFolded && this.app.unfoldTo(id)) this.rebuild();
    this.rows.reveal(this.lineOf(id));
    this.describe();
  }
  describe() {
    this.box.setAttribute('aria-activedescendant', `tree-${this.app.selected}`);
  }
  refresh() { this.rows.render(); }

  row(i) {
    const line = this.lines[i];
    return line < 0 ? this.groupRow(i, this.model.groups[-1 - line]) : this.nodeRow(i, line);
  }

  nodeRow(i, id) {
    const {model, app} = this;
    const inner = model.fan[id] > 0;
    const open = inner && !app.folded.has(id);
    const classes = ['line', 'tree'];
    if (id === app.selected) classes.push('selected');
    if (model.never(id)) classes.push('never');
    if (app.hits && !app.hitSet.has(id)) classes.push('missed');
    return h(`div.${classes.join('.')}`, {
      role: 'row', id: `tree-${id}`, 'aria-rowindex': i + 2, 'aria-level': model.depth[id] + 1,
      'aria-selected': id === app.selected ? 'true' : 'false',
      'aria-expanded': inner ? String(open) : undefined,
      onclick: () => app.select(id), ondblclick: () => app.fold(id, open),
    },
    shareCell(model, model.share(id)), selfCell(model, id), totalCell(model, id),
    rowsCell(model, id), h('span.num', {role: 'gridcell'}, count(model.column('blocks', id))),
    this.labelCell(id, inner, open));
  }

  labelCell(id, inner, open) {
    const {model, app} = this;
    const twist = h('span.twist', {'aria-hidden': 'true', onclick: (event) => {
      event.stopPropagation();
      if (inner) app.fold(id, open);
    }}, inner ? (open ? '\u25be' : '\u25b8') : '');
    const subplan = model.name('subplan', id);
    const cell = h('span.label', {role: 'gridcell', title: model.label(id)},
      this.indent(model.depth[id]), twist,
      model.depth[id] > kIndentMax && h('span.deep', {}, `level ${model.depth[id] + 1}`),
      subplan && h('bdi.subplan', {}, subplan), h('b', {}, model.type(id)),
      h('bdi.object', {}, model.object(id)), marksOf(app, id),
      model.never(id) && h('span.note', {}, 'never executed'),
      inner && !open && h('span.note', {}, `${grouped(model.end[id] - id - 1)} below, ${percent(model.subtreeShare(id))}`));
    return cell;
  }

  indent(depth) {
    const out = h('span.indent', {'aria-hidden': 'true'});
    out.style.width = `${Math.min(depth, kIndentMax) * kIndentPixels}px`;
    return out;
  }

  groupRow(i, group) {
    const {model, app} = this;
    const index = model.groupOf[group.first];
    let self = 0;
    let rows = 0;
    let blocks = 0;
    for (const id of group.members) {
      self += model.weight[id];
      rows += model.column('actual', id) || 0;
      blocks += model.column('blocks', id) || 0;
    }
    const chosen = app.selected >= group.first && app.selected < group.end;
    return h(`div.line.tree.group${model.never(group.first) ? '.never' : ''}${chosen ? '.selected' : ''}`, {
      role: 'row', id: `tree-${group.first}`, 'aria-rowindex': i + 2, 'aria-level': model.depth[group.first] + 1,
      'aria-expanded': 'false', 'aria-selected': String(chosen), onclick: () => app.openGroup(index),
    },
    shareCell(model, self / model.whole),
    h('span.num', {role: 'gridcell'}, model.measure === 'time' ? duration(self) : ''),
    h('span.num', {role: 'gridcell'}),
    h('span.num', {role: 'gridcell'}, model.data.analyzed ? count(rows) : ''),
    h('span.num', {role: 'gridcell'}, blocks > 0 ? count(blocks) : ''),
    h('span.label', {role: 'gridcell'}, this.indent(model.depth[group.first]),
      h('span.twist', {'aria-hidden': 'true'}, '\u25b8'),
      h('b', {}, `${grouped(group.members.length)} \u00d7 ${model.type(group.first)}`),
      h('bdi.object', {}, ` ${model.name('relation', group.first)} \u2026 ${model.name('relation', group.last)}`),
      groupMarks(app, group)));
  }

  // Keys of a tree. True when the key was one of them.
  key(event) {
    const {model, app} = this;
    const id = app.selected;
    const at = this.lineOf(id);
    const step = {ArrowDown: 1, ArrowUp: -1, PageDown: this.rows.page(), PageUp: -this.rows.page(),
      Home: -this.lines.length, End: this.lines.length}[event.key];
    if (step !== undefined) {
      const to = Math.max(0, Math.min(this.lines.length - 1, at + step));
      app.select(this.firstId(this.lines[to]), {keepFolded: true});
      return true;
    }
    const open = model.fan[id] > 0 && !app.folded.has(id);
    if (event.key === 'ArrowRight') {
      if (this.lines[at] < 0) app.openGroup(-1 - this.lines[at]);
      else if (model.fan[id] > 0 && !open) app.fold(id, false);
      else if (open) app.select(id + 1, {keepFolded: true});
      return true;
    }
    if (event.key === 'ArrowLeft') {
      if (open && this.lines[at] >= 0) app.fold(id, true);
      else if (model.parent[id] !== kNone) app.select(model.parent[id]);
      return true;
    }
    return false;
  }
}

// Cells that tree and table share.

function shareCell(model, share) {
  const fill = h(`i.heat${heat(share)}`);
  fill.style.width = `${Math.min(100, share * 100)}%`;
  return h('span.share', {role: 'gridcell'}, h('span.track', {'aria-hidden': 'true'}, fill),
    h('span', {}, percent(share)));
}

// The error bar is shown where it matters: more than a twentieth and to be seen.
function selfCell(model, id) {
  if (model.measure !== 'time') return h('span.num', {role: 'gridcell'}, kMeasures[model.measure].unit(model.self[id]));
  const ms = Math.max(model.column('self_ms', id), 0);
  const error = model.column('self_error', id);
  const shown = error > 0.05 * ms && error >= 0.05;
  return h('span.num', {role: 'gridcell', title: interval(model.column('self_ms', id), error)},
    duration(ms), shown && h('small', {}, ` \u00b1${short(error)}`));
}

// The bounds to the microsecond: closer ones are of no use, wider ones show at once.
function interval(ms, error) {
  const digits = {minimumFractionDigits: 3, maximumFractionDigits: 3};
  const bound = (value) => Math.max(value, 0).toLocaleString('en-US', digits);
  return `${bound(ms - error)} to ${bound(ms + error)} ms`;
}

function totalCell(model, id) {
  const text = model.data.timed ? duration(Math.max(model.column('total_ms', id), 0))
    : `cost ${short(model.column('cost', id))}`;
  return h('span.num', {role: 'gridcell'}, text);
}

function rowsCell(model, id) {
  const actual = model.column('actual', id);
  const estimate = count(model.column('estimate', id));
  if (actual === null) return h('span.num', {role: 'gridcell'}, `${estimate} est`);
  const factor = model.column('factor', id);
  return h('span.num', {role: 'gridcell'}, `${estimate}\u2009\u2192\u2009${count(actual)}`,
    model.misjudged(id) && h(`span.factor${factor >= 10 ? '.far' : ''}`, {}, ` \u00d7${factor < 10 ? short(factor) : count(factor)}`));
}

function markButton(app, i) {
  return h(`button.mark.${app.model.findings[i].severity}`, {type: 'button', tabindex: -1,
    title: app.model.findings[i].what, 'aria-label': `finding ${i + 1}`,
    onclick: (event) => {
      event.stopPropagation();
      app.selectFinding(i, false);
    }}, String(i + 1));
}

function marksOf(app, id) {
  return (app.model.marks.get(id) || []).map((i) => markButton(app, i));
}

function groupMarks(app, group) {
  const inside = new Set();
  for (const [node, marks] of app.model.marks) {
    if (node >= group.first && node < group.end) marks.forEach((i) => inside.add(i));
  }
  return [...inside].map((i) => markButton(app, i));
}
