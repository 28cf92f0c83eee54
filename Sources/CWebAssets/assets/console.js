// The console: forms call /api/v1, pages are patched in place while they are looked at, the log follows its device.
// Without this script every page still reads right.
'use strict';

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const clone = id => $(`template#${id}`).content.firstElementChild.cloneNode(true);
const format = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const on = (target, types, act) => types.split(' ').forEach(type => target.addEventListener(type, act));
const { body } = document;

// ---- times: in the reader's zone, ages that grow

/** The time of day in the reader's zone, as `14:31:07.000`. */
const clock = date => new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(11, 23);
const told = new WeakMap(); // what the server wrote into a time element
let skew = 0;

function readClock(page) {
  body.dataset.now = page.body.dataset.now;
  skew = Date.parse(body.dataset.now) - Date.now() || 0;
}

function age(passed) {
  const [days, hours, minutes, seconds] = [86_400_000, 3_600_000, 60_000, 1000].map(unit => Math.floor(passed / unit));
  if (days > 0) return `${days} d${hours % 24 ? ` ${hours % 24} h` : ''} ago`;
  return hours > 0 ? `${hours} h ago` : minutes > 0 ? `${minutes} min ago` : `${Math.max(1, seconds)} s ago`;
}

function showTime(time) {
  const date = new Date(time.dateTime);
  if (isNaN(date)) return;
  if (!told.has(time)) told.set(time, time.textContent);
  const text = told.get(time);
  if (text.endsWith(' ago')) setText(time, age(Date.now() + skew - date));
  else if (/^\d\d:\d\d/.test(text)) setText(time, clock(date).slice(0, text.length));
  time.title = date.toLocaleString();
}

const showTimes = () => $$('time[datetime]').forEach(showTime);

// ---- dialogs, menus, toasts

/** Puts values (of a button, or an answer) into the marked places; only ever as text. */
function fill(root, values) {
  root.values = values;
  for (const node of $$('[data-slot]', root)) if (node.dataset.slot in values) node.textContent = values[node.dataset.slot];
  for (const node of $$('[data-format]', root)) node.textContent = format(node.dataset.format, values);
  for (const field of $$('select[name]', root)) if (values[field.name]) field.value = values[field.name];
}

function open(id, values = {}) {
  const dialog = document.getElementById(id);
  if (dialog?.nodeName !== 'DIALOG' || dialog.open) return;
  $('form', dialog)?.reset();
  $('[role=alert]', dialog)?.remove();
  fill(dialog, values);
  dialog.showModal();
}

function closeMenus(except) {
  for (const menu of $$('details.menu[open]')) if (menu !== except) menu.open = false;
}

function toast(text) {
  const node = clone('toast');
  $('#toasts').append(node);
  node.textContent = text;
  setTimeout(() => node.remove(), 4000);
}

async function copy(button) {
  const source = $('code, pre', button.closest('.command, .secret'));
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch { // not a secure context
    getSelection().selectAllChildren(source);
    document.execCommand('copy');
  }
  toast('Copied');
}

function download(button) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([$('pre', button.closest('.secret')).textContent]));
  link.download = format(button.dataset.download, button.closest('dialog').values);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// ---- calls

const unreachable = { title: 'The server did not answer', detail: 'It may have been done all the same. Look before you try again.' };

function readProblem(text, status) {
  try {
    return JSON.parse(text);
  } catch {
    return { title: 'That did not work', detail: `The server answered ${status}.` };
  }
}

async function call(method, url, content) {
  const request = method === 'DELETE' ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(content) };
  const response = await fetch(url, { method, ...request }).catch(() => { throw unreachable; });
  const text = await response.text();
  if (!response.ok) throw readProblem(text, response.status);
  return text ? JSON.parse(text) : {};
}

const readers = {
  number: text => (text ? Number(text) : null),
  boolean: text => text === 'true',
  lines: text => text.split('\n').map(line => line.trim()).filter(Boolean),
};

