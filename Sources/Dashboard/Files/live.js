"use strict";
// Shows the page anew when something has happened, without moving what is being read or typed.
if (document.body.hasAttribute("data-live")) {
  const status = document.getElementById("live");
  let source = null;
  let isBusy = false;
  let isAsked = false;
  let isOver = false;
  // The page stays as it is: what somebody is typing is not lost.
  const endSession = () => {
    isOver = true;
    if (source !== null) { source.close(); source = null; }
    const link = document.createElement("a");
    link.href = "/login";
    link.textContent = "log in";
    status.replaceChildren("not live: the session is over; ", link);
  };
  const renew = async () => {
    if (isBusy) { isAsked = true; return; }
    isBusy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Renewal": "1" } });
      if (answer.redirected && new URL(answer.url).pathname === "/login") { endSession(); return; }
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
    if (isOver || document.hidden === (source === null)) return;
    if (document.hidden) { source.close(); source = null; return; }
    source = new EventSource("/events");
    source.addEventListener("change", renew);
    source.onopen = () => { status.textContent = "live"; };
    source.onerror = () => {
      status.textContent = "not live; trying again";
      if (source.readyState !== EventSource.CLOSED) return;
      // The browser tries no more, as after a refusal: whether the session is over says the page itself.
      source = null;
      renew();
      setTimeout(follow, 5000);
    };
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}
