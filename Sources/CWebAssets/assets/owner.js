'use strict';
// The owner's pages work without this script. With it they follow the devices, and open sign-in links.
{
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const write = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };
  const lang = document.documentElement.lang;
  document.documentElement.classList.add('js');

  // ---- forms, copying
  const sent = new WeakMap();
  addEventListener('submit', event => {
    const form = event.target;
    if (event.timeStamp - sent.get(form) < 3000) return event.preventDefault();   // a double tap sends once
    sent.set(form, event.timeStamp);
    const zone = $('[name=time_zone]', form);
    if (zone) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? '';
  });

  addEventListener('click', async event => {
    const button = event.target.closest('[data-copy]');
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {   // not allowed here: mark the text instead
      const code = $('b', button.parentNode);
      if (code) getSelection().selectAllChildren(code);
      return;
    }
    const label = button.lastElementChild, before = label.textContent;
    if (before === button.dataset.copied) return;
    write(label, button.dataset.copied);
    write($('#spoken'), button.dataset.copied);
    setTimeout(() => write(label, before), 2000);
  });

  // ---- sign-in links
  async function redeem() {
    const show = part => $$('[data-setup-part]').forEach(node => { node.hidden = !node.dataset.setupPart.split(' ').includes(part); });
    const link = new URLSearchParams(location.hash.slice(1)).get('k');
    if (!link) return show('incomplete');
    show('busy');
    try {
      const answer = await fetch('/app/session', {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ link }),
      });
      if (answer.ok) return location.replace((await answer.json()).role === 'owner' ? '/my' : '/console');
      show(answer.status < 500 && answer.status !== 429 ? 'used' : 'trouble');
    } catch {
      show('trouble');
    }
  }
  if ('setup' in document.body.dataset) {
    $('#again')?.addEventListener('click', redeem);
    addEventListener('hashchange', redeem);
    redeem();
  }

  // ---- patching
  const typing = node => node.contains(document.activeElement) && document.activeElement.matches('input, select, textarea');
  const marked = node => { const mark = getSelection(); return !mark.isCollapsed && mark.containsNode(node, true); };
  const kind = node => node.nodeName + (node.dataset?.key ?? '');
  const parts = node => [...node.childNodes].filter(child => child.nodeType === 1 || child.data.trim());

  // Makes node like fresh and touches only what differs; leaves alone what the reader types in or has selected.
  function patch(node, fresh) {
    if (node.isEqualNode(fresh)) return;
    if (node.nodeType !== 1) { if (!marked(node)) node.data = fresh.data; return; }
    if (node === document.activeElement && typing(node)) return;
    for (const { name } of [...node.attributes]) if (name !== 'open' && !fresh.hasAttribute(name)) node.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    const old = parts(node), now = parts(fresh);
    if (old.length === now.length && old.every((child, i) => kind(child) === kind(now[i]))) old.forEach((child, i) => patch(child, now[i]));
    else if (!typing(node) && !marked(node)) node.replaceChildren(...fresh.childNodes);
  }

  // The same control in the patched page, for the focus.
  function twin(node) {
    if (node.id) return document.getElementById(node.id);
    if (node.name) return $(`[name="${CSS.escape(node.name)}"][value="${CSS.escape(node.value)}"]`);
    const href = node.getAttribute('href');
    return href && $(`a[href="${CSS.escape(href)}"]`);
  }

  // ---- progress
  const PHASES = {
    queued: 'queued', downloading: 'download', verifying: 'check', installing: 'check', restarting: 'restart', confirming: 'confirm',
  };
  const words = $('#live')?.dataset;
  const state = () => $('#state');
  const say = text => write($('#spoken'), text);
  let attempt = '', best = 0, samples = [];   // of the download that is shown

  function size(bytes, of) {
    const [unit, by, digits] = of < 1e6 ? ['kilobyte', 1e3, 0] : of < 1e9 ? ['megabyte', 1e6, 1] : ['gigabyte', 1e9, 1];
    const form = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return new Intl.NumberFormat(lang, bytes === of ? { ...form, style: 'unit', unit } : form).format(bytes / by);
  }

  const latest = () => samples[samples.length - 1];

  // Only a measured rate becomes a time: over the last 20 s, or the last steps of a slow download, and at least 2 s.
  function timeLeft(percent) {
    const now = performance.now();
    if (latest()?.percent !== percent) samples.push({ percent, at: now });
    while (samples.length > 5 && now - samples[0].at > 20000) samples.shift();
    const [first] = samples;
    if (percent <= first.percent || now - first.at < 2000) return '';
    const seconds = (100 - percent) * (now - first.at) / (percent - first.percent) / 1000;
    return seconds < 55 ? fill(words.seconds, { n: Math.max(1, Math.round(seconds)) }) : fill(words.minutes, { n: Math.max(1, Math.round(seconds / 60)) });
  }

  const stalled = () => samples.length && performance.now() - latest().at > Math.max(10000, latest().at - samples[0].at);

  function paint(percent) {
    const shown = state();
    if (shown?.dataset.phase !== 'download') return;
    const key = `${shown.dataset.version} ${shown.dataset.attempt}`;
    if (key !== attempt) { attempt = key; best = 0; samples = []; }
    else if (percent > best && Math.floor(percent / 25) > Math.floor(best / 25)) say(fill(words.percent, { percent: Math.floor(percent / 25) * 25 }));
    best = percent = Math.max(best, Math.min(percent, 99));
    const bytes = Number(shown.dataset.bytes);
    write($('[data-slot=percent]', shown), String(percent));
    write($('[data-slot=left]', shown), timeLeft(percent));
    if (bytes) write($('[data-slot=amount]', shown), fill(words.amount, { done: size(bytes * percent / 100, bytes), total: size(bytes, bytes) }));
    $('[data-slot=arc]', shown)?.setAttribute('stroke-dasharray', `${percent} 200`);
    $('[data-slot=bar]', shown)?.setAttribute('value', percent);
    document.title = fill(words.tab, { percent, name: shown.dataset.name });
  }

  // True when the page shows this phase of this update and took the news.
  function progressed({ device, version, state: reached, percent }) {
    const phase = PHASES[reached];
    if (!phase || phase === 'queued') return false;
    const shown = state();
    if (shown) {
      if (shown.dataset.phase !== phase || shown.dataset.version !== version) return false;
      if (phase === 'download' && !(percent >= best)) return false;   // perhaps another attempt: the page knows
      if (phase === 'download') paint(percent);
      return true;
    }
    const row = $(`[data-thing="${CSS.escape(device)}"][data-phase="${phase}"][data-version="${CSS.escape(version)}"]`);
    const bar = row && $('[data-slot=bar]', row);
    if (!bar || !(percent >= bar.value)) return false;
    bar.setAttribute('value', percent);
    write($('[data-slot=percent]', row), fill(words.rowPercent, { percent }));
    return true;
  }

  // ---- the page as the server sees it now
  const standing = () => state() ? state().dataset.key + (state().dataset.phase ?? '') : '';
  const rows = () => new Map($$('li[data-key]').map(row => [row.dataset.key, (row.closest('section')?.dataset.key ?? '') + ($('a', row)?.dataset.phase ?? '')]));

  function take(page) {
    const before = standing(), listed = rows(), focused = document.activeElement;
    document.title = page.title;
    for (const node of $$('[data-live]')) {
      const fresh = $(`[data-live="${node.dataset.live}"]`, page);
      if (!fresh) continue;
      if (kind(node) === kind(fresh)) patch(node, fresh); else node.replaceWith(fresh);
    }
    const moved = standing() !== before;
    if (moved) {
      $('#notice')?.remove();
      const failed = state().dataset.key === 'failed';
      write($(failed ? '#alarm' : '#spoken'), `${$('#headline').textContent}. ${$('#lede').textContent}`);
    }
    for (const [key, where] of rows()) if (listed.has(key) && listed.get(key) !== where) say($(`li[data-key="${CSS.escape(key)}"] .text`).innerText.replace(/\n/g, ', '));
    if (!focused.isConnected) ((!moved && twin(focused)) || $('#headline') || $('#main')).focus({ preventScroll: true });
    paint(Number($('[data-slot=bar]', state() ?? document)?.getAttribute('value')));
  }

  let fetching = false, wanted = false, lost = false, fresh = Date.now();
  async function refresh() {
    if (fetching) { wanted = true; return; }
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' }, cache: 'no-store', signal: AbortSignal.timeout?.(10000) });
      if (answer.status >= 500 || answer.status === 429) throw answer.status;
      if (!answer.ok || new URL(answer.url).pathname !== location.pathname) return location.reload();   // signed out, or gone
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      if (!$('#live', page)) throw 'not our page';
      take(page);
      lost = false; fresh = Date.now();
    } catch {
      lost = true;
    }
    fetching = false;
    mark();
    if (wanted) { wanted = false; refresh(); }
  }

  let due;
  const soon = () => { if (!due) due = setTimeout(() => { due = 0; refresh(); }, 150); };   // many events, one fetch

  // ---- events, or polling
  let source, failures = 0, retry, last = words?.lastEventId, looked = Date.now();

  function mark() {
    const node = $('#lost');
    if (!node) return;
    node.hidden = !(lost && (failures >= 3 || !navigator.onLine));
    if (!node.hidden) write(node, fill(words.lost, { time: new Date(fresh).toLocaleTimeString(lang, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }) }));
  }

  function happened(event) {
    last = event.lastEventId || last;
    fresh = Date.now();
    let news = {};
    try { news = JSON.parse(event.data) ?? {}; } catch { /* the page tells */ }
    const concerns = event.type === 'state' || !state() || news.device === state().dataset.thing;
    if (concerns && !(event.type === 'progress' && progressed(news))) soon();
  }

  function connect() {
    clearTimeout(retry);
    source?.close();
    source = new EventSource(`/app/listen?last_event_id=${encodeURIComponent(last)}`);
    source.onopen = () => { if (failures) soon(); failures = 0; lost = false; mark(); };
    source.onerror = () => {
      source.close();
      failures += 1;
      retry = setTimeout(connect, Math.min(5000, 250 * 2 ** failures) * (0.75 + Math.random() / 2));
      mark();
    };
    for (const type of ['state', 'offer', 'progress', 'done', 'failed', 'config']) source.addEventListener(type, happened);
  }

  if (words) {
    const back = () => { looked = Date.now(); connect(); refresh(); };
    addEventListener('pageshow', event => { if (event.persisted) back(); });
    addEventListener('pagehide', () => { clearTimeout(retry); source?.close(); });
    addEventListener('online', back);
    addEventListener('offline', () => { lost = true; mark(); });
    document.addEventListener('visibilitychange', () => { if (!document.hidden) back(); });
    // Ages and connections make no event: look again now and then, and often while there are no events.
    setInterval(() => {
      if (document.hidden) return;
      if (stalled()) write($('[data-slot=left]'), '');
      if (failures >= 3 || Date.now() - looked > 30000) { looked = Date.now(); refresh(); }
    }, 5000);
    paint(Number($('[data-slot=bar]')?.getAttribute('value')));
    connect();
  }
}
