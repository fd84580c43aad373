// All that the plan says of one node.

const kValueShown = 2000;
const kLevelsMax = 6;

// Names of properties by subject; the first that fits takes it, the rest is "other".
const kSubjects = [
  ['Conditions', /Cond$|Filter$|^(Sort|Presorted|Group|Cache|Order By) ?Key|^(Order By|Hash Key|Cache Mode|Conflict|Merge Cond|Window|TID)/],
  ['Rows dropped', /^Rows Removed|^Heap Fetches|^(Inner Unique|Alternatives)/],
  ['Buffers and I/O', /Blocks$|I\/O|^(WAL|Index Searches|Exact|Lossy)/],
  ['Memory', /Memory|Disk|Space|Batches|Buckets|Sort Method|Storage|^(Cache (Hits|Misses|Evictions|Overflows)|Peak|Full-sort|Pre-sorted)/],
  ['Workers', /^(Workers|Parallel|Single Copy|Params Evaluated)/],
  ['Output', /^Output$/],
  ['Planner and executor', /^(Startup Cost|Total Cost|Plan |Actual |Disabled|Async)/],
];
const kInTitle = new Set(['Node Type', 'Relation Name', 'Schema', 'Alias', 'Index Name', 'Subplan Name']);

function subjectOf(name) {
  const found = kSubjects.find(([, pattern]) => pattern.test(name));
  return found ? found[0] : 'Other';
}

// A value of JSON as an element; lists and objects nest to a limit.
function valueOf(value, level = 0) {
  if (value === null || typeof value !== 'object') return scalarOf(value);
  if (level >= kLevelsMax) return h('span', {}, '\u2026');
  const entries = Array.isArray(value) ? value.map((v, i) => [String(i + 1), v]) : Object.entries(value);
  if (entries.length === 0) return h('span.note', {}, 'none');
  if (Array.isArray(value) && entries.every(([, v]) => typeof v !== 'object')) {
    return h('ul.values', {}, entries.slice(0, 500).map(([, v]) => h('li', {}, scalarOf(v))),
      entries.length > 500 && h('li.note', {}, `and ${grouped(entries.length - 500)} more`));
  }
  return factList(entries.slice(0, 500), level + 1);
}

// [name, value] one below the other, what is zero or false in one line at the end.
function factList(entries, level = 0) {
  const empty = (value) => value === 0 || value === false;
  const none = entries.filter(([, value]) => empty(value)).map(([name]) => name);
  return h('dl.facts', {}, entries.filter(([, value]) => !empty(value)).map(([name, value]) => fact(name, valueOf(value, level))),
    none.length > 0 && fact('Zero or no', none.join(', ')));
}

function scalarOf(value) {
  const text = typeof value === 'number' ? numeral(value) : String(value);
  if (text.length <= kValueShown) return block('bdi.value', text);
  const out = h('div.value', {}, block('bdi', text.slice(0, kValueShown)), '\u2026 ');
  const more = h('button.small', {type: 'button'}, `Show all ${grouped(text.length)} characters`);
  more.addEventListener('click', () => out.replaceChildren(block('bdi', text)));
  out.append(more);
  return out;
}

function numeral(value) {
  return Number.isInteger(value) && Math.abs(value) < 1e15 ? value.toLocaleString('en-US') : String(value);
}

function fact(name, ...value) {
  return [h('dt', {}, name), h('dd', {}, value)];
}

function nodePanel(app, box) {
  const {model} = app;
  const id = app.selected;
  const parent = model.parent[id];
  put(box, [
    h('h2', {}, h('span.number', {}, `#${id + 1}`), h('bdi', {}, model.label(id))),
    h('p.links', {},
      parent !== kNone && nodeLink(app, parent, `\u2191 ${model.type(parent)}`),
      ...childrenOf(model, id).map((child) => nodeLink(app, child, `\u2193 ${model.type(child)}`)),
      model.fan[id] > 6 && h('span.note', {}, `${grouped(model.fan[id] - 6)} more below`)),
    (model.marks.get(id) || []).map((i) => h('p.hint', {}, markButton(app, i), ' ',
      h('span', {}, model.findings[i].what))),
    h('h3', {}, 'Time and rows'), h('dl.facts', {}, timeFacts(model, id), rowFacts(model, id)),
  ]);
  put(box, propertySections(model, id));
}

function childrenOf(model, id) {
  const out = [];
  for (let child = id + 1; child < model.end[id] && out.length < 6; child = model.end[child]) out.push(child);
  return out;
}

function nodeLink(app, id, text) {
  return h('button.small', {type: 'button', title: app.model.label(id), onclick: () => app.select(id)}, text);
}

function timeFacts(model, id) {
  const out = [];
  if (model.never(id)) return fact('Executed', h('b', {}, 'never'), ': nothing asked it for rows');
  if (model.data.timed) {
    const self = model.column('self_ms', id);
    const error = model.column('self_error', id);
    out.push(fact('Self', h('b', {}, duration(Math.max(self, 0))), h('span.note', {}, ` ${interval(self, error)}`)));
    const total = model.column('total_ms', id);
    out.push(fact('With all below', duration(Math.max(total, 0)), h('span.note', {}, ` ${interval(total, model.column('total_error', id))}`)));
  }
  out.push(fact(`Share of ${kMeasures[model.measure].label}`, h('b', {}, percent(model.share(id))),
    `; its sub-tree ${percent(model.subtreeShare(id))}`));
  const loops = model.column('loops', id);
  if (loops !== null) out.push(fact('Loops', count(loops), loops > 1 ? ', over all processes; what EXPLAIN prints is a mean of them' : ''));
  return out;
}

function rowFacts(model, id) {
  const actual = model.column('actual', id);
  const error = model.column('actual_error', id);
  const out = [fact('Rows expected', count(model.column('estimate', id)))];
  if (actual === null) return out;
  out.push(fact('Rows met', h('b', {}, count(actual)), error > 0.5 ? ` \u00b1 ${count(error)}` : ''));
  const excuse = model.name('excuse', id);
  const factor = model.column('factor', id);
  if (factor >= 2) {
    out.push(fact('Estimate', excuse ? `off by \u00d7${short(factor)}, no mistake: ${excuse}` : h('span.factor', {}, `off by \u00d7${short(factor)}`)));
  }
  return out;
}

function propertySections(model, id) {
  const sections = new Map();
  for (const [name, value] of model.properties(id)) {
    if (kInTitle.has(name) && value !== null && typeof value !== 'object') continue;
    const subject = subjectOf(name);
    if (!sections.has(subject)) sections.set(subject, []);
    sections.get(subject).push([name, value]);
  }
  const order = [...kSubjects.map(([name]) => name), 'Other'];
  return order.filter((name) => sections.has(name))
    .map((name) => [h('h3', {}, name), factList(sections.get(name))]);
}
