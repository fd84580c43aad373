// The page: one selection that all views and the side show.

const kViews = [
  {name: 'tree', label: 'Tree', make: TreeView},
  {name: 'table', label: 'Table', make: TableView},
  {name: 'flame', label: 'Flame', make: FlameView},
  {name: 'text', label: 'Text', make: TextView},
];
const kSides = {findings: findingsPanel, node: nodePanel, statement: statementPanel, totals: totalsPanel, plan: planPanel};
const kFoldedFrom = 150; // plans larger than this open with what is small folded
const kRibbonMax = 24;
const kThemes = ['auto', 'light', 'dark'];

class App {
  constructor() {
    this.sources = [...document.querySelectorAll('script.plan')];
    this.models = new Map();
    this.measureWish = '';
    this.viewName = 'tree';
    this.tableSort = {column: 2, down: true};
    this.theme = this.storedTheme();
    this.setTheme();
    this.chooser();
    this.controls();
    const {plan, node} = this.fromHash();
    this.open(plan, node);
    listen(this);
    window.addEventListener('hashchange', () => this.followHash());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.view.refresh());
    matchMedia('print').addEventListener('change', (event) => (event.matches ? layPaper(this) : clearPaper()));
    window.addEventListener('beforeprint', () => layPaper(this));
    window.addEventListener('afterprint', clearPaper);
  }

  // Plans

  open(index, node = null) {
    this.index = index;
    if (!this.models.has(index)) {
      this.models.set(index, new Model(JSON.parse(this.sources[index].textContent)));
    }
    this.model = this.models.get(index);
    this.folded = new Set();
    this.openGroups = new Set();
    this.foldSmall = this.model.size > kFoldedFrom;
    this.hits = null;
    this.hitSet = new Set();
    document.getElementById('search').value = '';
    this.finding = this.model.findings.length > 0 ? 0 : kNone;
    const first = this.finding === kNone ? 0 : this.model.findings[0].nodes[0] ?? 0;
    this.selected = node !== null && node < this.model.size ? node : first;
    this.side = this.model.findings.length > 0 && node === null ? 'findings' : 'node';
    if (this.model.measures.includes(this.measureWish)) this.model.weigh(this.measureWish);
    if (this.foldSmall) this.foldSmallOnes();
    this.unfoldTo(this.selected);
    const select = document.getElementById('plan');
    if (select) select.value = String(index);
    this.measureChoice();
    figures(this);
    this.sideTabs();
    this.show(this.viewName);
    this.showSide(this.side);
    document.title = `pgtend explain: ${visible(this.model.label(0)).slice(0, 80)}`;
  }

  chooser() {
    if (this.sources.length < 2) return;
    const title = (source, i) => {
      const start = source.textContent.slice(0, 400);
      const ms = /"total_ms":([-\d.eE+]+)/.exec(start);
      return `plan ${i + 1} of ${this.sources.length}${ms ? `, ${duration(Number(ms[1]))}` : ''}`;
    };
    const select = h('select', {id: 'plan', 'aria-label': 'Plan'},
      this.sources.map((source, i) => h('option', {value: i}, title(source, i))));
    select.addEventListener('change', () => {
      this.open(Number(select.value));
      this.toHash();
    });
    const step = (by) => () => {
      this.open((this.index + by + this.sources.length) % this.sources.length);
      this.toHash();
    };
    document.getElementById('chooser').append(
      h('button', {type: 'button', 'aria-label': 'Previous plan', onclick: step(-1)}, '\u2039'), select,
      h('button', {type: 'button', 'aria-label': 'Next plan', onclick: step(1)}, '\u203a'));
  }

  controls() {
    tabList(document.getElementById('view-tabs'), kViews.map(({name, label}) => [name, label]), (name) => this.show(name));
    document.getElementById('theme').addEventListener('click', () => this.turnTheme());
    document.getElementById('help').addEventListener('click', openHelp);
    document.getElementById('fold').addEventListener('click', () => this.toggleSmall());
    const search = document.getElementById('search');
    search.addEventListener('input', () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.search(search.value), this.model.size > 5000 ? 200 : 0);
    });
    const measure = document.getElementById('measure');
    measure.addEventListener('change', () => {
      this.measureWish = measure.value;
      this.model.weigh(measure.value);
      figures(this);
      this.view.rebuild();
      this.showSide(this.side);
    });
  }
  measureChoice() {
    const measure = document.getElementById('measure');
    measure.replaceChildren(...this.model.measures.map((name) => h('option', {value: name}, kMeasures[name].label)));
    measure.value = this.model.measure;
    measure.disabled = this.model.measures.length < 2;
  }

  // Views

  show(name, focus = false) {
    this.viewName = name;
    if (this.view) this.view.close();
    this.box = h(`div.view.${name}`, {tabindex: 0, id: 'box'});
    document.getElementById('view').replaceChildren(this.box);
    markTab(document.getElementById('view-tabs'), name);
    document.getElementById('view').setAttribute('aria-labelledby', `tab-${name}`);
    this.view = new (kViews.find((view) => view.name === name).make)(this, this.box);
    this.view.select(this.selected);
    this.foldButton();
    if (focus) this.box.focus({preventScroll: true});
  }

  sideTabs() {
    const {findings, data} = this.model;
    const tabs = [['findings', `Findings ${findings.length}`], ['node', 'Node'], ['statement', 'Statement'],
      ['totals', data.timed ? 'Time' : 'Totals'], ['plan', 'Plan']];
    tabList(document.getElementById('side-tabs'), tabs, (name) => this.showSide(name));
  }
  showSide(name) {
    this.side = name;
    const panel = document.getElementById('panel');
    panel.replaceChildren();
    panel.className = name;
    panel.scrollTop = 0;
    panel.setAttribute('aria-labelledby', `tab-${name}`);
    kSides[name](this, panel);
    markTab(document.getElementById('side-tabs'), name);
  }

  // The selection

  select(id, {keepFolded = false, side = 'node'} = {}) {
    this.selected = id;
    this.view.select(id, keepFolded);
    markRibbon(this);
    if (side) this.showSide(side);
    this.toHash();
    say(`${this.model.label(id)}, ${percent(this.model.share(id))}`);
  }

  selectFinding(i, fromCard) {
    this.finding = i;
    const node = this.model.findings[i].nodes[0];
    const side = this.side === 'statement' && !fromCard ? 'statement' : 'findings';
    if (node === undefined) this.showSide(side);
    else this.select(node, {side});
    const card = document.querySelector(`[data-finding="${i}"]`);
    if (card) card.scrollIntoView({block: 'nearest'});
    if (card && fromCard) card.querySelector('button').focus({preventScroll: true});
  }
  closeFinding() {
    const before = this.finding;
    this.finding = kNone;
    this.showSide('findings');
    document.querySelector(`[data-finding="${before}"] button`).focus();
  }
  stepFinding(by) {
    const all = this.model.findings.length;
    if (all === 0) return;
    const from = this.finding === kNone && by < 0 ? 0 : this.finding;
    this.selectFinding((from + by + all) % all, false);
  }

  toHash() {
    const plan = this.sources.length > 1 ? `plan=${this.index + 1}&` : '';
    const hash = `#${plan}node=${this.selected + 1}`;
    if (location.hash !== hash) history.replaceState(null, '', hash);
  }
  fromHash() {
    const read = (name, limit) => {
      const found = new RegExp(`[#&]${name}=(\\d{1,9})(?:&|$)`).exec(location.hash);
      const value = found ? Number(found[1]) - 1 : kNone;
      return value >= 0 && value < limit ? value : null;
    };
    return {plan: read('plan', this.sources.length) ?? 0, node: read('node', 1e9)};
  }
  followHash() {
    const {plan, node} = this.fromHash();
    if (plan !== this.index) this.open(plan, node);
    else if (node !== null && node < this.model.size && node !== this.selected) this.select(node);
  }

  // Folding

  // Unfolds what hides `id`. True when something did.
  unfoldTo(id) {
    let changed = false;
    for (let at = id; at !== kNone; at = this.model.parent[at]) {
      if (at !== id && this.folded.delete(at)) changed = true;
      const group = this.model.groupOf[at];
      if (group !== kNone && this.foldSmall && !this.openGroups.has(group)) {
        this.openGroups.add(group);
        changed = true;
      }
    }
    return changed;
  }
  // What shows where `id` is: itself, or what it is folded into.
  shownFor(id) {
    let shown = id;
    for (let at = id; at !== kNone; at = this.model.parent[at]) {
      if (at !== id && this.folded.has(at)) shown = at;
      const group = this.model.groupOf[at];
      if (group !== kNone && this.foldSmall && !this.openGroups.has(group)) shown = this.model.parent[at];
    }
    return shown;
  }
  fold(id, shut) {
    if (this.model.fan[id] === 0) return;
    if (shut) this.folded.add(id);
    else this.folded.delete(id);
    if (shut && this.selected > id && this.selected < this.model.end[id]) this.select(id, {keepFolded: true});
    this.view.rebuild();
  }
  openGroup(group) {
    this.openGroups.add(group);
    this.view.rebuild();
  }
  unfoldAll() {
    this.foldSmall = false;
    this.folded.clear();
    this.view.rebuild();
    this.foldButton();
  }
  foldSmallOnes() {
    for (let id = 1; id < this.model.size; ++id) {
      if (this.model.fan[id] > 0 && this.model.subtreeShare(id) < kSmallShare) this.folded.add(id);
    }
  }
  toggleSmall() {
    this.foldSmall = !this.foldSmall;
    this.folded.clear();
    this.openGroups.clear();
    if (this.foldSmall) this.foldSmallOnes();
    this.view.rebuild();
    this.select(this.shownFor(this.selected), {keepFolded: true, side: null});
    this.foldButton();
  }
  foldButton() {
    const button = document.getElementById('fold');
    button.textContent = this.foldSmall ? 'Unfold all' : 'Fold small';
    button.hidden = this.viewName !== 'tree';
  }

  // Search

  searchFor(words) {
    document.getElementById('search').value = words;
    this.search(words);
  }
  search(words) {
    this.hits = this.model.search(words);
    this.hitSet = new Set(this.hits || []);
    this.tellHits();
    this.view.refresh();
    if (this.hits && this.hits.length > 0 && !this.hitSet.has(this.selected)) this.stepHit(1);
  }
  stepHit(by) {
    const {hits} = this;
    if (!hits || hits.length === 0) return;
    const at = hits.indexOf(this.selected);
    const after = hits.findIndex((id) => id > this.selected);
    const to = at >= 0 ? at + by : (after < 0 ? 0 : after - (by < 0 ? 1 : 0));
    this.select(hits[(to + hits.length) % hits.length], {side: this.side === 'totals' ? null : 'node'});
    this.tellHits();
  }
  tellHits() {
    const {hits} = this;
    const at = hits ? hits.indexOf(this.selected) : kNone;
    document.getElementById('hits').textContent = !hits ? ''
      : hits.length === 0 ? 'none' : `${at >= 0 ? `${grouped(at + 1)} of ` : ''}${grouped(hits.length)}`;
  }

  // Dark and light

  storedTheme() {
    try {
      const theme = localStorage.getItem('pgtend-theme');
      return kThemes.includes(theme) ? theme : 'auto';
    } catch {
      return 'auto';
    }
  }
  turnTheme() {
    this.theme = kThemes[(kThemes.indexOf(this.theme) + 1) % kThemes.length];
    try {
      localStorage.setItem('pgtend-theme', this.theme);
    } catch {
      // The browser keeps nothing for files: the choice holds for this page.
    }
    this.setTheme();
    this.view.refresh();
  }
  setTheme() {
    if (this.theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
    const button = document.getElementById('theme');
    button.textContent = {auto: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark'}[this.theme];
  }
}

function figures(app) {
  const {model} = app;
  const {data} = model;
  const blocks = model.column('blocks', 0);
  const all = [
    data.execution_ms !== null && ['execution', duration(data.execution_ms)],
    data.execution_ms === null && data.total_ms !== null && ['run time', duration(data.total_ms)],
    data.planning_ms !== null && ['planning', duration(data.planning_ms)],
    !data.analyzed && ['cost, not run', short(model.column('cost', 0))],
    blocks !== null && ['buffers', count(blocks)],
    data.analyzed && ['rows', count(model.column('actual', 0))],
    ['nodes', grouped(model.size)],
    ['findings', String(model.findings.length)],
  ].filter(Boolean);
  document.getElementById('figures').replaceChildren(...all.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
  ribbon(app);
}

// The largest nodes side by side, each as wide as its share; kinds of nodes where no few nodes are
// half of all.
function ribbon(app) {
  const {model} = app;
  const order = Array.from({length: model.size}, (_, id) => id).filter((id) => model.share(id) >= 0.005)
    .sort((a, b) => model.self[b] - model.self[a]).slice(0, kRibbonMax);
  let pieces = order.map((id) => ({share: model.share(id), self: model.self[id], node: id,
    name: `${model.type(id)}${model.object(id)}`, act: () => app.select(id)}));
  if (pieces.reduce((sum, {share}) => sum + share, 0) < 0.5) {
    pieces = model.totals('type').slice(0, kRibbonMax).filter(([, self]) => self / model.whole >= 0.005)
      .map(([name, self, nodes]) => ({share: self / model.whole, self, name: `${name}, ${grouped(nodes)} nodes`, act: () => app.searchFor(name)}));
  }
  const rest = 1 - pieces.reduce((sum, {share}) => sum + share, 0);
  const last = h('span.rest', {title: `everything else: ${percent(Math.max(0, rest))}`});
  last.style.flexGrow = String(Math.max(0, rest * 1000));
  document.getElementById('ribbon').replaceChildren(...pieces.map((piece) => ribbonPiece(model, piece)), last);
  markRibbon(app);
}
function ribbonPiece(model, {share, self, name, node, act}) {
  const piece = h(`button.heat${heat(share)}`, {type: 'button', 'data-node': node, onclick: act,
    title: `${name}: ${model.unit(self)}, ${percent(share)}`},
  h('span', {}, h('b', {}, percent(share)), ' ', h('bdi', {}, name)));
  piece.style.flexGrow = String(share * 1000);
  return piece;
}
function markRibbon(app) {
  for (const piece of document.getElementById('ribbon').children) {
    piece.setAttribute('aria-pressed', String(piece.dataset.node === String(app.selected)));
  }
}

// Paper has no tabs: everything one below the other.
const kPaperNodes = 1500;

function layPaper(app) {
  const {model} = app;
  const paper = document.getElementById('paper');
  const lines = [];
  for (let id = 0; id < Math.min(model.size, kPaperNodes); ++id) {
    const rows = rowsCell(model, id).textContent;
    lines.push(h('tr', {}, h('td', {}, percent(model.share(id))), h('td', {}, selfCell(model, id).textContent),
      h('td', {}, rows), h('td', {}, `${'\u00a0\u00a0'.repeat(Math.min(model.depth[id], 20))}${model.label(id)}${(model.marks.get(id) || []).map((i) => ` [${i + 1}]`).join('')}`)));
  }
  paper.replaceChildren(h('h2', {}, 'Findings'),
    model.findings.length === 0 ? h('p', {}, 'None.') : h('div', {}, model.findings.map((finding, i) => h('article.finding.open', {},
      h('h3', {}, `${i + 1}. ${finding.id} ${finding.what}`), findingBody(app, finding)))),
    h('h2', {}, 'Plan'), h('table', {}, h('thead', {}, h('tr', {}, ['share', 'self', 'rows est \u2192 act', 'node'].map((name) => h('th', {}, name)))), h('tbody', {}, lines)),
    model.size > kPaperNodes ? h('p', {}, `and ${grouped(model.size - kPaperNodes)} more nodes`) : '',
    model.data.query ? h('div', {}, h('h2', {}, 'Statement'), block('pre.sql', model.data.query)) : '');
}
function clearPaper() { document.getElementById('paper').replaceChildren(); }

new App();
