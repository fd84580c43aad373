// The table: every node, sorted by what is asked for.

class TableView {
  constructor(app, box) {
    this.app = app;
    this.model = app.model;
    this.box = box;
    this.columns = this.describeColumns();
    this.head = h('div.head.table', {role: 'row'});
    box.append(this.head);
    box.setAttribute('role', 'grid');
    box.setAttribute('aria-label', 'Nodes');
    this.rows = new Rows(box, 24, (i) => this.row(i));
    this.rows.head = 26;
    this.sort = app.tableSort;
    this.rebuild();
  }

  close() { this.rows.close(); }

  // [heading, value to sort by, cell]; numbers sort downwards first.
  describeColumns() {
    const {model} = this;
    const number = (name, show = count) => (id) => h('span.num', {role: 'gridcell'}, show(model.column(name, id)));
    const actual = (id) => (model.column('actual', id) === null ? kNone : model.column('actual', id));
    return [
      ['#', (id) => id, (id) => h('span.num', {role: 'gridcell'}, String(id + 1)), 'up'],
      ['node', (id) => model.label(id), (id) => this.labelCell(id), 'up'],
      ['share', (id) => model.self[id], (id) => shareCell(model, model.share(id))],
      ['self', (id) => model.self[id], (id) => selfCell(model, id)],
      ['total', (id) => model.column(model.data.timed ? 'total_ms' : 'cost', id), (id) => totalCell(model, id)],
      ['loops', (id) => model.column('loops', id) || 0, number('loops')],
      ['rows est', (id) => model.column('estimate', id), number('estimate')],
      ['rows', actual, number('actual')],
      ['factor', (id) => (model.misjudged(id) ? model.column('factor', id) : 0), (id) => this.factorCell(id)],
      ['own buffers', (id) => model.column('self_blocks', id), number('self_blocks')],
      ['buffers', (id) => model.column('blocks', id) || 0, number('blocks')],
      ['cost', (id) => model.column('cost', id), number('cost', short)],
    ];
  }
  labelCell(id) {
    return h('span.label', {role: 'gridcell', title: this.model.label(id)},
      h('bdi', {}, h('b', {}, this.model.type(id)), h('span.object', {}, this.model.object(id))),
      marksOf(this.app, id), this.model.never(id) && h('span.note', {}, 'never executed'));
  }
  factorCell(id) {
    const factor = this.model.column('factor', id);
    return h('span.num', {role: 'gridcell'}, this.model.misjudged(id) &&
      h(`span.factor${factor >= 10 ? '.far' : ''}`, {}, `\u00d7${factor < 10 ? short(factor) : count(factor)}`));
  }

  drawHead() {
    const {column, down} = this.sort;
    this.head.replaceChildren(...this.columns.map(([name], i) => h('span', {role: 'columnheader',
      'aria-sort': i === column ? (down ? 'descending' : 'ascending') : 'none'},
    h('button', {type: 'button', onclick: () => this.sortBy(i)}, name,
      i === column && (down ? ' \u2193' : ' \u2191')))));
  }
  sortBy(i) {
    const down = this.sort.column === i ? !this.sort.down : this.columns[i][3] !== 'up';
    this.sort.column = i;
    this.sort.down = down;
    this.rebuild();
    this.head.children[i].firstChild.focus();
  }

  rebuild() {
    this.drawHead();
    const ids = this.app.hits || Array.from({length: this.model.size}, (_, i) => i);
    const value = this.columns[this.sort.column][1];
    const keys = new Map(ids.map((id) => [id, value(id)]));
    const sign = this.sort.down ? -1 : 1;
    this.ids = [...ids].sort((a, b) => {
      const x = keys.get(a);
      const y = keys.get(b);
      return x === y ? a - b : (x < y ? -sign : sign);
    });
    this.places = new Map(this.ids.map((id, i) => [id, i]));
    this.box.setAttribute('aria-rowcount', ids.length + 1);
    this.rows.resize(this.ids.length);
  }

  select(id) {
    const place = this.places.get(id);
    this.box.setAttribute('aria-activedescendant', `table-${id}`);
    if (place === undefined) this.rows.render();
    else this.rows.reveal(place);
  }
  refresh() { this.rebuild(); }

  row(i) {
    const id = this.ids[i];
    const {app, model} = this;
    const chosen = id === app.selected;
    return h(`div.line.table${chosen ? '.selected' : ''}${model.never(id) ? '.never' : ''}`, {
      role: 'row', id: `table-${id}`, 'aria-rowindex': i + 2, 'aria-selected': String(chosen),
      onclick: () => app.select(id),
    }, this.columns.map(([, , cell]) => cell(id)));
  }

  key(event) {
    const step = {ArrowDown: 1, ArrowUp: -1, PageDown: this.rows.page(), PageUp: -this.rows.page(),
      Home: -this.ids.length, End: this.ids.length}[event.key];
    if (step === undefined || this.ids.length === 0) return false;
    const at = this.places.get(this.app.selected);
    const to = at === undefined ? 0 : Math.max(0, Math.min(this.ids.length - 1, at + step));
    this.app.select(this.ids[to], {keepFolded: true});
    return true;
  }
}
