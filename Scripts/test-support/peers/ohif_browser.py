"""Opens segmentations in a real OHIF viewer (headless Chromium), and compares the label maps that it holds with
what they should be, voxel by voxel.

Usage: ohif_browser.py VIEWER_FOLDER ARCHIVE_URL STUDY_UID SCREENSHOT EXPECTED.json...

The viewer and the archive's DICOMweb (ARCHIVE_URL/dicom-web/) are served under one origin, as a site's web
server does. All objects are of one study, so that the viewer starts once. EXPECTED.json is as of
read_segmentation.py, with the object's UID as sopInstanceUID. Prints a line of JSON: by name of EXPECTED.json's
folder the voxels and those that are wrong, and all errors of the page. SCREENSHOT shows the last of them.
"""

import http.server
import json
import mimetypes
import pathlib
import sys
import threading
import urllib.error
import urllib.request

import numpy

CHROMIUM = "/usr/bin/chromium"
# WebGL without a graphics card; nothing but this server is asked.
OPTIONS = [
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
CONFIGURATION = """window.config = {
  routerBasename: '/ohif/', showStudyList: true, extensions: [], modes: [], useSharedArrayBuffer: 'FALSE',
  investigationalUseDialog: {option: 'never'}, showCPUFallbackMessage: false, defaultDataSourceName: 'dicomweb',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'dicomweb',
    configuration: {
      friendlyName: 'archive', name: 'archive', wadoUriRoot: '/dicom-web', qidoRoot: '/dicom-web',
      wadoRoot: '/dicom-web', qidoSupportsIncludeField: true, imageRendering: 'wadors',
      thumbnailRendering: 'wadors', enableStudyLazyLoad: true, bulkDataURI: {enabled: true},
    },
  }],
};
"""

DISPLAY_SET = """uid => {
  const found = window.services?.displaySetService?.getActiveDisplaySets() ?? [];
  return found.find((one) => one.Modality === 'SEG' && one.SOPInstanceUID === uid)?.displaySetInstanceUID ?? null;
}"""
# The label map that Cornerstone draws, image by image, with the address of the image below.
LABELS = """id => {
  const segmentation = cornerstoneTools.segmentation.state.getSegmentation(id);
  const images = segmentation?.representationData?.Labelmap?.imageIds ?? [];
  const seen = [];
  for (const imageId of images) {
    const image = cornerstone.cache.getImage(imageId);
    if (!image) return null;
    const values = image.voxelManager.getScalarData();
    seen.push({below: image.referencedImageId, values: Array.from(values)});
  }
  return seen.length ? seen : null;
}"""


def served(viewer, archive):
    """A server of the viewer's files and of what the archive answers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            pass

        def answer(self, status, kind, body):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            if self.path.startswith("/dicom-web/"):
                return self.pass_on()
            name = self.path.split("?")[0].removeprefix("/ohif/")
            if name == "app-config.js":
                return self.answer(200, "text/javascript", CONFIGURATION.encode())
            file = (viewer / name).resolve()
            if not file.is_relative_to(viewer) or not file.is_file():
                # The viewer's own routes.
                file = viewer / "index.html"
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            self.answer(200, kind, file.read_bytes())

        def pass_on(self):
            headers = {name: self.headers[name] for name in ("Accept", "Host") if self.headers[name]}
            request = urllib.request.Request(archive + self.path, headers=headers)
            try:
                with urllib.request.urlopen(request) as reply:
                    self.answer(reply.status, reply.headers["Content-Type"], reply.read())
            except urllib.error.HTTPError as error:
                self.answer(error.code, "text/plain", error.read())

    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def numbers_seen(seen, expected):
    """Segment numbers by slice, row and column, and how many voxels have one on images of no slice, as of another
    phase. Where an image has no label map there is nothing."""
    shape = expected["slices"], expected["rows"], expected["columns"]
    numbers = numpy.zeros(shape, int)
    slices = {tuple(image): index for index, image in enumerate(expected["images"])}
    elsewhere = 0
    for image in seen:
        parts = image["below"].split("/")
        uid = parts[parts.index("instances") + 1]
        frame = int(parts[parts.index("frames") + 1])
        place = slices.get((uid, frame), slices.get((uid, 0)))
        values = numpy.array(image["values"])
        if place is None:
            elsewhere += int((values > 0).sum())
        else:
            numbers[place] = values.reshape(shape[1:])
    return numbers, elsewhere


def main(viewer, archive, study, screenshot, *paths):
    from playwright.sync_api import sync_playwright

    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "readers"))
    from read_segmentation import read_expected, wanted_numbers

    server = served(pathlib.Path(viewer).resolve(), archive)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found = {"sources": {}, "errors": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(600_000)
        page.on("pageerror", lambda error: found["errors"].append(str(error)))
        page.goto(f"http://127.0.0.1:{server.server_port}/ohif/viewer?StudyInstanceUIDs={study}")
        for path in map(pathlib.Path, paths):
            expected = read_expected(path)
            handle = page.wait_for_function(DISPLAY_SET, arg=expected["sopInstanceUID"])
            identifier = handle.json_value()
            page.locator(f"[id='thumbnail-{identifier}']").first.dblclick()
            seen = page.wait_for_function(LABELS, arg=identifier).json_value()
            wanted = wanted_numbers(expected)
            numbers, elsewhere = numbers_seen(seen, expected)
            wrong = int((numbers != wanted).sum()) + elsewhere
            # Its own list of segments, with their names.
            segments = page.evaluate(
                "id => Object.values(cornerstoneTools.segmentation.state.getSegmentation(id).segments)"
                ".map((one) => one.label)", identifier)
            found["sources"][path.parent.name] = {
                "voxels": wanted.size, "labelled": int((wanted > 0).sum()), "wrong": wrong,
                "segments": segments}
        page.screenshot(path=screenshot)
        browser.close()
    server.shutdown()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
