// The plan as EXPLAIN prints it.

class TextView {
  constructor(app, box) {
    this.app = app;
    box.setAttribute('role', 'region');
    box.setAttribute('aria-label', 'Plan as text');
    const {text} = app.model.data;
    this.lines = text === null ? ['The plan is too large to be shown as text here.'] : text.split('\n');
    this.head = h('div.head.text', {}, h('span', {}, `${grouped(this.lines.length)} lines, as EXPLAIN prints them`),
      text !== null && copyButton(text));
    box.append(this.head);
    this.rows = new Rows(box, 18, (i) => this.row(i));
    this.rows.head = 26;
    this.rows.resize(this.lines.length);
  }
  close() { this.rows.close(); }
  row(i) {
    const line = this.lines[i];
    const out = h('div.line.text');
    out.textContent = visible(line.length > 2000 ? `${line.slice(0, 2000)}\u2026` : line);
    return out;
  }
  select() {}
  rebuild() {}
  refresh() {}
  key() { return false; }
}
