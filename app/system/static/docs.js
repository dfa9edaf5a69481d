// The page /docs: Swagger UI, and a session by the same cookies that browser applications use.
// Every address is relative, so that the page works below any prefix of a gateway.
"use strict";

const EARLY_MS = 30_000;

const signIn = document.getElementById("sign-in");
const signOut = document.getElementById("sign-out");
const notice = document.getElementById("notice");

// When the access token ends (milliseconds since 1970); 0 while nobody is signed in.
let expiresAt = 0;
// One refresh at a time: the requests of one moment wait for the same one.
let refreshing = null;

function post(path, body) {
  const json = { method: "POST", headers: { "Content-Type": "application/json" } };
  return fetch(path, { ...json, body: JSON.stringify(body) });
}

function show(email, text = "") {
  signIn.hidden = email !== null;
  signOut.hidden = email === null;
  document.getElementById("who").textContent = email ?? "";
  notice.textContent = text;
}

function showSignedOut(text) {
  expiresAt = 0;
  show(null, text);
}

async function showCaller() {
  const answer = await fetch("auth/verify");
  if (!answer.ok) {
    return false;
  }
  const caller = await answer.json();
  expiresAt = caller.exp * 1000;
  show(
    caller.email,
    caller.password_reset_required ? "Change your password first: PATCH /users/me/change-password." : "",
  );
  return true;
}

async function refresh() {
  const answer = await post("auth/refresh", {});
  return answer.ok && (await showCaller());
}

async function keepSession() {
  refreshing ??= refresh().finally(() => {
    refreshing = null;
  });
  if (!(await refreshing)) {
    showSignedOut("The session has ended. Sign in again.");
  }
}

async function resume() {
  if (!(await showCaller()) && !(await refresh())) {
    showSignedOut();
  }
}

async function reason(answer) {
  const problem = await answer.json().catch(() => ({}));
  const fields = Object.values(problem.errors ?? {}).flat();
  return [problem.detail ?? `Failed (${answer.status}).`, ...fields].join(" ");
}

async function submitSignIn(event) {
  event.preventDefault();
  const answer = await post("auth/login", Object.fromEntries(new FormData(signIn)));
  if (!answer.ok) {
    showSignedOut(await reason(answer));
    return;
  }
  signIn.reset();
  await showCaller();
  signOut.querySelector("button").focus();
}

async function submitSignOut(event) {
  event.preventDefault();
  const answer = await post("auth/logout", {});
  if (!answer.ok) {
    notice.textContent = await reason(answer);
    return;
  }
  showSignedOut("Signed out.");
  signIn.elements.email.focus();
}

function guarded(handler) {
  return (event) =>
    handler(event).catch(() => {
      notice.textContent = "The service cannot be reached.";
    });
}

async function beforeRequest(outgoing) {
  if (expiresAt && Date.now() > expiresAt - EARLY_MS) {
    await keepSession();
  }
  return outgoing;
}

signIn.addEventListener("submit", guarded(submitSignIn));
signOut.addEventListener("submit", guarded(submitSignOut));

if ("mayBeSignedIn" in document.body.dataset) {
  guarded(resume)();
} else {
  showSignedOut();
}

SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("operations"),
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  filter: true,
  requestInterceptor: beforeRequest,
});
