// Covers the page when the login that it was made for ends, and uncovers it once the same person
// has logged in again. The server adds where to hear of the login (`live`) and where to log in
// again (`again`). On the script tag, all optional:
//
// data-private         the page is somebody's: cover it even if the first word is "logged out"
// data-title data-text data-button data-wait     the words of the cover, in the page's language
//
// `clef:logged-out` on `document` comes before the cover, and `preventDefault()` keeps that away;
// `clef:logged-in` comes when the person is back.
(function (live, again) {
  "use strict";

  const tag = document.currentScript;
  const said = tag ? tag.dataset : {};
  const once = Symbol.for("clef " + live);
  const origin = self.origin;
  // A page without an origin has no login.
  if (!window.EventSource || origin === "null" || window[once]) {
    return;
  }
  window[once] = true;

  // The keep-alive comes every 15 seconds.
  const SILENCE = 45000;
  const LONGEST_PAUSE = 30000;
  const GRACE = 1000;
  const SECOND_LOOK = 2000;
  // Tells this page from all others, so that what the server calls its person by means nothing
  // anywhere else.
  const page = randomName();

  let channel = null;
  let state = null; // "in" or "out"; null before the first word
  let who = null; // whose page it is
  let other = null; // who else has logged in since
  let doubt = true; // whether a word is awaited
  let prompted = false; // whether another page has said so
  let source = null;
  let heard = 0; // when the last sign of life came
  let since = 0; // when the connection was made
  let failures = 0;
  let timer = 0;
  let left = false; // whether another page is shown in its place
  let queue = null; // for the one connection of the hidden pages
  let leave = null; // has it, and gives it up

  function randomName() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // ----- Other pages of this browser

  function tell(news) {
    if (channel) {
      channel.postMessage(news);
    }
  }

  function listen() {
    try {
      channel = new BroadcastChannel("clef " + live);
      channel.onmessage = (event) => {
        // A hint and no more: the server is asked.
        if (state !== null && !isPublic() && (event.data === "in") === (state === "out")) {
          look();
          prompted = true;
        }
      };
    } catch {
      // Each page finds out by itself.
    }
  }

  // ----- The connection

  function drop() {
    clearTimeout(timer);
    timer = 0;
    if (source) {
      source.close();
      source = null;
    }
  }

  function connect() {
    drop();
    heard = Date.now();
    const mine = (source = new EventSource(origin + live + "?page=" + page));
    const on = (name, then) =>
      mine.addEventListener(name, (event) => {
        if (mine === source) {
          heard = Date.now();
          then(event);
        }
      });
    on("logged-in", (event) => {
      const now = JSON.parse(event.data).who;
      if (now) {
        loggedIn(now);
      } else {
        lost();
      }
    });
    on("logged-out", loggedOut);
    on("alive", () => {});
    on("open", () => (since = heard));
    mine.addEventListener("error", () => mine === source && lost());
  }

  function lost() {
    failures = heard - since > LONGEST_PAUSE ? 1 : failures + 1;
    since = Date.now();
    // After a loss the browser comes back when the server has said, but after some answers never,
    // and to a server that is down all too often.
    if (wanted() && failures === 1 && source.readyState === EventSource.CONNECTING) {
      return;
    }
    drop();
    if (wanted()) {
      const pause = Math.min(LONGEST_PAUSE, 1000 * 2 ** failures);
      timer = setTimeout(connect, pause * (0.1 + 0.9 * Math.random()));
    }
  }

  // A page that nobody sees needs no connection, but for one of them that hears for all.
  function wanted() {
    return doubt || (state === "in" && (!document.hidden || leave !== null));
  }

  function settle() {
    if (!wanted()) {
      drop();
    } else if (!source && !timer) {
      connect();
    }
  }

  function look() {
    doubt = true;
    failures = 0;
    connect();
  }

  // A page that began without a login stays as it is.
  function isPublic() {
    return state === "out" && who === null && said.private === undefined;
  }

  function wake() {
    const open = source && source.readyState === EventSource.OPEN;
    if (!isPublic() && (!open || isSilent())) {
      look();
    }
  }

  // After a sleep too, and whatever is done to the clock.
  function isSilent() {
    return Math.abs(Date.now() - heard) > SILENCE;
  }

  function hide() {
    if (!navigator.locks || queue || state === "out") {
      return;
    }
    const mine = (queue = new AbortController());
    const wait = (done) => {
      if (mine === queue) {
        leave = done;
        settle();
      } else {
        done();
      }
    };
    navigator.locks
      .request("clef " + live, { signal: mine.signal }, () => new Promise(wait))
      .catch(() => {});
  }

  function show() {
    if (queue) {
      queue.abort();
      queue = null;
    }
    if (leave) {
      leave();
      leave = null;
    }
  }

  // ----- What the server says

  function answered() {
    doubt = false;
    const told = prompted;
    prompted = false;
    return told;
  }

  function loggedIn(now) {
    const told = answered();
    if (state === null) {
      who = now;
    } else if (now !== who) {
      anotherPerson(now);
      return;
    }
    const back = state === "out";
    state = "in";
    uncover();
    if (back) {
      document.dispatchEvent(new CustomEvent("clef:logged-in"));
    }
    if (!told) {
      tell("in");
    }
    if (document.hidden) {
      hide();
    }
    settle();
  }

  function loggedOut() {
    const told = answered();
    const was = state;
    state = "out";
    drop();
    show();
    if (was === "out") {
      return;
    }
    if (isPublic()) {
      uncover();
      return;
    }
    // Once more: while a session gets a new id, whoever comes with the old cookie is nobody.
    timer = setTimeout(look, SECOND_LOOK * (1 + Math.random()));
    if (!told) {
      tell("out");
    }
    const event = new CustomEvent("clef:logged-out", { cancelable: true });
    if (document.dispatchEvent(event)) {
      cover("out");
    } else {
      uncover();
    }
  }

  // What is here is not theirs to see. No `reload`: it would post a form again, and browsers put
  // back what was typed.
  function anotherPerson(now) {
    state = "out";
    drop();
    show();
    cover("out");
    // Once only: the page may have asked whether to leave, and been told to stay.
    if (now !== other) {
      other = now;
      location.replace(origin + location.pathname + location.search);
    }
  }

  // ----- The cover

  const STYLE = `
:host { all: initial !important; display: contents !important; color-scheme: inherit !important }
dialog { position: fixed; inset: 0; z-index: 2147483647; box-sizing: border-box; width: 100%;
  height: 100%; max-width: none; max-height: none; margin: 0; padding: 1.5em; border: 0; outline: 0;
  overflow: auto; background: Canvas; color: CanvasText; font: medium/1.6 system-ui, sans-serif }
dialog[open] { display: grid; place-items: center }
div { max-width: 27em }
h1 { margin: 0 0 .4em; font-size: 1.75em; line-height: 1.2; text-wrap: balance }
p { margin: 0 0 1.75em }
a { display: inline-block; padding: .65em 1.4em; border: 1px solid; border-radius: .6em;
  background: CanvasText; color: Canvas; font-weight: 600; text-decoration: none }
a:hover { text-decoration: underline }
a:focus-visible { outline: 3px solid Highlight; outline-offset: 3px }
[hidden] { display: none }`;
  // Not seen either where the page insists on `visibility: visible`, as some frameworks do.
  const HIDDEN = `html > :not(clef-cover), html > :not(clef-cover) *,
html > :not(clef-cover) *::backdrop { visibility: hidden !important; opacity: 0 !important }`;

  let covered = null; // "out"; "wait": until it is known; null
  let parts = null;
  let sheet = null; // hides the page itself: from print, from other modal dialogs
  let focused = null;
  let title = "";
  let opened = null; // the window to log in again
  let watch = 0;
  let slow = 0;

  function styled(text) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    return sheet;
  }

  function build() {
    const host = document.createElement("clef-cover");
    const root = host.attachShadow({ mode: "open" });
    const make = (name, part, text) => {
      const element = document.createElement(name);
      element.id = part;
      element.part = part;
      element.textContent = text;
      return element;
    };
    const dialog = make("dialog", "cover", "");
    const box = make("div", "box", "");
    const headline = make("h1", "title", "");
    const text = make(
      "p",
      "text",
      said.text ||
        "Your login has ended, here or on another device. Log in again in a window of its own, " +
          "and this page is as you left it."
    );
    const link = make("a", "button", said.button || "Log in again");
    link.href = new URL(again, origin).href;
    link.target = "_blank";
    box.append(headline, text, link);
    dialog.append(box);
    root.append(dialog);
    dialog.tabIndex = -1;
    dialog.autofocus = true;
    for (const [name, value] of [
      ["role", "alertdialog"],
      ["aria-modal", "true"],
      ["aria-labelledby", "title"],
      ["aria-describedby", "text"],
      ["closedby", "none"],
    ]) {
      dialog.setAttribute(name, value);
    }
    if (!said.title) {
      dialog.lang = "en";
      dialog.dir = "ltr";
    }
    try {
      root.adoptedStyleSheets = [styled(STYLE)];
      sheet = styled(HIDDEN);
    } catch {
      // Plain, but a cover.
      dialog.style.cssText =
        "position:fixed;inset:0;z-index:2147483647;width:100%;height:100%;max-width:none;" +
        "max-height:none;margin:0;border:0;background:Canvas;color:CanvasText";
    }
    // A window of its own where that is allowed. A link is followed into a tab everywhere.
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) {
        return;
      }
      // No page of another site can have taken a random name before, and get the login instead.
      opened = window.open(link.href, randomName(), "popup,width=480,height=760");
      if (opened) {
        event.preventDefault();
        opened.opener = null;
        opened.focus();
      }
    });
    // Escape, and Android's "back", close nothing here.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", raise);
    dialog.addEventListener("keydown", (event) => event.key === "Escape" && event.preventDefault());
    // The page's own keys and links do nothing meanwhile.
    for (const name of ["keydown", "keypress", "keyup", "click"]) {
      host.addEventListener(name, (event) => event.stopPropagation());
    }
    return { host, dialog, box, headline, text, link };
  }

  // Above everything, whatever else the page has opened since.
  function raise() {
    if (!covered) {
      return;
    }
    const { host, dialog } = parts;
    if (isTop()) {
      return;
    }
    if (!dialog.showModal) {
      dialog.setAttribute("open", "");
    } else if (dialog.open) {
      dialog.close();
    }
    if (!host.isConnected) {
      document.documentElement.append(host);
    }
    if (!dialog.open) {
      dialog.showModal();
    }
    dialog.focus();
  }

  // Only what is on top can have the focus.
  function isTop() {
    return parts.dialog.open && document.activeElement === parts.host;
  }

  function close() {
    if (parts.dialog.open && parts.dialog.close) {
      parts.dialog.close();
    }
    parts.host.remove();
  }

  function cover(why) {
    if (!covered) {
      parts = parts || build();
      focused = document.activeElement;
      title = document.title;
    } else if (covered !== why) {
      // Opened anew, so that it is read out anew.
      close();
    }
    covered = why;
    const { box, headline, text, link } = parts;
    const waits = why === "wait";
    headline.textContent = waits
      ? said.wait || "One moment: are you still logged in?"
      : said.title || "You are logged out";
    text.hidden = link.hidden = waits;
    clearTimeout(slow);
    box.hidden = waits;
    if (waits) {
      slow = setTimeout(() => (box.hidden = false), GRACE);
    } else {
      document.title = headline.textContent;
    }
    if (sheet && !document.adoptedStyleSheets.includes(sheet)) {
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    }
    raise();
    clearInterval(watch);
    watch = setInterval(() => {
      if (!parts.dialog.open || document.hasFocus()) {
        raise();
      }
      // Where its news of the login does not come through. A page with a
      // `Cross-Origin-Opener-Policy` counts as closed, as the one at the end of the login has.
      if (opened && opened.closed) {
        opened = null;
        look();
      }
    }, 250);
  }

  function uncover() {
    if (!covered) {
      return;
    }
    covered = null;
    clearInterval(watch);
    clearTimeout(slow);
    close();
    if (sheet) {
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    }
    if (document.title === parts.headline.textContent) {
      document.title = title;
    }
    if (focused && focused.focus) {
      focused.focus({ preventScroll: true });
    }
    focused = null;
  }

  // ----- The page's own life

  listen();
  if (said.back !== undefined) {
    // The window of a login over a covered page: what it was for is done.
    tell("in");
    window.close();
    return;
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      // Not on its way out, where this comes last: browsers keep no page that waits for a lock.
      if (!left) {
        hide();
      }
      setTimeout(settle, GRACE);
    } else {
      show();
      wake();
    }
  });
  document.addEventListener("resume", wake);
  window.addEventListener("focus", wake);
  window.addEventListener("online", wake);
  setInterval(() => {
    if (source && isSilent()) {
      look();
    }
  }, 10000);
  // A page that the browser keeps to come back to shows nothing until it has asked.
  window.addEventListener("pagehide", (event) => {
    left = true;
    if (event.persisted && state !== "out") {
      cover("wait");
    }
    show();
    drop();
    if (channel) {
      channel.close();
      channel = null;
    }
  });
  window.addEventListener("pageshow", (event) => {
    left = false;
    if (event.persisted) {
      listen();
      if (!isPublic()) {
        look();
      }
    }
  });
  connect();
})