function read(fields) {
  const content = {};
  for (const { name, type, checked, value, dataset } of fields) {
    const isOff = !name || (/radio|checkbox/.test(type) && !checked);
    if (isOff || (!value.trim() && dataset.empty !== 'send')) continue;
    const words = name.split(' '); // a name of two words takes a value of two
    if (words.length > 1) value.split(' ').forEach((part, index) => { content[words[index]] = part; });
    else content[name] = (readers[dataset.type] ?? String)(value);
  }
  return content;
}

/** A form as JSON: fields by name, each `data-group` fieldset with a label one object of a list. */
function formContent(form) {
  const content = read([...form.elements].filter(field => !field.closest('[data-group]')));
  for (const fieldset of $$('[data-group]', form)) {
    const list = content[fieldset.dataset.group] ??= [], item = read(fieldset.elements);
    if (item.label) list.push(item);
  }
  return content;
}

function showProblem(place, problem) {
  const note = clone('problem');
  fill(note, problem);
  $('[role=alert]', place)?.remove();
  place.insertBefore(note, $(':scope > :is(.actions, footer)', place));
  note.focus();
}

async function submit(form) {
  const { call: steps, then, result, done, reset } = form.dataset;
  const dialog = form.closest('dialog'), content = formContent(form), focused = document.activeElement;
  const values = { ...dialog?.values, ...content }, encoded = { ...values };
  for (const name in content) encoded[name] = encodeURIComponent(content[name]);
  let answer = {};
  form.inert = true;
  try {
    for (const [index, step] of steps.split(', ').entries()) {
      const [method, url] = step.split(' ');
      answer = await call(method, format(url, encoded), index ? {} : content);
    }
  } catch (problem) {
    form.inert = false;
    return showProblem(form, problem);
  }
  form.inert = false;
  if (then) return location.assign(format(then, encoded));
  $('[role=alert]', form)?.remove();
  if (reset !== undefined) form.reset();
  if (dialog) dialog.close();
  else focused.focus();
  if (result) open(result, { ...values, ...answer });
  else toast(format(done, values));
  fetchPage(true);
}

async function preview(button) {
  const box = button.closest('[data-preview]'), text = $('textarea', box), pane = $('.prose', box), show = pane.hidden;
  $('[role=alert]', box)?.remove();
  try {
    const { html } = show ? await call('POST', box.dataset.preview, { notes: text.value }) : { html: '' };
    pane.replaceChildren(...new DOMParser().parseFromString(html, 'text/html').body.childNodes);
  } catch (problem) {
    return showProblem(box, problem);
  }
  button.setAttribute('aria-pressed', show);
  pane.hidden = !show;
  text.hidden = show;
}

// ---- live pages

let moved = 0, isMine = false; // mine: the reader has just changed something

const isSelected = node => !getSelection().isCollapsed && getSelection().containsNode(node, true);

/** Whether somebody is at this node right now, so that nothing may come, go or move in it. */
function isHeld(node) {
  const focused = document.activeElement;
  return !isMine && (isSelected(node) || node.matches(':active') || (focused.id !== 'main' && node.contains(focused))
    || (node.matches(':hover') && Date.now() - moved < 2000));
}

/** Makes a node equal to the server's newer one; children are the same by their `data-key`, else by their place. */
function patch(node, next) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.nodeValue !== next.nodeValue && !isSelected(node)) node.nodeValue = next.nodeValue;
    return;
  }
  if (node.matches('dialog[open]') || (told.get(node) === next.textContent && node.dateTime === next.dateTime)) return;
  told.delete(node);
  for (const { name, value } of next.attributes) if (name !== 'open' && node.getAttribute(name) !== value) node.setAttribute(name, value);
  for (const { name } of [...node.attributes]) if (name !== 'open' && !next.hasAttribute(name)) node.removeAttribute(name);
  const olds = [...node.childNodes], keyed = new Map(olds.map(old => [old.dataset?.key, old]));
  const wanted = [...next.childNodes].map((child, index) => {
    const key = child.dataset?.key, old = key ? keyed.get(key) : olds[index];
    if (old?.nodeName !== child.nodeName || old.dataset?.key !== key) return child;
    patch(old, child);
    return old;
  });
  const isSame = wanted.length === olds.length && wanted.every((child, index) => child === olds[index]);
  if (!isSame && !isHeld(node)) node.replaceChildren(...wanted); // held: the next time
}

