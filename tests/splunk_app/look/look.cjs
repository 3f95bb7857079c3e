// node look.cjs FOLDER: reads FOLDER/NAME.given.json ({definition, rows, words, schemes}), draws each dashboard in light and dark into
// FOLDER/NAME-SCHEME.png (and its top into -top.png), and writes what it saw to FOLDER/report.json.
const esbuild = require('esbuild');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const puppeteer = require('puppeteer-core');
const strict = require('./strict.cjs');

const WIDTH = 1440;
const SCROLL_BAR = 15; // room that the dashboard keeps to the right
const TOP = 850; // what a page of the documents shows
const PATIENCE_MS = 60_000;

async function bundle(folder) {
  await esbuild.build({
    entryPoints: [path.join(__dirname, 'page.jsx')],
    outfile: path.join(folder, 'page.js'),
    bundle: true,
    nodePaths: [process.env.NODE_PATH],
    platform: 'browser',
    format: 'iife',
    jsx: 'transform',
    define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
    loader: { '.png': 'dataurl', '.svg': 'dataurl', '.css': 'css', '.woff': 'dataurl', '.woff2': 'dataurl' },
    logLevel: 'error',
  });
}

function serve(folder) {
  const html = '<!doctype html><html><head><link rel="stylesheet" href="/page.css"></head>'
    + '<body style="margin:0;overflow:hidden"><div id="root"></div><script src="/page.js"></script></body></html>';
  const server = http.createServer((request, response) => {
    const file = path.join(folder, path.basename(request.url));
    if (request.url === '/') response.setHeader('content-type', 'text/html').end(html);
    else if (fs.existsSync(file)) response.end(fs.readFileSync(file));
    else response.writeHead(404).end();
  });
  return new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(server)); });
}

// The definition with rows in place of searches; the time picker asks Splunk Web, so it is drawn as a field of text.
function withRows({ definition, rows }) {
  const drawn = structuredClone(definition);
  for (const [id, source] of Object.entries(drawn.dataSources)) {
    drawn.dataSources[id] = { type: 'ds.test', name: source.name, options: { data: rows[id], meta: {} } };
  }
  delete drawn.defaults;
  for (const input of Object.values(drawn.inputs)) if (input.type === 'input.timerange') input.type = 'input.text';
  return drawn;
}

function heightOf(definition) {
  return 100 + Math.max(...definition.layout.structure.map(({ position }) => position.y + position.h));
}

// Drawn when every word is there and a second goes by without a change.
async function settled(page, words) {
  await page.waitForFunction(
    (wanted) => wanted.every((word) => document.body.innerText.includes(word)),
    { timeout: PATIENCE_MS / 2 },
    words,
  ).catch(() => {});
  let before = '';
  for (let left = 30; left > 0; left -= 1) {
    const now = await page.evaluate(() => `${document.querySelectorAll('svg *').length} ${document.body.innerText}`);
    if (now === before) return;
    before = now;
    await new Promise((resolve) => { setTimeout(resolve, 1_000); });
  }
}

async function look(browser, address, given, scheme, picture) {
  const page = await browser.newPage();
  const said = [];
  page.on('pageerror', (fault) => said.push(String(fault)));
  await page.setViewport({ width: WIDTH, height: heightOf(given.definition) });
  await page.goto(address);
  await page.waitForFunction('window.ready === true', { timeout: PATIENCE_MS });
  const judged = await page.evaluate((definition) => window.validate(definition), given.definition);
  await page.evaluate((width, height) => {
    Object.assign(document.getElementById('root').style, { width: `${width}px`, height: `${height}px` });
  }, WIDTH + SCROLL_BAR, heightOf(given.definition));
  await page.evaluate((definition, chosen) => window.draw(definition, chosen), withRows(given), scheme);
  await settled(page, given.words);
  // A picture of more than the window would lay the page out again, and catch it half drawn.
  await page.screenshot({ path: `${picture}.png`, captureBeyondViewport: false });
  const clip = { x: 0, y: 0, width: WIDTH, height: Math.min(TOP, heightOf(given.definition)) };
  await page.screenshot({ path: `${picture}-top.png`, captureBeyondViewport: false, clip });
  const text = await page.evaluate(() => document.body.innerText);
  const fault = await page.evaluate(() => window.fault || null);
  await page.close();
  return { judged, text, said: fault ? [...said, fault] : said };
}

async function main(folder) {
  await bundle(folder);
  const server = await serve(folder);
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1'],
  });
  const report = {};
  try {
    const address = `http://127.0.0.1:${server.address().port}/`;
    for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.given.json'))) {
      const name = file.replace('.given.json', '');
      const given = JSON.parse(fs.readFileSync(path.join(folder, file)));
      report[name] = { strict: strict(given.definition) };
      for (const scheme of given.schemes) {
        report[name][scheme] = await look(browser, address, given, scheme, path.join(folder, `${name}-${scheme}`));
      }
    }
  } finally {
    await browser.close();
    server.close();
  }
  fs.writeFileSync(path.join(folder, 'report.json'), JSON.stringify(report, null, 1));
}

main(process.argv[2]).catch((fault) => { console.error(fault); process.exit(1); });
