// The page of `pgtend explain --html` in headless Chromium: explain_page.js SCENARIO PAGE.
// Prints what does not hold, one line each; exit code 1 then.
'use strict';

const {chromium} = require('playwright-core');

const kViews = ['tree', 'table', 'flame', 'text'];
const kPatience = 5000; // ms
const kSides = ['findings', 'node', 'statement', 'totals', 'plan'];
// Nothing of a background service, which would look for a network.
const kArguments = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

let failures = 0;

// `probe` gives whether the claim holds, and a detail. A page draws when it comes to it: it is asked
// again until it holds or kPatience is over.
async function check(claim, probe) {
  for (const end = Date.now() + kPatience; ;) {
    const [holds, detail] = await probe();
    if (holds) return;
    if (Date.now() < end) {
      await new Promise((resolve) => { setTimeout(resolve, 20); });
      continue;
    }
    ++failures;
    console.log(`${claim}${detail === undefined ? '' : `: ${JSON.stringify(detail)}`}`);
    return;
  }
}

// `probe` gives what there is, and what is wanted.
async function same(claim, probe) {
  await check(claim, async () => {
    const [got, want] = await probe();
    return [JSON.stringify(got) === JSON.stringify(want), {got, want}];
  });
}

const selected = (page) => page.getAttribute('#box', 'aria-activedescendant');
const panelNumber = (page) => page.textContent('#panel .number');
const text = (page, selector) => page.locator(selector).allTextContents();

// One selection in all views, whichever it was made in.
async function selectsInEachView(page) {
  await same('the first finding\u2019s node is selected', async () => [await selected(page), 'tree-2']);
  await check('its row is marked', async () => [await page.locator('#tree-2.selected .mark').count() === 1]);
  await page.click('#tree-4');
  await same('a click selects in the tree', async () => [await panelNumber(page), '#5']);
  await page.click('#tab-table');
  await check('the table shows it', async () => [await page.locator('#table-4.selected[aria-selected=true]').count() === 1]);
  await page.click('#table-6');
  await page.click('#tab-tree');
  await check('the tree shows what the table selected', async () => [await page.locator('#tree-6.selected').count() === 1]);
  await page.click('#tab-flame');
  await page.mouse.move(5, 5);
  const {x, y} = await page.locator('canvas').boundingBox();
  await page.mouse.click(x + 20, y + 30);
  await same('a click selects in the flame view', async () => [await panelNumber(page), '#2']);
  const accent = () => page.evaluate(() => {
    const pen = document.createElement('canvas').getContext('2d');
    pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--accent');
    pen.fillRect(0, 0, 1, 1);
    const want = [...pen.getImageData(0, 0, 1, 1).data];
    const got = [...document.querySelector('canvas').getContext('2d').getImageData(2, 30, 1, 1).data];
    return [got, want];
  });
  await same('the flame view outlines it', accent);
  await page.click('#tab-tree');
  await check('the tree shows what the flame view selected', async () => [await page.locator('#tree-1.selected').count() === 1]);
  await page.click('#ribbon button >> nth=0');
  await same('the ribbon selects', async () => [await panelNumber(page), '#3']);
}

async function folds(page) {
  await page.click('#tree-1');
  await page.keyboard.press('ArrowLeft');
  await check('left folds', async () => [await page.locator('#tree-2').count() === 0]);
  await same('and says so', async () => [await page.getAttribute('#tree-1', 'aria-expanded'), 'false']);
  await page.keyboard.press('n');
  await check('a finding unfolds what hides it', async () => [await page.locator('#tree-2.selected').count() === 1]);
  await page.click('#tree-0');
  await page.keyboard.press('-');
  await check('minus folds', async () => [await page.locator('#box .line').count() === 1]);
  await page.keyboard.press('+');
  await check('plus unfolds', async () => [await page.locator('#box .line').count() === 7]);
}

async function walksByKeys(page) {
  await page.click('#tree-0');
  await page.keyboard.press('ArrowDown');
  await same('down', async () => [await selected(page), 'tree-1']);
  await page.keyboard.press('End');
  await same('end', async () => [await selected(page), 'tree-6']);
  await page.keyboard.press('ArrowLeft');
  await same('left goes to the parent', async () => [await selected(page), 'tree-5']);
  await page.keyboard.press('2');
  await page.keyboard.press('Home');
  await same('2 shows the table, home its first row', async () => [await selected(page), 'table-2']);
  await page.keyboard.press('3');
  await page.keyboard.press('ArrowUp');
  await same('3 shows the flame view, up goes to the parent', async () => [await panelNumber(page), '#2']);
  await page.keyboard.press('Enter');
  await check('enter zooms', async () => [(await text(page, '.crumbs')).join().includes('Whole plan')]);
  await page.keyboard.press('Escape');
  await check('escape shows all', async () => [(await text(page, '.crumbs')).join().includes('the whole plan')]);
  await page.keyboard.press('4');
  await check('4 shows the text', async () => [(await text(page, '.line.text')).join('\n').includes('->  Seq Scan on public.t_dlpdata d')]);
  await page.keyboard.press('?');
  await check('? opens the help', async () => [await page.locator('#keys[open]').count() === 1]);
  await page.keyboard.press('Escape');
  await check('escape closes it', async () => [await page.locator('#keys[open]').count() === 0]);
  await page.keyboard.press('1');
}

