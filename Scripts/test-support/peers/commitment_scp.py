"""An archive by pynetdicom that takes objects and commits itself to keep them, or does not.

usage: commitment_scp.py PORT AE WAY OPTION...

WAY says how it reports (PS3.4 J.3.3):
  same        over the association of the request
  new         over one of its own, to the AE SEGMENTD
  never       not at all
OPTIONs:
  to=PORT     where SEGMENTD listens, for "new"
  mute=N      says nothing about the first N requests
  fail=REASON[xN]  in its first N reports (1) the last object fails with this reason (hexadecimal)
  refuse=STATUS    answers every N-ACTION so (hexadecimal)
  twice       reports twice
  bogus       reports a transaction that nobody asked for first
  no-storage-commitment  takes objects alone

Each thing that happens is one line of JSON on standard output: {"stored": UID},
{"asked": [UID], "transaction": UID}, {"reported": STATUS}.
"""

import json
import sys
import threading
import time

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel as PUSH
from pynetdicom.sop_class import StorageCommitmentPushModelInstance as INSTANCE
from pynetdicom.sop_class import Verification

lock = threading.Lock()


def tell(**what):
    with lock:
        print(json.dumps(what), flush=True)


class Archive:
    def __init__(self, port, title, way, options):
        self.title, self.way = title, way
        values = dict(o.split("=", 1) for o in options if "=" in o)
        self.flags = {o for o in options if "=" not in o}
        self.destination = int(values.get("to", "104"))
        self.mute = int(values.get("mute", "0"))
        self.refusal = int(values["refuse"], 16) if "refuse" in values else 0
        self.failures, self.reason = 0, 0
        if "fail" in values:
            reason, _, count = values["fail"].partition("x")
            self.reason, self.failures = int(reason, 16), int(count or "1")
        ae = AE(ae_title=title)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 900
        ae.supported_contexts = AllStoragePresentationContexts
        ae.add_supported_context(Verification)
        if "no-storage-commitment" not in self.flags:
            ae.add_supported_context(PUSH)
        handlers = [(evt.EVT_C_STORE, self.store), (evt.EVT_N_ACTION, self.ask)]
        ae.start_server(("127.0.0.1", int(port)), evt_handlers=handlers)

    def store(self, event):
        tell(stored=str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def ask(self, event):
        information = event.action_information
        uids = [str(i.ReferencedSOPInstanceUID) for i in information.ReferencedSOPSequence]
        tell(asked=uids, transaction=str(information.TransactionUID))
        if self.refusal:
            return self.refusal, None
        if self.way != "never" and self.mute <= 0:
            threading.Thread(target=self.report, args=(event.assoc, information)).start()
        self.mute -= 1
        return 0x0000, None

    def report(self, association, asked):
        time.sleep(0.3)  # the answer to the request goes first
        report, kept = Dataset(), list(asked.ReferencedSOPSequence)
        report.TransactionUID = asked.TransactionUID
        if self.failures > 0:
            self.failures -= 1
            failed = kept.pop()
            failed.FailureReason = self.reason
            report.FailedSOPSequence = [failed]
        if kept:
            report.ReferencedSOPSequence = kept
        if self.way == "new":
            ae = AE(ae_title=self.title)
            ae.add_requested_context(PUSH)
            role = build_role(PUSH, scu_role=False, scp_role=True)
            association = ae.associate(
                "127.0.0.1", self.destination, ae_title="SEGMENTD", ext_neg=[role])
        if not association.is_established:
            tell(reported=-1)
            return
        if "bogus" in self.flags:
            bogus = Dataset()
            bogus.TransactionUID, bogus.ReferencedSOPSequence = generate_uid(), kept
            self.send(association, bogus)
        for _ in range(2 if "twice" in self.flags else 1):
            self.send(association, report)
        if self.way == "new":
            association.release()

    def send(self, association, report):
        kind = 2 if "FailedSOPSequence" in report else 1
        status, _ = association.send_n_event_report(report, kind, PUSH, INSTANCE)
        tell(reported=status.get("Status", -1))


if __name__ == "__main__":
    Archive(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
