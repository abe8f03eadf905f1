"""Looks at the dashboard in a real browser (headless Chromium), and asks for what should be refused.

Usage:
  dashboard_browser.py watch URL PASSWORD DICOM_PORT SERIES_FOLDER RESULTS_FOLDER SCREENSHOTS
  dashboard_browser.py hostile HOST:PORT PASSWORD

Both print a line of JSON. "watch" logs in as operator "olga", sends the series while the page of today is open,
and follows it; then looks at everything as viewer "vera". The last pictures are left in the folder SCREENSHOTS.
"hostile" sends one request of each kind and prints the status of each answer; 0 where the connection was closed.
"""

import http.client
import json
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.parse

CHROMIUM = "/usr/bin/chromium"
PAGES = ["", "studies", "queue", "held", "held/reasons", "refused", "destinations", "models", "rules", "system"]

# The pixels of the plane on the page: how the canvas differs from the gray slice, and what the server says.
CANVAS = """async () => {
  document.getElementById("opacity").value = 100;
  document.getElementById("opacity").dispatchEvent(new Event("input"));
  const canvas = document.querySelector(".plane canvas");
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const volume = await (await fetch(document.getElementById("viewer").dataset.volume)).json();
  const colors = new Map(volume.segments.map((one) => [one.color.join(), one.number]));
  const numbers = [];
  for (let at = 0; at < data.length; at += 4) {
    numbers.push(colors.get([data[at], data[at + 1], data[at + 2]].join()) ?? 0);
  }
  return {index: Number(canvas.dataset.index), columns: canvas.width, rows: canvas.height, numbers};
}"""

# What is written before each number of a table that has heads of columns.
LABELS = """() => [...document.querySelectorAll("table:not(.narrow) td.number")]
  .map((cell) => getComputedStyle(cell, "::before").content)"""


