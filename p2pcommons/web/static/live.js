// Keeps an open page as things are now: hears the node's pulse and takes the page's live part again.
// Without scripts a page is as it was loaded; nothing here is needed to read or to write.

const PULSE = "/live", LIVE = "P2PCommons-Live", NAME = "p2pcommons-live", SILENT_MS = 5000;
const part = document.querySelector("[data-live]");
const silent = document.getElementById("silent");

let asking = false, again = false, missed = false, quiet = 0;

async function refresh() {
  if (document.hidden) { missed = true; return; }
  if (asking) { again = true; return; }
  asking = true;
  try {
    do {
      again = missed = false;
      const answer = await fetch(location.href, { headers: { [LIVE]: "1" }, cache: "no-store" });
      if (answer.status === 200) renew(part, new DOMParser().parseFromString(await answer.text(), "text/html").body);
    } while (again);
  } catch { missed = true; } finally { asking = false; }
}

function said(what) {
  if (what === "silent") { quiet ||= setTimeout(() => { silent.hidden = false; }, SILENT_MS); missed = true; return; }
  clearTimeout(quiet);
  quiet = 0;
  silent.hidden = true;
  refresh();
}

// One tab listens for all of them, so that a browser's six connections do; where tabs cannot agree (plain http on a
// local network), each listens while it is looked at.
function listen(tell) {
  let stream, timer = 0;
  const open = () => {
    stream = new EventSource(PULSE);
    stream.onmessage = stream.onopen = () => tell("changed");
    stream.onerror = () => {
      tell("silent");
      if (stream.readyState === EventSource.CLOSED) timer = setTimeout(open, SILENT_MS); // refused: it tries no more
    };
  };
  open();
  return { close() { clearTimeout(timer); stream.close(); } };
}

function agree() {
  const tabs = new BroadcastChannel(NAME);
  tabs.onmessage = (event) => said(event.data);
  navigator.locks.request(NAME, () => new Promise(() => listen((what) => { tabs.postMessage(what); said(what); })));
  document.addEventListener("visibilitychange", () => { if (!document.hidden && missed) refresh(); });
}

function alone() {
  let stream = null;
  const look = () => {
    if (document.hidden) { stream?.close(); stream = null; } else { stream ??= listen(said); }
  };
  document.addEventListener("visibilitychange", look);
  look();
}

// -- the live part as it was made to be like the new one, element by element: what has the focus keeps it, what was
// opened stays open, and nothing moves that did not change.

const keyOf = (node) => (node.nodeType === 1 && (node.dataset.key || node.id)) || null;
const alike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName;

function renew(here, there) {
  const known = new Map();
  for (const child of here.children) if (keyOf(child)) known.set(keyOf(child), child);
  let at = here.firstChild;
  for (const next of [...there.childNodes]) {
    const key = keyOf(next);
    let same = key ? known.get(key) : at && !keyOf(at) && alike(at, next) ? at : null;
    if (same && !alike(same, next)) same = null;
    if (!same) {
      const fresh = document.importNode(next, true);
      if (key && fresh.classList) fresh.classList.add("fresh");
      here.insertBefore(fresh, at);
      continue;
    }
    if (same === at) at = at.nextSibling; else here.insertBefore(same, at);
    update(same, next);
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}

function update(here, there) {
  if (here.nodeType !== 1) { if (here.nodeValue !== there.nodeValue) here.nodeValue = there.nodeValue; return; }
  const kept = here.nodeName === "DETAILS" ? "open" : "";
  for (const { name, value } of [...there.attributes]) {
    if (name !== kept && here.getAttribute(name) !== value) here.setAttribute(name, value);
  }
  for (const { name } of [...here.attributes]) if (name !== kept && !there.hasAttribute(name)) here.removeAttribute(name);
  if (here.nodeName !== "TEXTAREA") renew(here, there);
}

if (part && silent) {
  if (navigator.locks && "BroadcastChannel" in window) agree(); else alone();
}
