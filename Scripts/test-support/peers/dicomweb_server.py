"""A DICOMweb server that does not do what it should, for the tests of the client.

usage: dicomweb_server.py PORT FILE

What it answers to a WADO-RS request for an instance depends on the name of the study in the URL:
  1.1  the object of FILE             1.6  two objects
  1.2  an object without end          1.7  status 503
  1.3  a page of HTML                 1.8  a redirection to /elsewhere, which gives the object
  1.4  no boundary                    1.9  an endless object
  1.5  a part of another type         1.10 nothing for ever
  1.11 the object only to Basic user:password, else 401
  1.12 the object, and keeps the connection, which it closes without an answer when it is used again
QIDO-RS:
  1.1  one series whose count is text 1.2  no JSON     1.3  an endless list
  1.4  the same 2 series whatever the offset           1.5  a match without UID
"""

import base64
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    object = b""
    # Whether this connection was used.
    was_used = False

    def log_message(self, *arguments):
        pass

    def answer(self, status, kind, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def part(self, body, kind="application/dicom", end=b"\r\n--b--\r\n"):
        return f"--b\r\nContent-Type: {kind}\r\n\r\n".encode() + body + end

    def do_GET(self):
        path = self.path.split("?")[0].split("/")
        if path[-1] == "elsewhere":
            return self.answer(200, "application/dicom", self.object)
        study = path[path.index("studies") + 1]
        try:
            if "instances" in path and path[-1] != "instances":
                self.wado(study)
            else:
                self.qido(study)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def wado(self, study):
        related = 'multipart/related; type="application/dicom"; boundary="b"'
        if study == "1.11":
            expected = "Basic " + base64.b64encode(b"user:password").decode()
            if self.headers.get("Authorization") != expected:
                return self.answer(401, "text/plain")
            study = "1.1"
        match study:
            case "1.1": self.answer(200, related, self.part(self.object))
            case "1.2": self.answer(200, related, self.part(self.object, end=b""))
            case "1.3": self.answer(200, "text/html", b"<html></html>")
            case "1.4": self.answer(200, "multipart/related", self.part(self.object))
            case "1.5": self.answer(200, related, self.part(b"{}", "application/json"))
            case "1.6": self.answer(
                200, related, self.part(self.object, end=b"\r\n") + self.part(self.object))
            case "1.7": self.answer(503, "text/plain")
            case "1.8": self.answer(302, "text/plain", Location="/elsewhere")
            case "1.9":
                self.answer(200, related, self.part(self.object, end=b""))
                while True:
                    self.wfile.write(bytes(65536))
            case "1.10": time.sleep(3600)
            case "1.12": self.kept(related, self.part(self.object))
            case _: self.answer(404, "text/plain")

    def kept(self, kind, body):
        if self.was_used:
            self.close_connection = True
            return
        self.was_used = True
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def qido(self, study):
        def series(number, **more):
            return {"0020000E": {"vr": "UI", "Value": [f"{study}.{number}"]},
                    "00080060": {"vr": "CS", "Value": ["CT"]}, **more}

        count = {"00201209": {"vr": "IS", "Value": ["5"]}}
        match study:
            case "1.1": body = json.dumps([series(1, **count)]).encode()
            case "1.2": body = b"<html></html>"
            case "1.4": body = json.dumps([series(1), series(2)]).encode()
            case "1.5": body = json.dumps([{"00080060": {"vr": "CS", "Value": ["CT"]}}]).encode()
            case "1.3":
                self.answer(200, "application/dicom+json", b"[")
                while True:
                    self.wfile.write(json.dumps(series(1)).encode() * 500 + b",")
            case _: return self.answer(204, "text/plain")
        self.answer(200, "application/dicom+json", body)


if __name__ == "__main__":
    Handler.object = open(sys.argv[2], "rb").read()
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
