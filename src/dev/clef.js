// The button of the local Clef service: puts a link beside each
// <script class="clef-button" data-app-id data-redirect-url data-state>.
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
    script.after(button(script));
  }

  var own = document.currentScript;
  if (own && own.classList.contains("clef-button")) {
    process(own);
  } else {
    document.querySelectorAll("script.clef-button[src]").forEach(process);
  }
})();
