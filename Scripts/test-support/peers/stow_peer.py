"""Senders of STOW-RS, well-behaved and odd. Each prints one line of JSON.

store URL OPTIONS FILE...    by dicomweb-client; OPTIONS are name=value: token, user (NAME:PASSWORD), ca,
                             certificate, key, study
raw PORT HOW FILE...         by a socket, of the last file only the first half:
  close                        then the connection is closed
  silence                      then nothing more comes ("ready" is printed before)
  parts                        all files whole, and no closing delimiter; then nothing more ("ready")
  delimiter                    all files whole, and the connection is closed without a closing delimiter
  drip                         then a byte every second
  head                         half a request header, and then nothing
  single                       the last file alone, chunked, half of it; then the connection is closed
"""

import json
import socket
import sys
import time

BOUNDARY = "stow-peer"


def store(url, arguments):
    import pydicom
    import requests
    from dicomweb_client.api import DICOMwebClient

    options = dict(a.split("=", 1) for a in arguments if "=" in a and not a.startswith("/"))
    files = [a for a in arguments if a.startswith("/")]
    session = requests.Session()
    session.trust_env = False
    session.verify = options.get("ca", True)
    if "certificate" in options:
        session.cert = (options["certificate"], options["key"])
    if "user" in options:
        session.auth = tuple(options["user"].split(":", 1))
    headers = {"Authorization": "Bearer " + options["token"]} if "token" in options else {}
    client = DICOMwebClient(url, session=session, headers=headers)
    datasets = [pydicom.dcmread(f, force=True) for f in files]
    try:
        answer = client.store_instances(datasets, study_instance_uid=options.get("study"))
    except requests.HTTPError as error:
        print(json.dumps({"status": error.response.status_code}))
        return
    print(
        json.dumps(
            {
                "status": 200,
                "stored": [
                    str(i.ReferencedSOPInstanceUID) for i in answer.get("ReferencedSOPSequence", [])
                ],
                "failed": {
                    str(i.ReferencedSOPInstanceUID): i.FailureReason
                    for i in answer.get("FailedSOPSequence", [])
                },
            }
        )
    )


def part(data):
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n"
    return head.encode() + data + b"\r\n"


def raw(port, how, files):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(900)
    head = "POST /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
    if how == "head":
        connection.sendall(head.encode())
        return answer(connection)
    kind = (
        "application/dicom"
        if how == "single"
        else f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    )
    connection.sendall(f"{head}Content-Type: {kind}\r\n\r\n".encode())
    contents = [open(f, "rb").read() for f in files]

    def send(data):
        connection.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    if how == "single":
        send(contents[-1][: len(contents[-1]) // 2])
        return connection.close()
    whole = how in ("parts", "delimiter")
    for data in contents if whole else contents[:-1]:
        send(part(data))
    if not whole:
        send(part(contents[-1])[: len(contents[-1]) // 2])
    elif how == "parts":
        # So that the last part has come to its end.
        send(f"--{BOUNDARY}\r\n".encode())
    if how in ("silence", "parts"):
        print("ready", flush=True)
    if how == "drip":
        try:
            while True:
                send(b"x")
                time.sleep(1)
        except OSError:
            pass
    if how == "delimiter":
        connection.sendall(b"0\r\n\r\n")
    if how == "close":
        return connection.close()
    answer(connection)


def answer(connection):
    """The status, or what happened to the connection."""
    try:
        line = connection.recv(4096).split(b"\r\n")[0].decode()
        print(json.dumps({"status": int(line.split()[1]) if line else 0}))
    except OSError as error:
        print(json.dumps({"status": 0, "error": str(error)}))


if __name__ == "__main__":
    if sys.argv[1] == "store":
        store(sys.argv[2], sys.argv[3:])
    else:
        raw(int(sys.argv[2]), sys.argv[3], sys.argv[4:])