async function showsFindings(page) {
  await page.click('#tab-findings');
  await check('there are findings', async () => [await page.locator('.finding').count() >= 1]);
  const all = await page.locator('.finding').count();
  for (let i = 0; i < all; ++i) {
    await page.keyboard.press('n');
    const open = page.locator('.finding.open');
    await same('n opens one finding', async () => [await open.count(), 1]);
    await check('with its evidence', async () => [await open.locator('details dd').count() > 0]);
  }
  await page.click('#tree-5');
  await page.click('#tree-2 .mark');
  await check('a mark in the tree opens its finding', async () => [await page.locator('.finding.open[data-finding="0"]').count() === 1]);
  await check('it has SQL to copy', async () => [(await text(page, '.finding.open pre.sql')).join().includes('CREATE INDEX CONCURRENTLY')]);
  await check('and how far it is proven', async () => [(await text(page, '.finding.open .level')).join().startsWith('L0')]);
  await same('predicted and measured stand side by side', async () => [await text(page, '.savings h3'), ['Predicted', 'Measured']]);
  await page.click('.finding.open .links button');
  await same('its nodes are links', async () => [await panelNumber(page), '#3']);
  await page.click('#tab-statement');
  await same('the statement has the condition marked', async () => [(await text(page, '.sql .span')).join(''), "d.reading_timestamp > NOW() - INTERVAL '1 day'"]);
  await same('and is whole', async () => [(await text(page, '.sql.whole > span')).join('').startsWith('SELECT c.first_name'), true]);
}

async function searchesAndSorts(page) {
  await page.keyboard.press('/');
  await same('/ goes to the search', async () => [await page.evaluate(() => document.activeElement.id), 'search']);
  await page.keyboard.type('meter_id');
  const hits = async () => Number((await page.textContent('#hits')).split(' of ').pop());
  await same('conditions are searched, too', async () => [await hits(), 4]);
  await same('what is no hit steps back', async () => [await page.locator('.line.missed').count(), 3]);
  await page.keyboard.press('Escape');
  await check('escape ends the search', async () => [await page.locator('.line.missed').count() === 0]);
  await page.click('#tab-table');
  await page.click('.head.table button >> text="rows est"');
  await same('a heading sorts', async () => [await page.locator('[aria-sort=descending]').allTextContents(), ['rows est \u2193']]);
  await same('by number', async () => {
    const estimates = await text(page, '.line.table > span:nth-child(7)');
    const numbers = estimates.map((each) => Number(each.replace(/,/g, '')));
    return [numbers, [...numbers].sort((a, b) => b - a)];
  });
  await page.click('#tab-totals');
  await page.click('.sum >> nth=0');
  await same('a total searches for its nodes', async () => [await page.inputValue('#search'), 'Seq Scan']);
  await page.click('#tab-tree');
  await page.keyboard.press('Escape');
  await page.fill('#search', '');
}

async function followsTheHash(page) {
  await page.click('#tree-3');
  await same('the hash is the node', async () => [new URL(page.url()).hash, '#node=4']);
  await page.evaluate(() => { location.hash = '#node=6'; });
  await page.waitForSelector('#tree-5.selected');
  await page.evaluate(() => { location.hash = '#node=999999999&plan=</script>'; });
  await check('one that is none changes nothing', async () => [await page.locator('#tree-5.selected').count() === 1]);
}

// WCAG's contrast of two colours of the page.
function contrasts() {
  const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    pen.fillStyle = style.getPropertyValue(name);
    pen.fillRect(0, 0, 1, 1);
    const part = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const pairs = [['--ink', '--panel'], ['--ink', '--paper'], ['--ink', '--chosen'], ['--soft', '--panel'], ['--soft', '--paper'],
    ['--soft', '--raised'], ['--far', '--panel'], ['--far', '--chosen'], ['--mark', '--panel'], ['--on-mark', '--mark'], ['--keyword', '--raised'],
    ['--literal', '--raised'], ['--comment', '--raised'], ['--ink', '--span'], ['--ink', '--span-now'], ['--literal', '--span'],
    ['--keyword', '--span'], ...[0, 1, 2, 3, 4, 5].map((i) => [`--on-heat${i}`, `--heat${i}`])];
  return pairs.map(([a, b]) => {
    const [x, y] = [light(a), light(b)].sort((m, n) => n - m);
    return [`${a} on ${b}`, Math.round(((x + 0.05) / (y + 0.05)) * 100) / 100];
  }).filter(([, ratio]) => ratio < 4.5);
}

