"""Looks at how a page of the dashboard follows what happens, in a real browser (headless Chromium): through a connection
that breaks off, where too many pages are open, in a tab that nobody sees, and where the session ends. Then at the planes
of a viewer that are refused for a while.

Usage: dashboard_live.py PORT PASSWORD SEGMENTD CONFIGURATION

Prints a line of JSON. The daemon has a job 1 with a result; "olga" is an operator.
"""

import http.client
import json
import socket
import subprocess
import sys
import threading

from dashboard_browser import CHROMIUM, log_in

# What the page opens, for a look at its state.
RECORD_SOURCES = """
window.sources = [];
window.EventSource = class extends EventSource {
  constructor(address) { super(address); window.sources.push(this); }
};
"""
SHOW = """(hidden) => {
  Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""
# Functions alone may be waited for: the policy of the pages forbids what is evaluated again and again.
LIVE = "() => document.getElementById('live').textContent === 'live'"
STATUS = "text => document.getElementById('live').textContent.startsWith(text)"


class Relay:
    """Passes connections on to a port, until it is cut."""

    def __init__(self, target):
        self.target, self.is_open, self.sockets = target, True, set()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.server.accept()
            if not self.is_open:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target))
            self.sockets |= {near, far}
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=ends, daemon=True).start()

    def pump(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            self.sockets.discard(end)
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.is_open = False
        for end in list(self.sockets):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def mend(self):
        self.is_open = True


def open_stream(port, cookie):
    """A stream of events of a session: its connection and answer; nothing where it is refused."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=900)
    connection.request("GET", "/events", headers={"Cookie": cookie})
    answer = connection.getresponse()
    if answer.status == 200:
        return connection, answer
    connection.close()
    return None


def read_to_end(answer):
    """Whether the server has ended a stream."""
    try:
        while answer.read1(4096):
            pass
        return True
    except (TimeoutError, OSError, http.client.HTTPException):
        return False


def through_a_broken_connection(page, relay, segmentd, configuration):
    """What the page showed while it was apart, and after it."""
    page.evaluate("window.sameDocument = true")
    relay.cut()
    page.wait_for_function(STATUS, arg="not live; trying again")
    subprocess.run([segmentd, "pause", "--config", configuration, "--reason", "new disk"], check=True,
                   capture_output=True)
    relay.mend()
    page.wait_for_function(LIVE)
    page.wait_for_selector("main .banner")
    banner = page.inner_text("main .banner")
    subprocess.run([segmentd, "resume", "--config", configuration], check=True, capture_output=True)
    page.wait_for_selector("main .banner", state="detached")
    return banner, page.evaluate("window.sameDocument === true")


def with_too_many_pages(page, relay, port, cookie):
    """How many streams one session has, and whether a page that was refused is live again once others are closed."""
    refused = []
    page.on("response", lambda answer: answer.url.endswith("/events") and answer.status == 503 and refused.append(1))
    streams = []
    while stream := open_stream(port, cookie):
        streams.append(stream)
    most = len(streams) + 1
    relay.cut()
    page.wait_for_function(STATUS, arg="not live")
    # The server notices that the page's own has gone, and gives its place to another one.
    while len(streams) < most:
        if stream := open_stream(port, cookie):
            streams.append(stream)
        else:
            page.wait_for_timeout(200)
    relay.mend()
    while not refused:
        page.wait_for_timeout(200)
    for connection, _ in streams:
        connection.close()
    page.wait_for_function(LIVE)
    return most, len(refused)


def hidden(page):
    """Whether the stream is closed while nobody sees the page, and another one is opened after it."""
    page.evaluate(SHOW, True)
    closed = page.evaluate("sources.every((source) => source.readyState === EventSource.CLOSED)")
    before = page.evaluate("sources.length")
    page.evaluate(SHOW, False)
    page.wait_for_function("() => sources.at(-1).readyState === EventSource.OPEN")
    return closed and page.evaluate("sources.length") == before + 1


def planes_that_are_refused(context, url):
    """What the viewer says of planes that are refused, and what is left of it once they are not."""
    page = context.new_page()
    left = [5]

    def answer(route):
        if left[0] > 0:
            left[0] -= 1
            return route.fulfill(status=429, body="too many planes are asked for: try again")
        return route.continue_()

    page.route("**/slices/**", answer)
    page.goto(url + "/jobs/1/viewer")
    page.wait_for_function("() => document.getElementById('fault').textContent !== ''")
    said = page.inner_text("#fault")
    page.wait_for_function(
        "() => document.querySelectorAll('.plane canvas[data-index]').length === 3"
        " && document.getElementById('fault').textContent === ''")
    page.close()
    return said


def main(port, password, segmentd, configuration):
    from playwright.sync_api import sync_playwright

    port = int(port)
    relay = Relay(port)
    url = f"http://127.0.0.1:{relay.port}"
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context()
        context.set_default_timeout(600_000)
        context.add_init_script(RECORD_SOURCES)
        page = context.new_page()
        log_in(page, url, "olga", password)
        page.wait_for_function(LIVE)
        found["banner"], found["sameDocument"] = through_a_broken_connection(page, relay, segmentd, configuration)
        cookie = "; ".join(f"{one['name']}={one['value']}" for one in context.cookies())
        found["streams"], found["refused"] = with_too_many_pages(page, relay, port, cookie)
        found["hidden"] = hidden(page)
        found["fault"] = planes_that_are_refused(context, url)
        _, stream = open_stream(port, cookie)
        other = context.new_page()
        other.goto(url + "/queue")
        other.click("text=Log out")
        page.wait_for_function(STATUS, arg="not live: the session is over")
        found["login"] = page.get_attribute("#live a", "href")
        found["ended"] = read_to_end(stream)
        found["sameAtTheEnd"] = page.evaluate("window.sameDocument === true")
        browser.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
