// Covers the page when its login ends, and uncovers it when the same user has logged in again. The
// server adds the paths of the events (`live`) and of the login (`again`), and the texts by language.
// Attributes of the script tag, all optional:
//
// data-private         the page is for one user: cover it even if it starts without a login. It also
//                      counts on a tag that is added to the page later
// data-title data-text data-button data-wait     the texts of the cover
//
// Before the page is covered, `document` gets the event `clef:logged-out`, whose `detail` has the
// `cause` of a logout and when it was (`at`, in milliseconds), if they are known; `preventDefault()`
// keeps it uncovered. When the user is back, it gets `clef:logged-in`.
(function (live, again, texts) {
  "use strict";

  const tag = document.currentScript;
  const said = tag ? tag.dataset : {};
  const once = Symbol.for("clef " + live);
  const origin = self.origin;
  // A page without an origin has no login.
  if (!window.EventSource || origin === "null") {
    return;
  }
  if (window[once]) {
    // A page that changes without a load runs the script again.
    if (said.private !== undefined) {
      window[once]();
    }
    return;
  }
  window[once] = becomePrivate;

  // The keep-alive comes every 15 seconds.
  const SILENCE = 45000;
  const LONGEST_PAUSE = 30000;
  const GRACE = 1000;
  const RECHECK_AFTER = 2000;
  // A random name, so that the user's pseudonym is different for each page.
  const page = randomName();
  const language = chosenLanguage();
  const words = texts[language];

  let channel = null;
  let isPrivate = said.private !== undefined;
  let state = null; // "in", "out", or null before the first event
  let who = null; // the pseudonym of the page's user
  let other = null; // the pseudonym of another user who has logged in since
  let unverified = true; // whether an event is awaited
  let prompted = false; // whether another page caused the check
  let source = null;
  let receivedAt = 0; // when the last event was received
  let openedAt = 0; // when the connection was opened
  let failures = 0;
  let timer = 0;
  let left = false; // whether the browser shows another page
  let queue = null; // waits for the lock of the one connection of hidden pages
  let leave = null; // releases the lock

  function randomName() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // The language of the page if the site has it, or else one of the browser.
  function chosenLanguage() {
    for (const wanted of [document.documentElement.lang, ...navigator.languages]) {
      for (let tag = wanted.toLowerCase(); tag; tag = tag.replace(/-?[^-]*$/, "")) {
        if (Object.hasOwn(texts, tag)) {
          return tag;
        }
      }
    }
    return "en";
  }

  // ----- Other pages of this browser

  function broadcast(news) {
    if (channel) {
      channel.postMessage(news);
    }
  }

  function listen() {
    try {
      channel = new BroadcastChannel("clef " + live);
      channel.onmessage = (event) => {
        // Only a hint: the server decides.
        if (state !== null && !isPublic() && (event.data === "in") === (state === "out")) {
          check();
          prompted = true;
        }
      };
    } catch {
      // Without a channel, each page relies on its own connection.
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
    receivedAt = Date.now();
    const mine = (source = new EventSource(origin + live + "?page=" + page + "&lang=" + language));
    const on = (name, then) =>
      mine.addEventListener(name, (event) => {
        if (mine === source) {
          receivedAt = Date.now();
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
    on("logged-out", (event) => loggedOut(JSON.parse(event.data)));
    on("alive", () => {});
    on("open", () => (openedAt = receivedAt));
    mine.addEventListener("error", () => mine === source && lost());
  }

  function lost() {
    failures = receivedAt - openedAt > LONGEST_PAUSE ? 1 : failures + 1;
    openedAt = Date.now();
    // The browser reconnects by itself after the first loss. But after some responses it never does,
    // and to a server that is down it does too often.
    if (wanted() && failures === 1 && source.readyState === EventSource.CONNECTING) {
      return;
    }
    drop();
    if (wanted()) {
      const pause = Math.min(LONGEST_PAUSE, 1000 * 2 ** failures);
      timer = setTimeout(connect, pause * (0.1 + 0.9 * Math.random()));
    }
  }

  // Of the hidden pages, only the one with the lock needs a connection.
  function wanted() {
    return unverified || (state === "in" && (!document.hidden || leave !== null));
  }

  function settle() {
    if (!wanted()) {
      drop();
    } else if (!source && !timer) {
      connect();
    }
  }

  function check() {
    unverified = true;
    failures = 0;
    connect();
  }

  // A page that started without a login is not covered.
  function isPublic() {
    return state === "out" && who === null && !isPrivate;
  }

  // By a tag that was added later, as if the page had started with it.
  function becomePrivate() {
    const wasPublic = isPublic();
    isPrivate = true;
    if (wasPublic) {
      state = null;
      check();
    }
  }

  // Tags that are inserted as HTML or copied do not run.
  function watchTags() {
    const own = tag && tag.src ? tag.src : origin + live + ".js";
    const path = (url) => url.split(/[?#]/)[0];
    const watch = new MutationObserver(() => {
      const tags = isPrivate ? [] : Array.from(document.querySelectorAll("script[data-private]"));
      if (tags.some((other) => path(other.src) === path(own))) {
        becomePrivate();
      }
      if (isPrivate) {
        watch.disconnect();
      }
    });
    watch.observe(document, {
      attributeFilter: ["data-private"],
      childList: true,
      subtree: true,
    });
  }

  function wake() {
    const open = source && source.readyState === EventSource.OPEN;
    if (!isPublic() && (!open || isSilent())) {
      check();
    }
  }

  // Also after a suspend, or if the clock was set back.
  function isSilent() {
    return Math.abs(Date.now() - receivedAt) > SILENCE;
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

  // ----- The events of the server

  function answered() {
    unverified = false;
    const wasPrompted = prompted;
    prompted = false;
    return wasPrompted;
  }

  function loggedIn(now) {
    const wasPrompted = answered();
    if (state === null) {
      who = now;
    } else if (now !== who) {
      otherUser(now);
      return;
    }
    const back = state === "out";
    state = "in";
    uncover();
    if (back) {
      document.dispatchEvent(new CustomEvent("clef:logged-in"));
    }
    if (!wasPrompted) {
      broadcast("in");
    }
    if (document.hidden) {
      hide();
    }
    settle();
  }

  function loggedOut(end) {
    const wasPrompted = answered();
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
    // Checked again: a request with the old cookie during a new login is unauthenticated.
    timer = setTimeout(check, RECHECK_AFTER * (1 + Math.random()));
    if (!wasPrompted) {
      broadcast("out");
    }
    // The server does not say when it was if it was now.
    const { cause, at = was === "in" ? receivedAt : undefined, text = "" } = end;
    sentence = text.replace("{time}", at ? words.at : "").replace("{time}", shown(new Date(at)));
    const detail = { cause, at };
    const event = new CustomEvent("clef:logged-out", { cancelable: true, detail });
    if (document.dispatchEvent(event)) {
      cover("out");
    } else {
      uncover();
    }
  }

  // The time of today, or the date and the time, as the browser's user writes them in this language.
  function shown(time) {
    const isToday = time.toDateString() === new Date().toDateString();
    const locales = navigator.languages.filter((tag) => tag.split("-")[0] === language);
    const style = { dateStyle: isToday ? undefined : "medium", timeStyle: "short" };
    try {
      return time.toLocaleString([...locales, language], style);
    } catch {
      // Browsers report tags that `Intl` rejects, such as `en-US@posix`.
      return time.toLocaleString([], style);
    }
  }

  // Loads the page for the other user.
  function otherUser(now) {
    state = "out";
    drop();
    show();
    cover("out");
    // Only once: the user may have cancelled the navigation.
    if (now !== other) {
      other = now;
      reload();
    }
  }

  // Not by `location.reload`, which repeats a form post and restores inputs.
  function reload() {
    location.replace(origin + location.pathname + location.search);
  }

  // ----- The cover

  const STYLE = `
:host { all: initial !important; display: contents !important; color-scheme: inherit !important }
dialog { position: fixed; inset: 0; z-index: 2147483647; box-sizing: border-box; width: 100%;
  height: 100%; max-width: none; max-height: none; margin: 0; padding: 1.5em; border: 0; outline: 0;
  overflow: auto; background: var(--clef-paper, Canvas); color: var(--clef-ink, CanvasText);
  font: medium/1.6 var(--clef-font, system-ui, sans-serif); overflow-wrap: anywhere }
dialog[open] { display: grid; place-items: center }
div { max-width: 27em }
h1 { margin: 0 0 .4em; font-size: 1.75em; line-height: 1.2; text-wrap: balance }
p { margin: 0 0 1.75em }
a { display: inline-block; padding: .65em 1.4em; border: 1px solid; border-radius: .6em;
  background: var(--clef-accent, CanvasText); color: var(--clef-on-accent, Canvas); font-weight: 600; text-decoration: none }
a:hover { text-decoration: underline }
a:focus-visible { outline: 3px solid var(--clef-accent, Highlight); outline-offset: 3px }
[hidden] { display: none }`;
  // Opacity too, since some frameworks set `visibility: visible`.
  const HIDDEN = `html > :not(clef-cover), html > :not(clef-cover) *,
html > :not(clef-cover) *::backdrop { visibility: hidden !important; opacity: 0 !important }`;

  let covered = null; // "out", "wait" until the login is checked, or null
  let parts = null;
  let sheet = null; // hides the page from print and from other modal dialogs
  let focused = null;
  let title = "";
  let sentence = ""; // how the login has ended
  let opened = null; // the login window
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
    const text = make("p", "text", "");
    const link = make("a", "button", said.button || words.button);
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
      dialog.lang = language;
      dialog.dir = "auto";
    }
    try {
      root.adoptedStyleSheets = [styled(STYLE)];
      sheet = styled(HIDDEN);
    } catch {
      // Without constructed style sheets, the cover is plain.
      dialog.style.cssText =
        "position:fixed;inset:0;z-index:2147483647;width:100%;height:100%;max-width:none;" +
        "max-height:none;margin:0;border:0;background:Canvas;color:CanvasText";
    }
    // Opens a popup if allowed. Otherwise the link opens a tab.
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) {
        return;
      }
      // A random name, so that no other site can own the window.
      opened = window.open(link.href, randomName(), "popup,width=480,height=760");
      if (opened) {
        event.preventDefault();
        opened.opener = null;
        opened.focus();
      }
    });
    // Escape and "back" on Android do not close the cover.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", raise);
    dialog.addEventListener("keydown", (event) => event.key === "Escape" && event.preventDefault());
    // The handlers of the page do not run meanwhile.
    for (const name of ["keydown", "keypress", "keyup", "click"]) {
      host.addEventListener(name, (event) => event.stopPropagation());
    }
    return { host, dialog, box, headline, text, link };
  }

  // Moves the cover above everything that the page has opened since.
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

  // Only the topmost dialog can have the focus.
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
      // Reopened, so that screen readers announce it.
      close();
    }
    covered = why;
    const { box, headline, text, link } = parts;
    const waits = why === "wait";
    headline.textContent = waits
      ? said.wait || words.wait
      : said.title || words.title;
    text.textContent = said.text || (sentence || words.ended) + " " + words.text;
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
      // If the broadcast of the login window is lost. A window with a `Cross-Origin-Opener-Policy`,
      // as at the end of the login, counts as closed.
      if (opened && opened.closed) {
        opened = null;
        check();
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

  // ----- The lifecycle of the page

  listen();
  if (said.back !== undefined) {
    // The login window of a covered page: the login is complete.
    broadcast("in");
    window.close();
    return;
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      // Not during unload: a page that waits for a lock is not kept in the back/forward cache.
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
      check();
    }
  }, 10000);
  // A page from the back/forward cache is covered until it has checked its login.
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
      if (state === null) {
        // Its user is unknown, and another may have logged in. It stays covered until reloaded.
        state = "out";
        who = "";
        drop();
        reload();
      } else if (!isPublic()) {
        check();
      }
    }
  });
  if (!isPrivate) {
    watchTags();
  }
  connect();
})