async function suitsEyesAndPaper(page) {
  await same('contrasts in the light', async () => [await page.evaluate(contrasts), []]);
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await background();
  await page.emulateMedia({colorScheme: 'dark'});
  await check('it is dark where the system is', async () => [await background() !== before]);
  const dark = await background();
  await same('contrasts in the dark', async () => [await page.evaluate(contrasts), []]);
  await page.click('#theme');
  await same('the switch wins over the system', async () => [await background(), before]);
  await page.click('#theme');
  await page.emulateMedia({colorScheme: 'light'});
  await same('both ways', async () => [await background(), dark]);
  await page.click('#theme');
  await page.emulateMedia({media: 'print'});
  await page.waitForSelector('#paper tbody tr');
  await check('paper has no tabs', async () => [await page.isHidden('#main')]);
  await same('but all nodes', async () => [await page.locator('#paper tbody tr').count(), 7]);
  await check('and findings', async () => [(await text(page, '#paper')).join().includes('CREATE INDEX CONCURRENTLY')]);
  await page.emulateMedia({media: 'screen'});
  await page.waitForSelector('#paper', {state: 'hidden'});
  await page.setViewportSize({width: 400, height: 800});
  await check('a narrow screen does not scroll sideways', async () => [await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)]);
  await check('and has the tree', async () => [await page.isVisible('#tree-0')]);
  await page.setViewportSize({width: 1400, height: 900});
  const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, select')]
    .filter((each) => !each.textContent.trim() && !each.ariaLabel && !(each.labels && each.labels.length)).length);
  await same('every control has a name', async () => [nameless, 0]);
  await page.keyboard.press('Tab');
  await check('the focus is to be seen', async () => [await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== 'none')]);
}

// Every plan of the page in every view, as fast as the browser goes; `thorough` looks after each step.
function visitAll({views, sides, thorough}) {
  const plan = document.getElementById('plan');
  const plans = plan ? plan.options.length : 1;
  const allowed = new Set(('html head meta title style body header h1 h2 h3 span div button label select option dl dt dd main section input output aside p '
    + 'dialog noscript script article code pre figure figcaption details summary ul ol li small b i bdi br canvas').split(' '));
  const problems = [];
  const look = (where) => {
    if (window.pwned !== undefined || {}.polluted !== undefined) problems.push(`${where}: something ran`);
    for (const each of document.getElementsByTagName('*')) {
      if (!allowed.has(each.localName)) problems.push(`${where}: element ${each.localName}`);
      for (const {name} of each.attributes) if (/^on|^(href|src|action|style)$/.test(name) && !(name === 'style' && each.style.length > 0)) problems.push(`${where}: attribute ${name}`);
    }
    if (document.scripts.length !== plans + 1) problems.push(`${where}: ${document.scripts.length} scripts`);
    const shown = document.getElementById('top').innerText + document.getElementById('main').innerText + document.title;
    if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/.test(shown)) problems.push(`${where}: an unseen character`);
  };
  for (let i = 0; i < plans && problems.length < 5; ++i) {
    if (plan) {
      plan.value = String(i);
      plan.dispatchEvent(new Event('change'));
    }
    for (const view of views) {
      document.getElementById(`tab-${view}`).click();
      const box = document.getElementById('box');
      if (view === 'flame' ? box.querySelector('canvas').width === 0 : box.querySelectorAll('.line').length === 0) problems.push(`plan ${i + 1}: ${view} is empty`);
      if (thorough || view === 'tree') look(`plan ${i + 1}, ${view}`);
    }
    for (const side of sides) {
      document.getElementById(`tab-${side}`).click();
      if (document.getElementById('panel').childElementCount === 0) problems.push(`plan ${i + 1}: ${side} is empty`);
      for (const title of document.querySelectorAll('.finding:not(.open) .title')) if (title.isConnected) title.click();
      if (thorough || side === 'node') look(`plan ${i + 1}, ${side}`);
    }
  }
  return {plans, problems};
}

async function visitsAll(page, thorough) {
  const {plans, problems} = await page.evaluate(visitAll, {views: kViews, sides: thorough ? kSides : ['findings', 'node'], thorough});
  await same(`${plans} plans`, async () => [problems, []]);
  await page.emulateMedia({media: 'print'});
  await check('nothing runs on paper', async () => [await page.evaluate(() => window.pwned === undefined)]);
  await page.emulateMedia({media: 'screen'});
  return plans;
}