def accessibility_faults(page):
    """Rules of axe-core of serious or critical impact that the page breaks, with the elements."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{page.url}: {one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def log_in(page, url, user, password):
    page.goto(url + "/login")
    page.fill("input[name=user]", user)
    page.fill("input[name=password]", password)
    page.click("button")
    page.wait_for_url(url + "/")


def segment_numbers(results, seen):
    """The segment of each pixel of the slice that the browser showed, as pydicom reads the object."""
    import numpy
    import pydicom

    path = next(pathlib.Path(results).glob("*/segmentation*.dcm"))
    dataset = pydicom.dcmread(path)
    frames = numpy.atleast_3d(dataset.pixel_array).reshape(-1, dataset.Rows, dataset.Columns)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    places = {}
    for number, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        z = round(float(groups.PlanePositionSequence[0].ImagePositionPatient[2]), 3)
        segment = int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        places.setdefault(z, []).append((segment, frames[number]))
    step = float(shared.PixelMeasuresSequence[0].SpacingBetweenSlices)
    # Slices without a segment have no frame: the first source image says where the stack begins.
    start = seen["first"]
    plane = numpy.zeros((dataset.Rows, dataset.Columns), int)
    for segment, frame in places.get(round(start + seen["index"] * step, 3), []):
        plane[frame > 0] = segment
    return plane.reshape(-1).tolist()


def first_slice(folder):
    import pydicom

    return min(
        float(pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient[2])
        for path in pathlib.Path(folder).iterdir()
    )


def follow(page, url, port, series):
    """Sends the series while the page is open and processing is paused, resumes it in another tab, and says what
    the row showed without a reload."""
    page.evaluate("window.sameDocument = true")
    states, resumed = [], False
    files = sorted(str(path) for path in pathlib.Path(series).iterdir())
    subprocess.run(["storescu", "-aec", "SEGMENTD", "127.0.0.1", port, *files], check=True)
    until = time.monotonic() + 600
    while time.monotonic() < until:
        state = page.evaluate("document.querySelector('tbody .state')?.textContent ?? ''")
        if state and (not states or states[-1] != state):
            states.append(state)
        if state == "waiting" and not resumed:
            resumed = True
            tab = page.context.new_page()
            tab.goto(url + "/queue")
            tab.click("text=Resume processing")
            tab.wait_for_load_state("load")
            tab.close()
        if state in ("done", "held"):
            break
        page.wait_for_timeout(50)
    return states, page.evaluate("window.sameDocument === true")


def watch(url, password, port, series, results, screenshots):
    from playwright.sync_api import sync_playwright

    found = {"console": [], "dialogs": 0, "axe": [], "titles": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        def new_page(**options):
            context = browser.new_context(**options)
            # The machine may be busy with other tests.
            context.set_default_timeout(600_000)
            page = context.new_page()
            page.on("console", lambda message: message.type == "error" and found["console"].append(message.text))
            page.on("pageerror", lambda error: found["console"].append(str(error)))

            def dismiss(dialog):
                found["dialogs"] += 1
                dialog.dismiss()

            page.on("dialog", dismiss)
            return page

        page = new_page(viewport={"width": 1280, "height": 900})
        log_in(page, url, "olga", password)
        found["states"], found["sameDocument"] = follow(page, url, port, series)
        page.screenshot(path=screenshots + "/today.png")
        page.click("tbody a")
        page.wait_for_load_state("load")
        found["patient"] = page.inner_text(".facts dd >> nth=0")
        # The page before was loaded, too: what the click led to may still be on its way.
        page.wait_for_function(
            "() => document.readyState == 'complete' && document.querySelector('figure img')?.naturalWidth")
        found["picture"] = page.evaluate("document.querySelector('figure img').naturalWidth")
        found["story"] = page.locator(".story li").count()
        page.screenshot(path=screenshots + "/study.png", full_page=True)
        study = page.url

        # The outbox: its destination does not answer. A retry is told on the page.
        page.click("text=Retry")
        page.wait_for_load_state("load")
        found["notice"] = page.inner_text(".notice")

        page.click("text=Look at the slices")
        page.wait_for_selector("#viewer[data-ready]")
        seen = page.evaluate(CANVAS)
        seen["first"] = first_slice(series)
        expected = segment_numbers(results, seen)
        found["overlay"] = {
            "pixels": len(seen["numbers"]), "labelled": sum(number > 0 for number in expected),
            "wrong": sum(a != b for a, b in zip(seen["numbers"], expected)) if len(expected) == len(seen["numbers"]) else -1,
        }
        before = page.evaluate("document.querySelector('.plane canvas').dataset.index")
        page.locator(".plane input").first.focus()
        page.keyboard.press("ArrowRight")
        moved = "before => document.querySelector('.plane canvas').dataset.index != before"
        page.wait_for_function(moved, arg=before)
        after = page.evaluate("document.querySelector('.plane canvas').dataset.index")
        page.locator(".plane canvas").first.hover()
        page.mouse.wheel(0, -100)
        page.wait_for_function(moved, arg=after)
        found["turned"] = page.evaluate("document.querySelector('.plane canvas').dataset.index") == before
        found["measured"] = page.locator("main table td").count() // 2
        page.screenshot(path=screenshots + "/viewer.png", full_page=True)
        found["axe"] += accessibility_faults(page)

        for name in PAGES:
            answer = page.goto(f"{url}/{name}", wait_until="load")
            if answer.status != 200:
                found["console"].append(f"{name}: {answer.status}")
            found["titles"].append(page.title())
            found["axe"] += accessibility_faults(page)
        page.goto(study)
        found["titles"].append(page.title())
        found["axe"] += accessibility_faults(page)
        page.goto(url + "/rules?uid=" + study.rsplit("/", 1)[1])
        found["trial"] = page.inner_text("pre")

        dark = new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
        log_in(dark, url, "vera", password)
        dark.screenshot(path=screenshots + "/phone-dark.png")
        found["wide"] = dark.evaluate("document.documentElement.scrollWidth")
        found["axe"] += accessibility_faults(dark)
        dark.goto(study)
        dark.screenshot(path=screenshots + "/phone-study.png", full_page=True)
        found["viewerButtons"] = dark.locator("main button").count()
        found["wide"] = max(found["wide"], dark.evaluate("document.documentElement.scrollWidth"))
        found["axe"] += accessibility_faults(dark)
        # On a narrow screen the heads of columns are out of sight: each number says itself what it is.
        found["named"] = found["unnamed"] = 0
        for name in ["", "destinations", "system", "rules"]:
            dark.goto(f"{url}/{name}")
            found["wide"] = max(found["wide"], dark.evaluate("document.documentElement.scrollWidth"))
            labels = dark.evaluate(LABELS)
            found["named"] += sum(label not in ("", "none") for label in labels)
            found["unnamed"] += sum(label in ("", "none") for label in labels)
        status = dark.evaluate(
            "async () => (await fetch('/jobs/1/cancel', {method: 'POST', headers: {'X-CSRF-Token': "
            "document.querySelector('input[name=csrf]').value}})).status"
        )
        found["viewerPost"] = status
        # That refusal is an error of the console, and wanted.
        found["console"] = [text for text in found["console"] if "403" not in text]
        browser.close()
    print(json.dumps(found))


def ask(address, method, path, body=None, headers=None, skip_host=False):
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=900)
    try:
        connection.putrequest(method, path, skip_host=skip_host)
        data = body.encode() if isinstance(body, str) else body
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if data is not None:
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Set-Cookie"), answer.read().decode(errors="replace")
    except (ConnectionError, http.client.HTTPException):
        return 0, None, ""
    finally:
        connection.close()


def log_in_plain(address, password, cookie=None):
    form = urllib.parse.urlencode({"user": "olga", "password": password})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if cookie:
        headers["Cookie"] = cookie
    status, new, _ = ask(address, "POST", "/login", form, headers)
    return status, (new or "").split(";")[0]


def slow_request(address):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=900) as connection:
        connection.sendall(b"GET /studies HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        data = b""
        while True:
            more = connection.recv(4096)
            if not more:
                break
            data += more
    return int(data.split()[1]) if data else 0


def hostile(address, password):
    _, cookie = log_in_plain(address, password)
    session = {"Cookie": cookie}
    form = {"Content-Type": "application/x-www-form-urlencoded", **session}
    _, _, page = ask(address, "GET", "/queue", headers=session)
    token = re.search(r'name="csrf" value="([0-9a-f]{64})"', page).group(1)
    found = {}
    found["noLogin"] = ask(address, "GET", "/api/v1/jobs")[0]
    found["traversal"] = ask(address, "GET", "/static/../../../../etc/passwd", headers=session)[0]
    found["encodedTraversal"] = ask(address, "GET", "/jobs/1/pictures/..%2f..%2fledger.sqlite", headers=session)[0]
    found["csrfMissing"] = ask(address, "POST", "/processing/pause", "reason=x", form)[0]
    found["csrfWrong"] = ask(address, "POST", "/processing/pause", "csrf=" + "0" * 64, form)[0]
    foreign = {**form, "Origin": "http://evil.example"}
    found["foreignOrigin"] = ask(address, "POST", "/processing/pause", "csrf=" + token, foreign)[0]
    found["wrongHost"] = ask(address, "GET", "/", headers={"Host": "evil.example", **session}, skip_host=True)[0]
    query = "/studies?uid=" + urllib.parse.quote("' OR 1=1 --\"><script>alert(1)</script>")
    status, _, text = ask(address, "GET", query, headers=session)
    found["injection"] = status if "<script>alert" not in text and "no study or series" in text else -1
    found["openRedirect"] = -1
    body = urllib.parse.urlencode({"csrf": token, "page": "//evil.example/"})
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port))
    connection.request("POST", "/jobs/1/hold", body, form)
    answer = connection.getresponse()
    if answer.getheader("Location") == "/":
        found["openRedirect"] = answer.status
    found["largeForm"] = ask(address, "POST", "/processing/pause", "x=" + "a" * 100_000, form)[0]
    found["longHeader"] = ask(address, "GET", "/", headers={"X-Long": "a" * 40_000})[0]
    found["slow"] = slow_request(address)
    fixed = cookie.split("=")[0] + "=" + "ab" * 32
    _, given = log_in_plain(address, password, fixed)
    found["fixation"] = -1 if given in ("", fixed, cookie) else ask(address, "GET", "/queue", headers={"Cookie": fixed})[0]
    ask(address, "POST", "/logout", "csrf=" + token, form)
    found["afterLogout"] = ask(address, "GET", "/queue", headers=session)[0]
    # The same wrong password counts once: whoever guesses shows others.
    statuses = [log_in_plain(address, f"wrong {number}")[0] for number in range(12)]
    found["guessing"] = statuses[-1]
    print(json.dumps(found))


if __name__ == "__main__":
    {"watch": watch, "hostile": hostile}[sys.argv[1]](*sys.argv[2:])
