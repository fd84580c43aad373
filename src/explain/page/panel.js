// The side: findings, the statement, where the time went, what the plan says beside its tree.

function findingsPanel(app, box) {
  const {model} = app;
  if (model.findings.length === 0) {
    put(box, [h('p.calm', {}, 'No finding: nothing in this plan is worth a change.')]);
  }
  put(box, model.findings.map((finding, i) => findingCard(app, finding, i)));
  put(box, [notes(model.data)]);
}

function notes(data) {
  const missing = data.missing_rights.map((right) => `${right.what}; ${right.grant} would show it`);
  const all = [...data.warnings, ...missing];
  return all.length > 0 && h('section.notes', {}, h('h3', {}, 'To know'), h('ul', {}, all.map((text) => h('li', {}, text))));
}

function findingCard(app, finding, i) {
  const open = app.finding === i;
  const body = h('div.body', {id: `finding-body-${i}`, hidden: !open});
  if (open) put(body, findingBody(app, finding));
  return h(`article.finding.${finding.severity}${open ? '.open' : ''}`, {'data-finding': i},
    h('h2', {}, h('button.title', {type: 'button', 'aria-expanded': String(open), 'aria-controls': `finding-body-${i}`,
      onclick: () => (open ? app.closeFinding() : app.selectFinding(i, true))},
    h(`span.mark.${finding.severity}`, {}, String(i + 1)), h('span.what', {}, h('code', {}, finding.id), ' ', finding.what))),
    body);
}

function findingBody(app, finding) {
  const {saving} = finding;
  return [
    h('p', {}, finding.why),
    finding.actions.length === 0 && saving.measured === null
      ? saving.predicted !== null && h('div.savings.alone', {}, h('div', {}, h('h3', {}, 'To do'), h('p', {}, saving.predicted)))
      : h('div.savings', {},
        h('div', {}, h('h3', {}, 'Predicted'), h('p', {}, saving.predicted || 'unknown')),
        h('div', {}, h('h3', {}, 'Measured'), h('p', {}, saving.measured === null ? 'not yet: explain again after the change' : textOf(saving.measured)))),
    h('p', {}, h(`span.level`, {}, finding.proof), ' ', h('span.note', {}, kLevels[finding.level] || '')),
    finding.actions.map((action, i) => actionBlock(action, i === 0 ? 'Fix' : 'Or')),
    finding.statements.length > 0 && sqlBlock('Try, in a session of your own', finding.statements.map((sql) => `${sql};`).join('\n')),
    finding.evidence.length > 0 && h('details', {open: true}, h('summary', {}, 'Evidence'),
      h('dl.facts', {}, finding.evidence.map(({name, value}) => fact(name, block('bdi.value', value))))),
    finding.nodes.length > 0 && h('p.links', {}, h('span.note', {}, 'Nodes '),
      finding.nodes.slice(0, 12).map((id) => nodeLink(app, id, `#${id + 1} ${app.model.type(id)}`)),
      finding.nodes.length > 12 && h('span.note', {}, `and ${grouped(finding.nodes.length - 12)} more`)),
  ];
}

const kLevels = {
  L0: 'computed from the plan and statistics',
  L1: 'the planner, asked, would use it',
  L2: 'runs before and after were compared',
  L3: 'the other known statements were looked at, too',
};

function textOf(value) {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function actionBlock(action, title) {
  const sql = action.steps.map((step) => `${step.sql};`).join('\n');
  const effects = [...new Set(action.steps.map((step) => step.effect))];
  const costs = [
    action.expected_seconds !== undefined && `about ${duration(action.expected_seconds * 1000)}`,
    action.extra_disk_bytes !== undefined && `${bytes(action.extra_disk_bytes)} of disk`,
    action.wal_bytes !== undefined && `${bytes(action.wal_bytes)} of WAL`,
    ...effects.map((effect) => `meanwhile ${effect}`),
  ].filter(Boolean);
  return [sqlBlock(title, sql), costs.length > 0 && h('p.note', {}, costs.join(', ')),
    action.undo.length > 0 && h('details', {}, h('summary', {}, 'Undo'), sqlBlock('', action.undo.map((each) => `${each};`).join('\n')))];
}

function sqlBlock(title, sql) {
  const code = h('pre.sql', {tabindex: 0});
  put(code, sqlPieces(sql).map(([kind, text]) => block(kind ? `span.${kind}` : 'span', text)));
  return h('figure', {}, h('figcaption', {}, h('span', {}, title), copyButton(sql)), code);
}

// Longer texts have no colours: quotes that never close cost the expression the square of the length.
const kSqlLengthMax = 20000;
const kSqlTokens = /(--[^\n]*|\/\*[^]*?(?:\*\/|$))|([eE]?'(?:[^'\\]|''|\\[^])*'|\$([A-Za-z_]\w*)?\$[^]*?\$\3\$)|("(?:[^"]|"")*")|(\b\d+(?:\.\d+)?\b|\$\d+)|(\b(?:all|analyze|and|any|as|asc|between|by|case|concurrently|create|cross|delete|desc|distinct|drop|else|end|except|exists|explain|filter|for|from|full|group|having|in|index|inner|insert|intersect|interval|into|is|join|lateral|left|like|limit|local|not|null|offset|on|or|order|outer|over|partition|reset|returning|right|select|set|table|then|union|update|using|vacuum|values|when|where|window|with)\b)/gi;

