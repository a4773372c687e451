// The browser's part of a ceremony: fetches the challenge, asks the authenticator, writes the answer
// into the form and sends it. `data-start` of the form is where the challenge comes from, and
// `data-ceremony` is "create" or "get".
"use strict";

const form = document.querySelector("form[data-start]");
const status = form.querySelector("[role=status]");
const button = form.querySelector("button");

const sentences = {
  // The user pressed "Cancel", waited too long, or has no passkey for this site.
  NotAllowedError: "No passkey was used. Please try again.",
  // The authenticator has one of those that the member has already.
  InvalidStateError: "This device has a passkey for this account already.",
  SecurityError: "Passkeys do not work at this address.",
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  try {
    say("One moment …");
    const options = await start();
    if (options === null) return;
    say("Please follow your device.");
    const credential = await ask(options.publicKey);
    say("Checking …");
    form.elements.credential.value = JSON.stringify(credential);
    form.submit();
  } catch (error) {
    say(sentences[error.name] ?? "This did not work. Please try again.");
    button.disabled = false;
  }
});

async function start() {
  const name = form.elements.name?.value;
  const response = await fetch(form.dataset.start, {
    method: "POST",
    headers: { accept: "application/json" },
    body: new URLSearchParams(name === undefined ? {} : { name }),
  });
  if (response.ok) return response.json();
  // The login has ended, or is no longer recent: the page itself leads to the login.
  if (response.status === 401) {
    location.reload();
    return null;
  }
  say(response.status === 429 ? "You have tried too often. Please wait a minute." : "Please try again.");
  button.disabled = false;
  return null;
}

function ask(publicKey) {
  return form.dataset.ceremony === "create"
    ? navigator.credentials.create({
        publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey),
      })
    : navigator.credentials.get({
        publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
      });
}

function say(sentence) {
  status.textContent = sentence;
}

if (typeof window.PublicKeyCredential?.parseCreationOptionsFromJSON === "function") {
  button.disabled = false;
  // The browser's back button may show the page as it was left.
  addEventListener("pageshow", () => { button.disabled = false; say(""); });
} else {
  say("This browser is too old for passkeys.");
}