const regions = page => $$('[data-live]', page).filter(node => !node.parentElement.closest('[data-live]'));
const names = nodes => nodes.map(node => node.dataset.live).join();

/** Brings this page to what the newer one says; a page of another shape takes its place once nobody is at it. */
function update(page) {
  const olds = regions(document), news = regions(page), main = $('#main'), focused = document.activeElement;
  if (names(olds) === names(news)) olds.forEach((node, index) => patch(node, news[index]));
  else if (!$('dialog[open]') && !isHeld(main)) {
    main.replaceChildren(...$('#main', page).childNodes);
    startLog();
    startPublishing();
  }
  if (isMine && document.activeElement === body) (focused.isConnected && focused !== body ? focused : main).focus({ preventScroll: true });
  document.title = page.title;
  readClock(page);
  showTimes();
}

let source = null, isLost = false, timer = 0, asked = 0;

async function fetchPage(mine) {
  asked = Date.now();
  timer = 0;
  try {
    const response = await fetch(location.pathname + location.search, { headers: { accept: 'text/html' } });
    if ([401, 404].includes(response.status) || new URL(response.url).pathname !== location.pathname) return location.reload();
    if (!response.ok) throw response;
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    isMine = mine;
    update(page);
    isLost = source?.readyState !== EventSource.OPEN;
  } catch {
    isLost = true;
  }
  showState();
}

/** Fetches the page again if somebody sees it, at most once a second. */
function refresh() {
  if (source && !document.hidden) timer ||= setTimeout(fetchPage, Math.max(0, asked + 1000 - Date.now()));
}

/** Tells whether the numbers are live, and if not, of when they are. */
function showState() {
  const mark = $('#live');
  if (!mark) return;
  mark.dataset.state = isLost ? 'lost' : 'live';
  setText($('time', mark), clock(new Date(body.dataset.now)).slice(0, 8));
}

function listen() {
  if (!body.dataset.listen) return;
  source = new EventSource(body.dataset.listen);
  on(source, 'changed', refresh);
  on(source, 'open error', ({ type }) => {
    if (isLost || type === 'error') refresh();
    isLost = type === 'error';
    showState();
  });
}

// ---- the log of one device

const tones = { E: 'error', F: 'error', C: 'error', W: 'warning', D: 'debug', T: 'debug' };

function lineText(line) {
  try {
    const { message, timestamp, level, thingName, ...rest } = typeof line === 'string' ? JSON.parse(line) : line;
    const others = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    return [message, ...others].filter(Boolean).join(' ');
  } catch {
    return String(line);
  }
}

