// The keyboard. One table: what is pressed, what it does, what the help says.

const kKeys = [
  [['ArrowUp', 'ArrowDown'], '\u2191 \u2193', 'previous, next node'],
  [['ArrowLeft', 'ArrowRight'], '\u2190 \u2192', 'fold or go to the parent; unfold or go to the first child'],
  [['PageUp', 'PageDown', 'Home', 'End'], 'Page, Home, End', 'further'],
  [['+', '-'], '+ \u2212', 'unfold, fold the node', (app, key) => app.fold(app.selected, key === '-')],
  [['*'], '*', 'unfold all', (app) => app.unfoldAll()],
  [['s'], 's', 'fold or unfold what is below 1 %', (app) => app.toggleSmall()],
  [['n', 'p'], 'n p', 'next, previous finding', (app, key) => app.stepFinding(key === 'n' ? 1 : -1)],
  [['1', '2', '3', '4'], '1 2 3 4', 'tree, table, flame, text', (app, key) => app.show(kViews[Number(key) - 1].name, true)],
  [['Enter'], 'Enter', 'in the flame view: zoom; in the search: next hit'],
  [['/'], '/', 'search', () => document.getElementById('search').focus()],
  [['Escape'], 'Esc', 'end the search, zoom out', (app) => app.searchFor('')],
  [['d'], 'd', 'dark, light, as the system has it', (app) => app.turnTheme()],
  [['?'], '?', 'this list', () => openHelp()],
];

function openHelp() {
  const dialog = document.getElementById('keys');
  dialog.replaceChildren(h('h2', {}, 'Keys'),
    h('dl.facts', {}, kKeys.map(([, shown, meaning]) => [h('dt', {}, h('kbd', {}, shown)), h('dd', {}, meaning)])),
    h('form', {method: 'dialog'}, h('button', {type: 'submit'}, 'Close')));
  if (!dialog.open) dialog.showModal();
}

function listen(app) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById('keys').open) return;
    const {target} = event;
    if (target.id === 'search') {
      searchKey(app, event);
      return;
    }
    if (target.closest('select, input, textarea')) return;
    if (event.defaultPrevented) return; // a list of tabs took it
    if (event.key === 'Enter' && target.closest('button, summary')) return;
    const inPanel = target.closest('#panel, pre');
    if (!inPanel && app.view.key(event)) {
      event.preventDefault();
      return;
    }
    const entry = kKeys.find(([names, , , act]) => act && names.includes(event.key));
    if (!entry) return;
    event.preventDefault();
    entry[3](app, event.key);
  });
}

function searchKey(app, event) {
  if (event.key === 'Escape') {
    app.searchFor('');
    app.box.focus();
  } else if (event.key === 'Enter') {
    app.stepHit(event.shiftKey ? -1 : 1);
  } else {
    return;
  }
  event.preventDefault();
}

// Arrows, Home and End within a list of tabs, as people know them.
function tabList(box, tabs, choose) {
  box.replaceChildren(...tabs.map(([name, label]) => h('button', {type: 'button', role: 'tab', id: `tab-${name}`,
    'data-name': name, 'aria-selected': 'false', tabindex: -1, onclick: () => choose(name)}, label)));
  box.onkeydown = (event) => {
    const at = tabs.findIndex(([name]) => name === document.activeElement.dataset.name);
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1}[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const [name] = tabs[(to + tabs.length) % tabs.length];
    choose(name);
    document.getElementById(`tab-${name}`).focus();
  };
}

function markTab(box, name) {
  for (const tab of box.children) {
    const chosen = tab.dataset.name === name;
    tab.setAttribute('aria-selected', String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
  }
}