// [class, text] of the whole of `sql`, in order.
function sqlPieces(sql) {
  if (sql.length > kSqlLengthMax) return [['', sql]];
  const out = [];
  let done = 0;
  for (const match of sql.matchAll(kSqlTokens)) {
    if (match.index > done) out.push(['', sql.slice(done, match.index)]);
    const kind = match[1] ? 'comment' : match[2] ? 'literal' : match[4] ? '' : match[5] ? 'literal' : 'keyword';
    out.push([kind, match[0]]);
    done = match.index + match[0].length;
  }
  if (done < sql.length) out.push(['', sql.slice(done)]);
  return out;
}

// The pieces of `sql` cut at the spans, too, each with the findings it belongs to.
function markedPieces(sql, spans) {
  const cuts = [...new Set(spans.flatMap(([, begin, end]) => [begin, end]))].sort((a, b) => a - b);
  const out = [];
  let at = 0;
  for (const [kind, whole] of sqlPieces(sql)) {
    let text = whole;
    for (const cut of cuts) {
      if (cut <= at || cut >= at + text.length) continue;
      out.push({kind, text: text.slice(0, cut - at), at});
      text = text.slice(cut - at);
      at = cut;
    }
    out.push({kind, text, at});
    at += text.length;
  }
  for (const piece of out) {
    piece.findings = spans.filter(([, begin, end]) => begin <= piece.at && piece.at < end).map(([i]) => i);
  }
  return out;
}

function statementPanel(app, box) {
  const {query, spans} = app.model.data;
  if (!query) {
    put(box, [h('p.calm', {}, 'The plan does not tell its statement: EXPLAIN alone leaves it out, auto_explain and pgtend with a statement have it.')]);
    return;
  }
  const code = h('pre.sql.whole', {tabindex: 0});
  let before = '';
  for (const {kind, text, at, findings} of markedPieces(query, spans)) {
    const piece = block(kind ? `span.${kind}` : 'span', text);
    if (findings.length > 0) {
      piece.classList.add('span', app.model.findings[findings[0]].severity);
      if (findings.includes(app.finding)) piece.classList.add('current');
      const key = findings.join();
      if (key !== before || spans.some(([, begin]) => begin === at)) {
        const news = findings.filter((i) => spans.some(([finding, begin]) => finding === i && begin === at));
        put(code, news.map((i) => markButton(app, i)));
      }
    }
    before = findings.join();
    code.append(piece);
  }
  put(box, [h('figure', {}, h('figcaption', {}, h('span', {}, `${grouped(query.length)} characters`), copyButton(query)), code),
    app.model.findings.length > 0 && spans.length === 0 && h('p.note', {}, 'What the findings are about cannot be told from the text for certain, so nothing is marked.')]);
}

function totalsPanel(app, box) {
  const {model} = app;
  const {outside} = model.data;
  const title = {time: 'Self time', blocks: 'Own buffers', cost: 'Own cost'}[model.measure];
  for (const [column, name] of [['type', 'by kind of node'], ['relation', 'by relation'], ['index', 'by index']]) {
    const sums = model.totals(column);
    if (sums.length > 0) put(box, [h('h3', {}, `${title} ${name}`), sumList(app, sums)]);
  }
  if (outside.length > 0) {
    put(box, [h('h3', {}, 'Beside the nodes'), h('dl.facts', {}, outside.map(([what, ms]) => fact(what, duration(ms))))]);
  }
}

function sumList(app, sums) {
  const rows = sums.slice(0, 40).map(([name, weight, nodes]) => {
    const share = weight / app.model.whole;
    const fill = h(`i.heat${heat(share)}`);
    fill.style.width = `${Math.min(100, share * 100)}%`;
    return h('li', {}, h('button.sum', {type: 'button', title: 'Search for it', onclick: () => app.searchFor(name)},
      h('bdi', {}, name), h('span.note', {}, nodes > 1 ? `${grouped(nodes)} nodes` : ''),
      h('span.num', {}, app.model.unit(weight)), h('span.num', {}, percent(share)),
      h('span.track', {'aria-hidden': 'true'}, fill)));
  });
  return h('ol.sums', {}, rows, sums.length > 40 && h('li.note', {}, `and ${grouped(sums.length - 40)} more`));
}

function planPanel(app, box) {
  const {data} = app.model;
  put(box, [h('dl.facts', {},
    fact('Read from', `${data.format}, line ${grouped(data.line)} of the input`),
    fact('Nodes', grouped(data.nodes)),
    fact('Self times', data.timed ? (data.self_times_add_up ? 'add up to the root\u2019s time' : 'do not add up: see below') : 'not measured'))]);
  const {Settings: settings, ...rest} = data.properties;
  if (settings !== undefined) put(box, [h('h3', {}, 'Settings that are not the default'), valueOf(settings)]);
  delete rest['Query Text'];
  if (Object.keys(rest).length > 0) put(box, [h('h3', {}, 'Beside the tree'), valueOf(rest)]);
  put(box, [notes(data)]);
}
