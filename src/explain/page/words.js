// Elements, texts and numbers. Text of a plan reaches the document through here alone, as text.

const kUnseen =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

// `text` with what cannot be seen, and what turns the direction of writing, shown as an escape.
// `lines` keeps newline and tab.
function visible(text, lines = false) {
  return String(text).replace(kUnseen, (c) => {
    if (lines && (c === '\n' || c === '\t')) return c;
    const code = c.codePointAt(0);
    const hex = code.toString(16);
    return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`;
  });
}

// h('tag.class.class', {attribute: value, onclick: f}, child…): strings become visible text.
function h(name, attributes, ...children) {
  const [tag, ...classes] = name.split('.');
  const out = document.createElement(tag || 'div');
  if (classes.length > 0) out.className = classes.join(' ');
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) out.addEventListener(key.slice(2), value);
    else out.setAttribute(key, value === true ? '' : visible(value));
  }
  put(out, children);
  return out;
}

function put(parent, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) put(parent, child);
    else parent.append(child instanceof Node ? child : visible(child));
  }
}

// A block of SQL or of plan text: newlines stay.
function block(name, text) {
  const out = h(name);
  out.textContent = visible(text, true);
  return out;
}

function grouped(value) {
  return Math.round(value).toLocaleString('en-US');
}

function short(value) {
  if (value >= 100) return grouped(value);
  if (value >= 10) return String(Math.round(value * 10) / 10);
  return String(Math.round(value * 100) / 100);
}

function count(value) {
  if (value === null || value === undefined) return '';
  if (value < 1e5) return grouped(value);
  const units = [[1e12, ' T'], [1e9, ' G'], [1e6, ' M'], [1e3, ' k']];
  for (const [size, unit] of units) {
    if (value >= size * 0.9995) {
      const part = value / size;
      return `${part >= 1000 ? part.toExponential(1) : part.toPrecision(3)}${unit}`;
    }
  }
  return grouped(value);
}

function duration(ms) {
  if (ms >= 36e5) return `${short(ms / 36e5)} h`;
  if (ms >= 1e4) return `${short(ms / 1e3)} s`;
  return `${short(ms)} ms`;
}

function percent(share) {
  const value = share * 100;
  if (value > 0 && value < 0.5) return '<1 %';
  return `${Math.round(value)} %`;
}

function bytes(value) {
  for (const [size, unit] of [[2 ** 40, 'TB'], [2 ** 30, 'GB'], [2 ** 20, 'MB'], [2 ** 10, 'kB']]) {
    if (value >= size) return `${short(value / size)} ${unit}`;
  }
  return `${grouped(value)} bytes`;
}

// 0 (nothing) to 5: the step of the ramp that a share has.
function heat(share) {
  if (share >= 0.5) return 5;
  if (share >= 0.25) return 4;
  if (share >= 0.1) return 3;
  if (share >= 0.03) return 2;
  return share >= 0.005 ? 1 : 0;
}

function say(text) {
  document.getElementById('said').textContent = visible(text);
}

// Puts `text` on the clipboard; `button` tells that it is there.
async function copy(text, button) {
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h('textarea.hidden');
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand('copy');
    area.remove();
  }
  const before = button.textContent;
  button.textContent = done ? 'Copied' : 'Select and copy by hand';
  say(button.textContent);
  setTimeout(() => { button.textContent = before; }, 1500);
}

function copyButton(text, label = 'Copy') {
  const button = h('button.small', {type: 'button'}, label);
  button.addEventListener('click', () => copy(text, button));
  return button;
}
