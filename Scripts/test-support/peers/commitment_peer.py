"""Asks for storage commitment with pynetdicom and prints what is reported as JSON.

usage: commitment_peer.py PORT CALLED AE AEPORT HOW CLASS:INSTANCE...

HOW says what becomes of the association after the N-ACTION:
  stay     it stays open until the report came
  release  it is released at once, and the report expected at AEPORT
  abort    it is aborted at once
  deaf     as release, and nobody listens at AEPORT for the first ten seconds
  refuse   as release, and the first report is answered with 0x0110
"""

import json
import sys
import threading
import time

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel as PUSH
from pynetdicom.sop_class import StorageCommitmentPushModelInstance as INSTANCE


def action_information(references):
    request = Dataset()
    request.TransactionUID = generate_uid()
    request.ReferencedSOPSequence = []
    for reference in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference.split(":")
        request.ReferencedSOPSequence.append(item)
    return request


def ask(port, called, title, own_port, how, *references):
    reported, answers, refusals = threading.Event(), [], [how == "refuse"]

    def take(event):
        if refusals and refusals.pop():
            return 0x0110, None
        information = event.event_information
        answers.append({
            "eventType": event.event_type,
            "transaction": str(information.TransactionUID),
            "held": [str(i.ReferencedSOPInstanceUID)
                     for i in information.get("ReferencedSOPSequence", [])],
            "failed": {str(i.ReferencedSOPInstanceUID): i.FailureReason
                       for i in information.get("FailedSOPSequence", [])},
            "over": "same" if event.assoc is association else "new",
        })
        reported.set()
        return 0x0000, None

    handlers = [(evt.EVT_N_EVENT_REPORT, take)]
    server = AE(ae_title=title)
    server.add_supported_context(PUSH, scu_role=True, scp_role=True)
    if how != "deaf":
        server.start_server(("127.0.0.1", int(own_port)), block=False, evt_handlers=handlers)
    ae = AE(ae_title=title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 900
    ae.add_requested_context(PUSH)
    association = ae.associate("127.0.0.1", int(port), ae_title=called, evt_handlers=handlers)
    if not association.is_established:
        sys.exit("no association")
    request = action_information(references)
    status, _ = association.send_n_action(request, 1, PUSH, INSTANCE)
    if how == "stay":
        reported.wait(900)
        # The answer to the report is sent after the handler returned, by another thread.
        time.sleep(1)
        association.release()
    elif how == "abort":
        association.abort()
    else:
        association.release()
    if how == "deaf":
        time.sleep(10)
        server.start_server(("127.0.0.1", int(own_port)), block=False, evt_handlers=handlers)
    reported.wait(120 if status.Status == 0 else 1)
    # A second report would be a fault.
    time.sleep(2)
    print(json.dumps({"status": status.Status, "asked": str(request.TransactionUID),
                      "reports": answers}))
    sys.stdout.flush()
    server.shutdown()


if __name__ == "__main__":
    ask(*sys.argv[1:])
