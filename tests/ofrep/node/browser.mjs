// OpenFeature in a browser with its OFREP provider: serves a page of an origin of its own, opens it in headless Chromium, and hands
// it the questions that come in, one JSON object per line; the page's answers go out in the same way.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const folder = import.meta.dirname;
const packages = {
  '@openfeature/ofrep-web-provider': 'ofrep-web-provider/index.esm.js',
  '@openfeature/ofrep-core': 'ofrep-web-provider/node_modules/@openfeature/ofrep-core/index.esm.js',
  '@openfeature/web-sdk': 'web-sdk/dist/esm/index.js',
  '@openfeature/core': 'core/dist/esm/index.js',
};
const modules = join(folder, 'node_modules');
const imports = Object.fromEntries(Object.keys(packages).map((name) => [name, `/${name}`]));
const page = `<!doctype html><link rel="icon" href="data:,">
  <script type="importmap">${JSON.stringify({ imports })}</script><script type="module" src="/page.mjs"></script>`;

// A question waits for the page to fetch it, or the page for a question.
const questions = [];
let waiting;
function offer() {
  if (waiting && questions.length > 0) {
    waiting.end(questions.shift());
    waiting = undefined;
  }
}

const server = createServer(async (request, response) => {
  const name = decodeURIComponent(request.url.slice(1));
  const script = (path) => response.setHeader('content-type', 'text/javascript').end(readFileSync(path));
  if (name === '') {
    response.setHeader('content-type', 'text/html').end(page);
  } else if (name === 'page.mjs') {
    script(join(folder, name));
  } else if (name in packages) {
    script(join(modules, '@openfeature', packages[name]));
  } else if (name === 'question') {
    waiting = response;
    offer();
  } else if (name === 'answer') {
    let answer = '';
    for await (const part of request) answer += part;
    response.end();
    console.log(answer);
  } else {
    response.writeHead(404).end();
  }
});
// The origin that the service allows; a taken port ends the process.
server.listen(Number(process.env.FLAG_TEST_OFREP_PORT), '127.0.0.1', () => {
  const profile = mkdtempSync(join(tmpdir(), 'flag-chromium-'));
  const url = `http://127.0.0.1:${server.address().port}/`;
  const options = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
  const browser = spawn(process.env.FLAG_TEST_CHROMIUM, [...options, `--user-data-dir=${profile}`, url], { stdio: 'ignore' });
  const end = () => {
    browser.on('exit', () => {
      rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
      process.exit();
    });
    browser.kill();
  };
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      questions.push(line);
      offer();
    })
    .on('close', end);
});
