// The page with the wave: goes on by itself when the phone has answered.
(function () {
  "use strict";

  var login = document.getElementById("login");
  var status = document.getElementById("status");
  var source = new EventSource(login.dataset.events);
  var TEXTS = {
    waiting: status.textContent,
    approved: "Approved. On the way to the site.",
    refused: "Refused on the phone. Nobody was logged in.",
    over: "This login is over: it waited too long, or it is finished already.",
  };

  function say(text) {
    if (status.textContent !== text) {
      status.textContent = text;
    }
  }

  function show(stage) {
    var waits = stage === "waiting";
    // What is about to be hidden must not keep the focus.
    var lost = document.activeElement && document.activeElement.closest("#scan, #no-phone");
    login.dataset.stage = stage;
    ["scan", "code", "no-phone"].forEach(function (id) {
      var part = document.getElementById(id);
      if (part) {
        part.hidden = !waits;
      }
    });
    ["approved", "refused", "over"].forEach(function (id) {
      document.getElementById(id).hidden = id !== stage;
    });
    say(TEXTS[stage]);
    if (lost && !waits) {
      status.focus();
    }
  }

  // A page inside another window may not send that window anywhere by itself: it asks the script
  // of the button there to do it. Only a page of the site that is logged in to hears it.
  function goOn() {
    var finish = new URL(login.dataset.finish, location.href).href;
    var other = login.dataset.display === "popup" ? window.opener : window.parent;
    if (other && other !== window) {
      other.postMessage({ clef: "approved", finish: finish }, login.dataset.origin);
    } else {
      location.replace(finish);
    }
  }

  source.onmessage = function (event) {
    if (!Object.prototype.hasOwnProperty.call(TEXTS, event.data)) {
      return;
    }
    show(event.data);
    if (event.data !== "waiting") {
      source.close();
    }
    if (event.data === "approved") {
      goOn();
    }
  };
  source.onerror = function () {
    // The browser tries again, and is told the stage when it gets through.
    say("The connection to Clef is lost. Trying again.");
  };
  source.onopen = function () {
    say(TEXTS[login.dataset.stage || "waiting"]);
  };
  // Whoever answers on this page is on the way already; the news of it must not cross that.
  document.addEventListener("submit", function () {
    source.close();
  });
  window.addEventListener("pagehide", function () {
    source.close();
  });
  // Back from the site by the back button: the page was kept as it was.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) {
      location.reload();
    }
  });
})();