function startLog() {
  const log = $('#log'), mark = $('#log-live'), hold = $('[data-hold]'), field = $('#log-q');
  if (!log) return;
  let waiting = null;

  function filter(items) {
    const text = field.value.trim().toLowerCase();
    for (const item of items) item.hidden = !$('.text', item).textContent.toLowerCase().includes(text);
  }

  function add(line) {
    if (waiting) {
      waiting.push(line);
      return setText($('span', hold), `${waiting.length} new`);
    }
    let before = log.lastElementChild;
    while (before && Number(before.dataset.key) > line.id) before = before.previousElementSibling;
    if (before && Number(before.dataset.key) === line.id) return;
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    const item = clone('log-line'), [time, level, text] = item.children;
    item.dataset.key = line.id;
    item.className = tones[line.level[0]?.toUpperCase()] ?? 'info';
    time.dateTime = new Date(line.received).toISOString();
    time.textContent = time.dateTime.slice(11, 23);
    level.textContent = line.level.toLowerCase();
    text.textContent = lineText(line.line);
    if (before) before.after(item);
    else log.prepend(item);
    showTime(time);
    filter([item]);
    if (log.children.length > 500) log.firstElementChild.remove();
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }

  async function follow() {
    try {
      const { body: stream } = await fetch(log.dataset.follow);
      mark.dataset.state = 'live';
      // With the stream open, what came behind the page and before it is fetched, so that no line is missed.
      const missed = await fetch(`${log.dataset.lines}?after=${log.lastElementChild?.dataset.key ?? 0}&limit=200`);
      (await missed.json()).lines.forEach(add);
      const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = '', piece = await reader.read(); !piece.done; piece = await reader.read()) {
        const lines = (text + piece.value).split('\n');
        text = lines.pop();
        lines.filter(Boolean).forEach(line => add(JSON.parse(line)));
      }
    } catch { // the mark tells it
    }
    mark.dataset.state = 'lost';
    if (log.isConnected) setTimeout(follow, 3000);
  }

  hold.hidden = false;
  on(hold, 'click', () => {
    const lines = waiting;
    waiting = lines ? null : [];
    hold.setAttribute('aria-pressed', !lines);
    setText($('span', hold), 'Hold');
    lines?.forEach(add);
  });
  on(field, 'input', () => filter(log.children));
  log.scrollTop = log.scrollHeight;
  follow();
}

// ---- publishing

const megabytes = bytes => (bytes / 1e6).toFixed(2);

/** Sends one file, tells how far it is, and settles with undefined or a problem. */
function send(row, url, progress) {
  return new Promise(done => {
    const request = row.request = new XMLHttpRequest(), began = Date.now();
    request.open('POST', url);
    request.setRequestHeader('content-type', 'application/octet-stream');
    request.upload.onprogress = ({ loaded, total }) => {
      const seconds = (Date.now() - began) / 1000, left = Math.ceil(seconds * (total - loaded) / loaded);
      progress(100 * loaded / total, `${megabytes(loaded)} of ${megabytes(total)} MB${seconds > 2 && left ? `, ${left} s left` : ''}`);
    };
    request.onload = () => done(request.status < 300 ? undefined : readProblem(request.responseText, request.status));
    request.onerror = request.onabort = () => done(unreachable);
    request.send(row.file);
  });
}

function startPublishing() {
  const form = $('#publish'), rows = $('#uploads');
  if (!form) return;
  const input = $('[type=file]', form), drop = $('.drop', form), button = $('.primary', form);

  function take(file) {
    const row = clone('upload'), select = $('select', row), models = [...select.options].slice(1).map(option => option.value);
    row.file = file;
    $('b', row).textContent = file.name;
    $('.num', row).textContent = `${megabytes(file.size)} MB`;
    select.value = models.length === 1 ? models[0] : models.find(model => file.name.includes(model)) ?? '';
    select.ariaLabel = `Hardware for ${file.name}`;
    $('progress', row).ariaLabel = `Upload of ${file.name}`;
    on($('button', row), 'click', () => {
      row.request?.abort();
      row.remove();
    });
    rows.append(row);
  }

  async function publish(row) {
    const bar = $('progress', row), number = $('.num', row), query = new URLSearchParams();
    const fields = { ...read(form.elements), hardware: $('select', row).value };
    for (const name in fields) if (fields[name]) query.set(name, fields[name]);
    row.className = 'upload sending';
    const problem = await send(row, `${form.dataset.publish}?${query}`, (percent, words) => {
      bar.value = percent;
      number.textContent = words;
    });
    row.className = problem ? 'upload refused' : 'upload done';
    if (!problem) number.textContent = fields.draft ? 'saved as draft' : 'published';
    fill(row, { title: '', detail: '', advice: '', ...problem });
  }

  on(input, 'change', () => {
    [...input.files].forEach(take);
    input.value = '';
  });
  on(drop, 'dragenter dragleave drop', ({ type }) => drop.classList.toggle('over', type === 'dragenter'));
  on(form, 'reset', () => rows.replaceChildren());
  on(form, 'submit', async event => {
    event.preventDefault();
    button.disabled = true;
    for (const row of $$('.upload:not(.done)', rows)) if (row.isConnected) await publish(row);
    button.disabled = false;
    const refused = $('.refused button', rows);
    if (refused) refused.focus();
    else if ($('.done', rows)) {
      toast(read(form.elements).draft ? 'Saved as draft' : 'Published');
      form.reset();
    }
    fetchPage(!refused);
  });
}

