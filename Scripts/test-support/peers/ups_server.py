"""A worklist server with UPS-RS (PS3.18 11) that prints what happens to its workitems as lines of JSON.

ups_server.py PORT WORKITEMS [CERTIFICATE KEY]

WORKITEMS is a file with a list of workitems in the DICOM JSON model, each with its UID as SOP Instance UID. A
workitem of which 00741204 (Procedure Step Label) is "taken" is IN PROGRESS for somebody else; of one with the label
"lossy" the first answer to each change is lost, after the change was made. One with the label "withdrawn" is
CANCELED by its requester after the first word of its progress. Those who have subscribed to one with the label
"recalled" are asked to cancel it, once they follow its events and it is IN PROGRESS; those of another label
nobody can subscribe to. The events come by TLS where there is a certificate.
"""

import http.server
import json
import re
import ssl
import sys
import threading
import urllib.parse

from pydicom import Dataset


def tell(**event):
    print(json.dumps(event), flush=True)


class Item:
    def __init__(self, dataset):
        self.dataset = dataset
        self.label = dataset.get("ProcedureStepLabel", "")
        self.transaction = "1.2.3" if self.label == "taken" else None
        self.lost = set()
        dataset.ProcedureStepState = "SCHEDULED"

    @property
    def state(self):
        return self.dataset.ProcedureStepState

    def change_state(self, change):
        transaction, state = change.get("TransactionUID"), change.ProcedureStepState
        if not transaction:
            return 400
        if state == "IN PROGRESS":
            if self.transaction is not None or self.state != "SCHEDULED":
                return 409
            self.transaction = transaction
        elif self.state != "IN PROGRESS" or transaction != self.transaction:
            return 409
        # What PS3.4 CC.2.5.1.1 demands of a final state.
        elif state == "COMPLETED":
            performed = self.dataset.get("UnifiedProcedureStepPerformedProcedureSequence", [])
            if not performed or not all(
                    tag in performed[0] for tag in (
                        "PerformedStationNameCodeSequence", "PerformedProcedureStepStartDateTime",
                        "PerformedProcedureStepEndDateTime", "PerformedWorkitemCodeSequence",
                        "OutputInformationSequence")):
                return 409
        elif state == "CANCELED":
            progress = self.dataset.get("ProcedureStepProgressInformationSequence", [])
            if not progress or "ProcedureStepDiscontinuationReasonCodeSequence" not in progress[0]:
                return 409
        self.dataset.ProcedureStepState = state
        tell(uid=self.dataset.SOPInstanceUID, state=state)
        return 200

    def update(self, change, transaction):
        if self.state != "IN PROGRESS" or transaction != self.transaction:
            return 409
        self.dataset.update(change)
        event = {"uid": self.dataset.SOPInstanceUID}
        for progress in change.get("ProcedureStepProgressInformationSequence", []):
            event["percent"] = int(progress.get("ProcedureStepProgress", 0))
            if "ReasonForCancellation" in progress:
                event["reason"] = progress.ReasonForCancellation
        outputs = [
            reference.ReferencedSOPInstanceUID
            for performed in change.get("UnifiedProcedureStepPerformedProcedureSequence", [])
            for output in performed.get("OutputInformationSequence", [])
            for reference in output.ReferencedSOPSequence]
        tell(**event, outputs=outputs)
        if self.label == "withdrawn":
            self.dataset.ProcedureStepState = "CANCELED"
        return 200


class Events:
    """Reports to subscribers over WebSockets (PS3.18 8.10)."""

    def __init__(self):
        from websockets.sync.server import serve

        self.subscribers = {}
        context = None
        if len(sys.argv) > 3:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*sys.argv[3:])
        self.scheme = "wss" if context else "ws"
        self.server = serve(self.follow, "127.0.0.1", 0, ssl=context)
        self.port = self.server.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def subscribe(self, uid, title):
        item = items.get(uid)
        if item is None or item.label != "recalled":
            return None
        self.subscribers.setdefault(title, set()).add(uid)
        tell(uid=uid, subscriber=title)
        return f"{self.scheme}://127.0.0.1:{self.port}/subscribers/{title}"

    def follow(self, connection):
        title = connection.request.path.removeprefix("/subscribers/")
        # A report that is not about a workitem of the performer, and one of another kind.
        for uid, kind in [("9.9", 2), *((uid, 1) for uid in self.subscribers.get(title, ()))]:
            connection.send(json.dumps(self.report(uid, kind)))
        asked = set()
        while True:
            for uid in self.subscribers.get(title, set()) - asked:
                if items[uid].state == "IN PROGRESS":
                    asked.add(uid)
                    connection.send(json.dumps(self.report(uid, 2)))
            try:
                connection.recv(timeout=0.1)
            except TimeoutError:
                pass

    def report(self, uid, kind):
        return {
            "00000002": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.34.6.4"]},
            "00001000": {"vr": "UI", "Value": [uid]},
            "00001002": {"vr": "US", "Value": [kind]},
            "00741238": {"vr": "LT", "Value": ["Mrs ZZNAME has left"]},
        }


class Worklist(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        if url.path == "/workitems":
            query = urllib.parse.parse_qs(url.query)
            offset = int(query.get("offset", ["0"])[0])
            states = query.get("ProcedureStepState", ["SCHEDULED"])
            found = [item.dataset for item in items.values() if item.state in states]
            return self.answer(200, found[offset:])
        item = items.get(url.path.removeprefix("/workitems/"))
        self.answer(200, [item.dataset]) if item else self.answer(404)

    def do_PUT(self):
        self.change(re.fullmatch(r"/workitems/([0-9.]+)/state", self.path), Item.change_state)

    def do_POST(self):
        subscription = re.fullmatch(r"/workitems/([0-9.]+)/subscribers/(\w+)", self.path)
        if subscription:
            place = events and events.subscribe(*subscription.groups())
            return self.answer(201, place=place) if place else self.answer(404)
        match = re.fullmatch(r"/workitems/([0-9.]+)\?transaction-uid=([0-9.]+)", self.path)
        self.change(match, lambda item, change: item.update(change, match[2]))

    def change(self, match, how):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        item = items.get(match[1]) if match else None
        if item is None:
            return self.answer(404)
        if self.headers["Content-Type"] != "application/dicom+json":
            return self.answer(415)
        dataset = Dataset.from_json(body[0] if isinstance(body, list) else body)
        status = how(item, dataset)
        key = (self.command, dataset.get("ProcedureStepState", ""))
        if item.label == "lossy" and key not in item.lost:
            item.lost.add(key)
            self.close_connection = True
            return
        self.answer(status)

    def answer(self, status, datasets=None, place=None):
        body = b"" if datasets is None else json.dumps(
            [dataset.to_json_dict() for dataset in datasets]).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(body)))
        if place:
            self.send_header("Content-Location", place)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


with open(sys.argv[2]) as file:
    items = {item["00080018"]["Value"][0]: Item(Dataset.from_json(item)) for item in json.load(file)}
events = Events() if any(item.label == "recalled" for item in items.values()) else None
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Worklist).serve_forever()
