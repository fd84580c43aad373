// A plan as flat arrays, one entry a node, in the order EXPLAIN prints them: parents first.

const kNone = -1;
const kGroupMin = 6;      // siblings alike that are shown as one row
const kSmallShare = 0.01; // sub-trees below are folded by "fold small"

const kMeasures = {
  time: {label: 'time', unit: duration, of: (plan) => plan.timed},
  blocks: {label: 'buffers', unit: count, of: (plan) => plan.columns.blocks.some((b) => b > 0)},
  cost: {label: 'planner\u2019s cost', unit: short, of: (plan) => plan.columns.cost.some((c) => c > 0)},
};

class Model {
  constructor(data) {
    this.data = data;
    this.size = data.columns.depth.length;
    this.depth = Int32Array.from(data.columns.depth);
    this.link();
    this.measures = Object.keys(kMeasures).filter((name) => kMeasures[name].of(data));
    this.findings = data.findings;
    this.marks = new Map(); // node -> numbers of its findings
    this.findings.forEach((finding, i) => {
      for (const node of finding.nodes) {
        if (!this.marks.has(node)) this.marks.set(node, []);
        this.marks.get(node).push(i);
      }
    });
    this.groups = this.groupSiblings();
    this.hay = null;
    this.weigh(this.measures[0] || 'cost');
  }

  // parent, end of the sub-tree, number of children.
  link() {
    const n = this.size;
    this.parent = new Int32Array(n).fill(kNone);
    this.end = new Int32Array(n).fill(n);
    this.fan = new Int32Array(n);
    const open = [];
    for (let i = 0; i < n; ++i) {
      while (open.length > 0 && this.depth[open[open.length - 1]] >= this.depth[i]) {
        this.end[open.pop()] = i;
      }
      if (open.length > 0) {
        this.parent[i] = open[open.length - 1];
        ++this.fan[this.parent[i]];
      }
      open.push(i);
    }
  }

  column(name, id) { return this.data.columns[name][id]; }
  name(column, id) { return this.data.names[this.data.columns[column][id]]; }
  never(id) { return this.data.columns.never_executed[id] === 1; }

  selfOf(measure) {
    const {columns} = this.data;
    if (measure === 'time') return Float64Array.from(columns.self_ms, (v) => Math.max(v || 0, 0));
    if (measure === 'blocks') return Float64Array.from(columns.self_blocks, (v) => Math.max(v || 0, 0));
    const out = Float64Array.from(columns.cost, (v) => v || 0);
    for (let i = 1; i < this.size; ++i) out[this.parent[i]] -= columns.cost[i] || 0;
    return out.map((v) => Math.max(v, 0));
  }

  // self: of the node alone; weight: with everything below it, so that children never exceed their
  // parent; whole: what shares are shares of.
  weigh(measure) {
    this.measure = measure;
    this.self = this.selfOf(measure);
    this.weight = Float64Array.from(this.self);
    for (let i = this.size - 1; i > 0; --i) this.weight[this.parent[i]] += this.weight[i];
    const whole = measure === 'time' ? this.data.total_ms : 0;
    this.whole = Math.max(whole || 0, this.weight[0]) || 1;
    this.unit = kMeasures[measure].unit;
  }

  share(id) { return this.self[id] / this.whole; }
  subtreeShare(id) { return this.weight[id] / this.whole; }

  properties(id) {
    const row = this.data.node_properties[id];
    return this.data.shapes[row[0]].map((name, i) => [name, row[i + 1]]);
  }

  // What stands after the type: "using i on s.t a".
  object(id) {
    const index = this.name('index', id);
    const relation = this.name('relation', id) || this.name('other', id);
    const schema = this.name('schema', id);
    const alias = this.name('alias', id);
    let out = index ? ` using ${index}` : '';
    if (relation) {
      out += ` on ${schema ? `${schema}.` : ''}${relation}`;
      if (alias && alias !== relation) out += ` ${alias}`;
    }
    return out;
  }
  type(id) {
    const type = this.name('type', id);
    return this.column('parallel', id) === 1 ? `Parallel ${type}` : type;
  }
  label(id) {
    const subplan = this.name('subplan', id);
    return `${subplan ? `${subplan}: ` : ''}${this.type(id)}${this.object(id)}`;
  }
  // A factor that is a mistake of the planner.
  misjudged(id) {
    return this.column('factor', id) >= 2 && this.column('actual', id) !== null &&
      this.name('excuse', id) === '';
  }

  // Runs of siblings of one type: the partitions of a table, the branches of a UNION. Each entry is
  // {first, last, end, size}; groupAt tells which one begins at a node.
  groupSiblings() {
    const groups = [];
    this.groupAt = new Int32Array(this.size).fill(kNone);
    this.groupOf = new Int32Array(this.size).fill(kNone);
    for (let parent = 0; parent < this.size; ++parent) {
      if (this.fan[parent] < kGroupMin) continue;
      let run = [];
      const finish = () => {
        if (run.length >= kGroupMin) this.addGroup(groups, run);
        run = [];
      };
      for (let child = parent + 1; child < this.end[parent]; child = this.end[child]) {
        const alike = run.length > 0 && this.data.columns.type[child] === this.data.columns.type[run[0]] &&
          this.never(child) === this.never(run[0]);
        if (!alike) finish();
        run.push(child);
      }
      finish();
    }
    return groups;
  }
  addGroup(groups, run) {
    const last = run[run.length - 1];
    for (const id of run) this.groupOf[id] = groups.length;
    this.groupAt[run[0]] = groups.length;
    groups.push({first: run[0], last, end: this.end[last], members: run, open: false});
  }

  // The ids whose names or conditions hold `words`, ascending.
  search(words) {
    const wanted = words.trim().toLowerCase();
    if (wanted === '') return null;
    if (!this.hay) this.hay = Array.from({length: this.size}, (_, id) => this.haystack(id));
    const out = [];
    for (let id = 0; id < this.size; ++id) if (this.hay[id].includes(wanted)) out.push(id);
    return out;
  }
  haystack(id) {
    let out = this.label(id);
    const row = this.data.node_properties[id];
    for (let i = 1; i < row.length; ++i) {
      if (typeof row[i] === 'string') out += `\n${row[i]}`;
      else if (Array.isArray(row[i])) out += `\n${row[i].filter((v) => typeof v === 'string').join('\n')}`;
    }
    return out.toLowerCase();
  }

  // [name, weight, nodes] by node type, relation or index, largest first.
  totals(column) {
    const sums = new Map();
    for (let id = 0; id < this.size; ++id) {
      const name = column === 'type' ? this.type(id) : this.name(column, id);
      if (name === '') continue;
      const entry = sums.get(name) || [name, 0, 0];
      entry[1] += this.self[id];
      entry[2] += 1;
      sums.set(name, entry);
    }
    return [...sums.values()].sort((a, b) => b[1] - a[1]);
  }
}