const kScenarios = {
  async day(page) {
    for (const part of [selectsInEachView, folds, walksByKeys, showsFindings, searchesAndSorts, followsTheHash, suitsEyesAndPaper]) await part(page);
    await page.goto(`${page.url().split('#')[0]}#node=7`);
    await page.reload();
    await page.waitForSelector('#tree-6.selected');
  },

  async corpus(page) {
    const plans = await visitsAll(page, false);
    await check('many plans', async () => [plans > 100, plans]);
    await page.click('[aria-label="Next plan"]');
    const hash = () => new URL(page.url()).hash;
    await check('the hash is plan and node', async () => [/^#plan=\d+&node=\d+$/.test(hash()), hash()]);
    await page.evaluate(() => { location.hash = '#plan=3&node=1'; });
    await page.waitForFunction(() => document.getElementById('plan').value === '2');
  },

  async hostile(page) {
    const plans = await visitsAll(page, true);
    await check('many texts', async () => [plans > 30, plans]);
    await page.selectOption('#plan', '0');
    await page.click('#tab-node');
    await check('escapes are visible', async () => [(await page.textContent('#panel')).includes('\\x1b')]);
  },

  async huge(page) {
    const elements = () => page.evaluate(() => document.getElementsByTagName('*').length);
    await same('all nodes are there', async () => [(await text(page, '#figures')).join().includes('100,001'), true]);
    await check('rows that are out of sight are no elements', async () => [await elements() < 3000, await elements()]);
    await page.keyboard.press('*');
    await page.keyboard.press('End');
    await same('the last node is a key away', async () => [await selected(page), 'tree-100000']);
    await check('and in sight', async () => [await page.isVisible('#tree-100000')]);
    await check('unfolded rows are no elements either', async () => [await elements() < 3000, await elements()]);
    await page.evaluate(() => { document.getElementById('box').scrollTop = 1200000; });
    await page.waitForFunction(() => document.getElementById('tree-50010') !== null);
    await page.fill('#search', 'part_77777');
    await page.waitForSelector('#tree-77779.selected');
    await page.fill('#search', '');
    await page.click('#fold');
    await check('partitions fold into one row', async () => [await page.locator('.line.group').count() === 1]);
    await same('what they were folded from is selected', async () => [await selected(page), 'tree-1']);
    await page.keyboard.press('ArrowDown');
    await check('a folded row can be selected', async () => [await page.locator('.line.group.selected').count() === 1]);
    await page.keyboard.press('ArrowRight');
    await check('and unfolded', async () => [await page.locator('#tree-3').count() === 1]);
    await page.click('#tab-table');
    await page.click('.head.table button >> text="node"');
    await page.keyboard.press('Tab');
    await check('the table holds no more than is seen', async () => [await elements() < 3000, await elements()]);
    await page.click('#tab-flame');
    await page.locator('canvas').click({position: {x: 300, y: 10}});
    await same('the flame view selects', async () => [await panelNumber(page), '#1']);
    await check('after all of it', async () => [await elements() < 3000, await elements()]);
  },
};

// Last, because a refusal is an error on the console.
async function refusesMarkup(page) {
  const refused = await page.evaluate(() => {
    const attempts = [() => { document.createElement('div').innerHTML = '<b>x</b>'; },
      () => { document.createElement('script').text = 'window.pwned = 9'; }];
    return attempts.map((attempt) => {
      try {
        attempt();
        return false;
      } catch {
        return true;
      }
    });
  });
  await same('the policy refuses markup and code', async () => [refused, [true, true]]);
}

async function main() {
  const [, , scenario, file] = process.argv;
  const browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: kArguments});
  try {
    const page = await browser.newPage({viewport: {width: 1400, height: 900}});
    page.setDefaultTimeout(20000);
    const noise = [];
    page.on('console', (message) => noise.push(message.text()));
    page.on('pageerror', (error) => noise.push(String(error.stack)));
    page.on('request', (request) => { if (request.url().split('#')[0] !== `file://${file}`) noise.push(request.url()); });
    page.on('dialog', (dialog) => {
      noise.push(dialog.message());
      dialog.dismiss();
    });
    await page.goto(`file://${file}`);
    await page.waitForSelector('.line');
    await kScenarios[scenario](page);
    await same('no message on the console, no request', async () => [noise.slice(0, 5), []]);
    await refusesMarkup(page);
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  ++failures;
  console.log(error.stack);
}).then(() => { process.exitCode = failures > 0 ? 1 : 0; });