// ---- keyboard

const hasSingleKeys = () => localStorage.getItem('single-keys') !== 'off';
let pressedG = 0;

function moveRow(step) {
  const rows = $$('main tbody a.name, main a.roll');
  rows[rows.indexOf(document.activeElement) + step]?.focus();
}

const keys = {
  '/': () => $('#search').focus(), '?': () => open('keys'), g: () => { pressedG = Date.now(); }, j: () => moveRow(1), k: () => moveRow(-1),
};

on(document, 'keydown', event => {
  const { key, target } = event, menu = target.closest('details.menu');
  if (key === 'Escape') {
    if (menu?.open) $('summary', menu).focus();
    return closeMenus();
  }
  const isOther = event.ctrlKey || event.metaKey || event.altKey || target.matches('input, select, textarea') || $('dialog[open]');
  if (isOther || !hasSingleKeys()) return;
  const page = Date.now() - pressedG < 1500 && $(`[data-keys="${CSS.escape(key)}"]`);
  if (page) return page.click();
  if (!keys[key]) return;
  event.preventDefault();
  keys[key]();
});

// ---- start

on(document, 'click', ({ target }) => {
  const button = target.closest('button, summary'), data = button?.dataset;
  closeMenus(button?.matches('summary') ? button.parentElement : null);
  if (!button) return;
  if (data.open) {
    $('summary', button.closest('details.menu') ?? button)?.focus(); // where focus comes back to
    open(data.open, { ...data });
  } else if ('close' in data) button.closest('dialog').close();
  else if ('copy' in data) copy(button);
  else if (data.download) download(button);
  else if (data.toggle) button.setAttribute('aria-pressed', document.getElementById(data.toggle).classList.toggle('only'));
  else if (button.closest('[data-preview]')) preview(button);
});
on(document, 'submit', event => {
  if (!event.target.dataset.call) return;
  event.preventDefault();
  submit(event.target);
});
document.addEventListener('close', ({ target }) => {
  for (const node of $$('pre[data-slot]', target)) node.textContent = ''; // secrets do not stay in the page
  history.replaceState(null, '', location.pathname + location.search);
}, true);
on(document, 'pointermove', () => { moved = Date.now(); });
on(document, 'visibilitychange', refresh);
on(window, 'hashchange pageshow', () => open(location.hash.replace('#open-', '')));
on(window, 'pageshow', ({ persisted }) => { if (persisted) refresh(); });

const keysSwitch = $('#single-keys');
if (keysSwitch) {
  keysSwitch.checked = hasSingleKeys();
  on(keysSwitch, 'change', () => localStorage.setItem('single-keys', keysSwitch.checked ? 'on' : 'off'));
}
readClock(document);
showTimes();
startLog();
startPublishing();
listen();
setInterval(() => {
  showTimes();
  if (source?.readyState === EventSource.CLOSED) listen();
  if (isLost || Date.now() - asked > 30_000) refresh(); // also for what had to wait for the reader
}, 5000);
