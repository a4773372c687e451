// The phone: shows what is new by itself, and counts the timer down.
(function () {
  "use strict";

  var news = document.getElementById("news");
  var phone = document.querySelector("[data-events]");
  var busy = false;
  var again = false;

  // What waits, in words: only what was not there before.
  function announce(before) {
    var sites = document.getElementById("waiting-title").dataset.news;
    if (sites === before) {
      return;
    }
    news.textContent = sites ? "Waiting for your answer: " + sites : "";
  }

  function replace(old, fresh) {
    if (!fresh || old.innerHTML === fresh.innerHTML) {
      return;
    }
    var focused = old.contains(document.activeElement) ? document.activeElement : null;
    old.replaceChildren.apply(old, fresh.childNodes);
    if (!focused) {
      return;
    }
    var same = focused.id && document.getElementById(focused.id);
    if (!same) {
      old.tabIndex = -1;
    }
    (same || old).focus();
  }

  async function refresh() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      var answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.ok) {
        var fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        var before = document.getElementById("waiting-title").dataset.news;
        document.querySelectorAll("[data-live]").forEach(function (old) {
          replace(old, fresh.getElementById(old.id));
        });
        announce(before);
        start();
      }
    } catch (error) {
      // The service is away; the next event brings it all.
    }
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  }

  var end = 0;

  function start() {
    var left = document.querySelector("[data-left]");
    end = left ? Date.now() + Number(left.dataset.left) * 1000 : 0;
  }

  function two(number) {
    return String(number).padStart(2, "0");
  }

  function tick() {
    var left = document.querySelector("[data-left]");
    if (!left || !end) {
      return;
    }
    var seconds = Math.max(0, Math.round((end - Date.now()) / 1000));
    var hours = Math.floor(seconds / 3600);
    var minutes = Math.floor(seconds / 60) % 60;
    var text = two(seconds % 60);
    left.textContent = hours ? hours + ":" + two(minutes) + ":" + text : minutes + ":" + text;
  }

  start();
  setInterval(tick, 1000);
  var source = new EventSource(phone.dataset.events);
  source.onmessage = refresh;
  window.addEventListener("pagehide", function () {
    source.close();
  });
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) {
      location.reload();
    }
  });
})();
