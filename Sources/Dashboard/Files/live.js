"use strict";
// Shows the page anew when something has happened, without moving what is being read or typed.
if (document.body.hasAttribute("data-live")) {
  const status = document.getElementById("live");
  let source = null;
  let isBusy = false;
  let isAsked = false;
  const renew = async () => {
    if (isBusy) { isAsked = true; return; }
    isBusy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Renewal": "1" } });
      if (answer.redirected && new URL(answer.url).pathname === "/login") { location.reload(); return; }
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const [old, fresh] = [document.getElementById("main"), page.getElementById("main")];
        const isInUse = old.contains(document.activeElement) && document.activeElement !== old;
        if (fresh && !isInUse && old.innerHTML !== fresh.innerHTML) old.replaceWith(document.adoptNode(fresh));
        const [navigation, freshNavigation] = [document.querySelector("nav"), page.querySelector("nav")];
        if (freshNavigation && !navigation.contains(document.activeElement)) navigation.replaceWith(document.adoptNode(freshNavigation));
      }
    } catch { /* The next event asks again. */ }
    isBusy = false;
    if (isAsked) { isAsked = false; renew(); }
  };
  // A page that nobody sees takes up no connection.
  const follow = () => {
    if (document.hidden === (source === null)) return;
    if (document.hidden) { source.close(); source = null; return; }
    source = new EventSource("/events");
    source.addEventListener("change", renew);
    source.onopen = () => { status.textContent = "live"; };
    source.onerror = () => { status.textContent = "not live; trying again"; };
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}
