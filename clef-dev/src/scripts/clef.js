// The button of the local Clef service, beside each
// <script class="clef-button" data-app-id data-redirect-url data-state>:
//
// data-color="blue|white" data-style="flat|button" data-type="login|register|connect"
//     how the button looks, and what it says
// data-embed="true"    no button, but the wave itself, inside the page
// data-custom="true"   no button either: a click on the element after the script begins the login
// data-popup="true"    a button or an element of the site's own opens the wave in a small window
(function () {
  "use strict";

  var TEXTS = {
    login: "Log in with Clef",
    register: "Sign up with Clef",
    connect: "Connect Clef",
  };

  function has(table, key) {
    return Object.prototype.hasOwnProperty.call(table, key);
  }

  function address(script) {
    var url = new URL("/iframes/qr", script.src);
    url.search = new URLSearchParams({
      app_id: script.dataset.appId,
      redirect_url: script.dataset.redirectUrl,
    }).toString();
    if (script.dataset.state !== undefined) {
      url.searchParams.append("state", script.dataset.state);
    }
    return url.href;
  }

  // The page with the wave in another window than this one, which may not send this one anywhere:
  // it asks. Only what it asks from its own origin is done, and leads nowhere but there.
  function listen(script, isSender) {
    var clef = new URL(script.src).origin;
    function hear(event) {
      if (event.origin !== clef || !isSender(event.source)) {
        return;
      }
      var data = event.data || {};
      var finish = data.clef === "approved" && new URL(data.finish, clef);
      if (finish && finish.origin === clef) {
        window.removeEventListener("message", hear);
        window.location.assign(finish.href);
      }
    }
    window.addEventListener("message", hear);
    return hear;
  }

  function embed(script) {
    var frame = document.createElement("iframe");
    frame.src = address(script) + "&display=embed";
    frame.title = "Log in with Clef";
    frame.className = "clef-embed";
    Object.assign(frame.style, {
      display: "block",
      boxSizing: "border-box",
      width: "100%",
      maxWidth: "26rem",
      height: "40rem",
      border: "1px solid #b9cfdd",
      borderRadius: "12px",
    });
    listen(script, function (source) {
      return source === frame.contentWindow;
    });
    script.after(frame);
  }

  // A click that asks for another tab gets one.
  function isPlain(event) {
    return event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  }

  var popup = null;
  var popupListener = null;

  function randomName() {
    var bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, function (byte) {
      return byte.toString(16).padStart(2, "0");
    }).join("");
  }

  function closePopup() {
    if (popup) {
      popup.close();
    }
  }

  function begin(script, event) {
    if (event.defaultPrevented || !isPlain(event)) {
      return;
    }
    event.preventDefault();
    if (script.dataset.popup === "true") {
      // No page of another site can have taken a random name before, and get the login instead.
      var opened = window.open(
        address(script) + "&display=popup",
        randomName(),
        "popup,width=480,height=760"
      );
      if (opened) {
        opened.focus();
        // Each click replaces the window, and a login is handed over once.
        closePopup();
        popup = opened;
        window.removeEventListener("message", popupListener);
        popupListener = listen(script, function (source) {
          return source === opened;
        });
        window.addEventListener("pagehide", closePopup);
        return;
      }
    }
    window.location.assign(address(script));
  }

  function custom(script) {
    // The element may not be parsed yet, so the page is asked when it is clicked.
    document.addEventListener("click", function (event) {
      var own = script.nextElementSibling;
      if (own && own.contains(event.target)) {
        begin(script, event);
      }
    });
  }

  function wave() {
    var bars = document.createElement("span");
    bars.setAttribute("aria-hidden", "true");
    Object.assign(bars.style, {
      display: "inline-flex",
      alignItems: "center",
      gap: "2px",
      height: "1em",
    });
    ["40%", "100%", "65%", "85%"].forEach(function (height) {
      var bar = document.createElement("span");
      Object.assign(bar.style, {
        width: "3px",
        height: height,
        borderRadius: "2px",
        background: "currentColor",
      });
      bars.append(bar);
    });
    return bars;
  }

  function button(script) {
    var data = script.dataset;
    var white = data.color === "white";
    var raised = data.style === "button";
    var link = document.createElement("a");
    link.href = address(script);
    link.target = "_top";
    link.className = "clef-login";
    Object.assign(link.style, {
      display: "inline-flex",
      alignItems: "center",
      gap: "0.625em",
      boxSizing: "border-box",
      minHeight: "44px",
      padding: "0 1.25em",
      border: "1px solid " + (white ? "#b9cfdd" : "#0074ab"),
      borderRadius: raised ? "10px" : "4px",
      background: white ? "#ffffff" : "#0074ab",
      boxShadow: raised ? "0 1px 2px rgba(0, 40, 60, 0.3), 0 3px 8px rgba(0, 40, 60, 0.16)" : "none",
      color: white ? "#005e8c" : "#ffffff",
      font: "600 16px/1.25 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
      textDecoration: "none",
    });
    link.append(wave(), has(TEXTS, data.type) ? TEXTS[data.type] : TEXTS.login);
    return link;
  }

  function process(script) {
    if (script.dataset.clefDone !== undefined) {
      return;
    }
    script.dataset.clefDone = "";
    if (!script.dataset.appId || !script.dataset.redirectUrl) {
      console.error("Clef: the button needs data-app-id and data-redirect-url.", script);
      return;
    }
    if (script.dataset.embed === "true") {
      embed(script);
    } else if (script.dataset.custom === "true") {
      custom(script);
    } else {
      var link = button(script);
      if (script.dataset.popup === "true") {
        link.addEventListener("click", begin.bind(null, script));
      }
      script.after(link);
    }
  }

  var own = document.currentScript;
  if (own && own.classList.contains("clef-button")) {
    process(own);
  } else {
    document.querySelectorAll("script.clef-button[src]").forEach(process);
  }
})();
