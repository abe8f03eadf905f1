"""A STOW-RS server that does what it should, or does not, for the tests of the client.

usage: stow_server.py PORT [CERTIFICATE KEY [CLIENT_AUTHORITY]]

What it answers to POST /HOW/studies:
  store        200; the object is listed by QIDO-RS under the same HOW
  forget       200; it is not listed
  late-N       200; it is listed from the Nth question on
  blind-NNN    200; every query gets that status, without a body
  shy          200; a query for a series gets 404 as long as it is asked for the first time
  status-NNN   that status, without a body
  retry-NNN    503 with Retry-After: NNN
  fail-XXXX    409 with that Failure Reason, and then 200 to an object that failed before
  some-XXXX    200 with the object in Failed SOP Sequence
  warn         202 with the object in Referenced SOP Sequence and a Warning Reason
  silent       202 without a body
  garbage      200 with a page of HTML
  token        200 to the bearer token "good", else 401
  password     200 to the user "user" with the password "password", else 401
  redirect     307 to /store of another host name
  hang         nothing for ever
Each request is one line of JSON on standard output.
"""

import base64
import io
import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydicom import dcmread

lock = threading.Lock()
stored = {}
asked = {}


def reference(instance, **more):
    item = {"00081150": {"vr": "UI", "Value": [str(instance.SOPClassUID)]},
            "00081155": {"vr": "UI", "Value": [str(instance.SOPInstanceUID)]}}
    for tag, value in more.items():
        item[tag] = {"vr": "US", "Value": [value]}
    return item


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=None, kind="application/dicom+json", **headers):
        text = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        if text:
            self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = b""
            while size := int(self.rfile.readline(), 16):
                parts += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return parts
        return self.rfile.read(int(self.headers["Content-Length"]))

    def instance(self):
        kind = self.headers["Content-Type"]
        boundary = kind.split("boundary=")[1].strip('"')
        assert 'type="application/dicom"' in kind, kind
        part = self.body().split(f"--{boundary}".encode())[1]
        head, content = part.split(b"\r\n\r\n", 1)
        assert b"application/dicom" in head
        return dcmread(io.BytesIO(content.removesuffix(b"\r\n")))

    def do_POST(self):
        how = self.path.split("/")[1]
        if how == "hang":
            return time.sleep(3600)
        instance = self.instance()
        uid = str(instance.SOPInstanceUID)
        with lock:
            known = uid in stored.setdefault(how, [])
            print(json.dumps({"path": self.path, "instance": uid,
                              "authorization": self.headers.get("Authorization", "")}), flush=True)
        name, _, value = how.partition("-")
        done = {"00081199": {"vr": "SQ", "Value": [reference(instance)]}}
        basic = "Basic " + base64.b64encode(b"user:password").decode()
        match name:
            case "status": return self.answer(int(value))
            case "retry": return self.answer(503, Retry_After=value)
            case "silent": return self.answer(202)
            case "garbage": return self.answer(200, b"<html></html>", "text/html")
            case "redirect": return self.answer(
                307, Location=f"http://localhost:{self.server.server_port}/store/studies")
            case "token" if self.headers.get("Authorization") != "Bearer good":
                return self.answer(401)
            case "password" if self.headers.get("Authorization") != basic:
                return self.answer(401)
            case "fail" | "some" if not known:
                with lock:
                    stored[how].append(uid)
                failed = reference(instance, **{"00081197": int(value, 16)})
                return self.answer(
                    409 if name == "fail" else 200, {"00081198": {"vr": "SQ", "Value": [failed]}})
            case "warn":
                warned = reference(instance, **{"00081196": 0xB000})
                return self.answer(202, {"00081199": {"vr": "SQ", "Value": [warned]}})
        if name != "forget":
            with lock:
                stored[how].append(uid)
        self.answer(200, done)

    def do_GET(self):
        how = self.path.split("/")[1]
        with lock:
            asked[how] = asked.get(how, 0) + 1
            print(json.dumps({"path": self.path}), flush=True)
            uids = list(stored.get(how, []))
            first = asked[how] == 1
            if how.startswith("late-") and asked[how] < int(how.split("-")[1]):
                uids = []
        if how.startswith("blind-"):
            return self.answer(int(how.split("-")[1]))
        if how == "shy" and first:
            return self.answer(404)
        if "offset=0" not in self.path:
            uids = []
        matches = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in uids]
        self.answer(200 if matches else 204, matches or None)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        if len(sys.argv) > 4:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(sys.argv[4])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
