"""DICOM peers for the tests of the listener and the sender.

usage: network_peers.py phantom FOLDER [SIZE]              one file for each transfer syntax
       network_peers.py send PORT CALLED FILE...           C-STORE with pynetdicom
       network_peers.py slowly PORT CALLED SECONDS [--hold COUNT GATE] FILE...
                                                           the same, with a pause after each; the last COUNT only
                                                           when there is a file GATE
       network_peers.py parallel PORT CALLED COUNT FILE...  the same, COUNT associations at once
       network_peers.py folders PORT CALLED [--hold COUNT GATE] FOLDER...
                                                           the same over sockets, an association for each
                                                           folder; prints each file, its status and the seconds
       network_peers.py drop PORT CALLED FILE              goes away in the middle of the dataset
       network_peers.py leave PORT CALLED HOW FILE...      C-STORE, then release, abort, close, reset
                                                           or silence; the last file is cut in half
                                                           where HOW begins with half-
       network_peers.py cut PORT CALLED COUNT FILE...      C-STORE; the last COUNT end too early
       network_peers.py badly-named PORT CALLED FILE UID   C-STORE of an instance called UID
       network_peers.py idle PORT COUNT                    silent connections until killed
       network_peers.py prefer PORT CALLED SYNTAX...       proposes CT images in transfer syntaxes in
                                                           this order, prints the accepted one
       network_peers.py receiver PORT AE STATUS[/UID,...]  a storage SCP that answers STATUS, and takes all SOP
                                                           classes, or those with the UIDs
       network_peers.py hang PORT HOW                      accepts connections and says nothing (silent),
                                                           or accepts associations and answers no object
                                                           (deaf)
       network_peers.py tls PORT CERTIFICATE KEY TARGET    TLS in front of a peer without it at port TARGET
"""

import contextlib
import pathlib
import socket
import struct
import sys
import threading
import time

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian, UID

from network_phantom import phantom

APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"


class Gate:
    """Keeps the last of what is sent back until there is a file: what happens in between falls into the sending,
    however slow the machine is."""

    def __init__(self, count=0, file=None):
        self.count, self.file = int(count), file

    def wait(self, index, of):
        while index >= of - self.count and not pathlib.Path(self.file).exists():
            time.sleep(0.05)


def gated(arguments):
    """The gate and what is to be sent."""
    if arguments[0] != "--hold":
        return Gate(), arguments
    return Gate(*arguments[1:3]), arguments[3:]


def slowly(port, called, pause, *arguments):
    gate, files = gated(arguments)
    send(port, called, *files, pause=float(pause), gate=gate)


def send(port, called, *files, pause=0, gate=Gate()):
    from pynetdicom import AE

    datasets = [dcmread(file) for file in files]
    ae = AE(ae_title="PYTHON")
    # Generous, so that a busy machine does not decide a test.
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 900
    for d in datasets:
        ae.add_requested_context(d.SOPClassUID, d.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", int(port), ae_title=called)
    if not association.is_established:
        print("no association")
        return
    for index, d in enumerate(datasets):
        gate.wait(index, len(datasets))
        try:
            # One write, so that the lines of parallel senders stay whole.
            sys.stdout.write(f"{association.send_c_store(d).get('Status', -1):#06x}\n")
        except ValueError as error:
            print(error)
        except RuntimeError:  # the association is gone
            return
        time.sleep(pause)
    association.release()


def parallel(port, called, count, *files):
    together([threading.Thread(target=send, args=(port, called, *files)) for _ in range(int(count))])


def folders(port, called, *arguments):
    gate, paths = gated(arguments)
    together([threading.Thread(target=folder, args=(port, called, path, gate)) for path in paths])


def folder(port, called, path, gate):
    files = sorted(pathlib.Path(path).iterdir())
    datasets = [dcmread(file) for file in files]
    # A listener that is killed is told by no traceback, whose parts would come between the lines of others.
    with contextlib.suppress(ConnectionError), associated(port, called, datasets[0]) as connection:
        for index, (file, d) in enumerate(zip(files, datasets)):
            gate.wait(index, len(files))
            begin = time.monotonic()
            status = stored(connection, d, encoded(d, d.file_meta.TransferSyntaxUID))
            sys.stdout.write(f"{file} {status:#06x} {time.monotonic() - begin:.3f}\n")
            sys.stdout.flush()
        connection.sendall(struct.pack(">BBI", 5, 0, 4) + bytes(4))
        receive(connection)


def together(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def item(kind, body):
    return struct.pack(">BBH", kind, 0, len(body)) + body


def request(called, sop_class, syntax):
    """An A-ASSOCIATE-RQ (PS3.8 9.3.2) with one presentation context."""
    body = struct.pack(">HH", 1, 0) + called.encode().ljust(16) + b"RAW".ljust(16) + bytes(32)
    body += item(0x10, APPLICATION_CONTEXT)
    names = item(0x30, sop_class.encode()) + item(0x40, syntax.encode())
    body += item(0x20, bytes([1, 0, 0, 0]) + names)
    body += item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"2.25.1"))
    return struct.pack(">BBI", 1, 0, len(body)) + body


def data(control, body):
    """A P-DATA-TF with one fragment (PS3.8 9.3.5)."""
    fragment = struct.pack(">IBB", len(body) + 2, 1, control) + body
    return struct.pack(">BBI", 4, 0, len(fragment)) + fragment


def encoded(dataset, syntax):
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = syntax == ImplicitVRLittleEndian, True
    write_dataset(stream, dataset)
    return stream.getvalue()


def store_command(sop_class, instance):
    command = Dataset()
    command.AffectedSOPClassUID, command.CommandField = sop_class, 1
    command.MessageID, command.Priority, command.CommandDataSetType = 1, 0, 1
    command.AffectedSOPInstanceUID = instance
    length = Dataset()
    length.CommandGroupLength = len(encoded(command, ImplicitVRLittleEndian))
    return encoded(length, ImplicitVRLittleEndian) + encoded(command, ImplicitVRLittleEndian)


def receive(connection):
    def exactly(count):
        parts = b""
        while len(parts) < count:
            part = connection.recv(count - len(parts))
            if not part:
                sys.exit("the listener closed the connection")
            parts += part
        return parts

    kind, _, length = struct.unpack(">BBI", exactly(6))
    return kind, exactly(length)


def associated(port, called, d):
    connection = socket.create_connection(("127.0.0.1", int(port)), 900)
    connection.sendall(request(called, d.SOPClassUID, d.file_meta.TransferSyntaxUID))
    if receive(connection)[0] != 2:
        sys.exit("association refused")
    return connection


def drop(port, called, file):
    d = dcmread(file)
    connection = associated(port, called, d)
    connection.sendall(data(3, store_command(d.SOPClassUID, d.SOPInstanceUID)))
    connection.sendall(data(0, encoded(d, d.file_meta.TransferSyntaxUID)[:4000]))
    time.sleep(0.3)
    connection.close()


def stored(connection, d, content, instance=None):
    """Sends a dataset, as an instance of another UID where one is given, and returns the status."""
    connection.sendall(data(3, store_command(d.SOPClassUID, d.SOPInstanceUID if instance is None else instance)))
    for start in range(0, len(content), 8000):
        part = content[start : start + 8000]
        connection.sendall(data(2 if start + 8000 >= len(content) else 0, part))
    kind, answer = receive(connection)
    if kind != 4:
        sys.exit(f"answered with PDU {kind}")
    status = answer.index(struct.pack("<HHI", 0, 0x0900, 2)) + 8
    return struct.unpack("<H", answer[status : status + 2])[0]


def leave(port, called, how, *files):
    datasets = [dcmread(file) for file in files]
    connection = associated(port, called, datasets[0])
    for number, d in enumerate(datasets, 1):
        content = encoded(d, d.file_meta.TransferSyntaxUID)
        if how.startswith("half-") and number == len(datasets):
            connection.sendall(data(3, store_command(d.SOPClassUID, d.SOPInstanceUID)))
            connection.sendall(data(0, content[: len(content) // 2]))
            time.sleep(0.5)  # a reset takes back what was not read yet
        else:
            print(f"{stored(connection, d, content):#06x}", flush=True)
    match how.removeprefix("half-"):
        case "release":
            connection.sendall(struct.pack(">BBI", 5, 0, 4) + bytes(4))
            receive(connection)
        case "abort":
            connection.sendall(struct.pack(">BBI", 7, 0, 4) + bytes(4))
        case "reset":
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        case "garbage":
            connection.sendall(b"\x63" + bytes(99))
            time.sleep(1)
        case "silence":
            print("ready", flush=True)
            time.sleep(600)
    connection.close()


def cut(port, called, count, *files):
    datasets = [dcmread(file) for file in files]
    connection = associated(port, called, datasets[0])
    for number, d in enumerate(datasets):
        content = encoded(d, d.file_meta.TransferSyntaxUID)
        is_cut = number >= len(datasets) - int(count)
        print(f"{stored(connection, d, content[:-400] if is_cut else content):#06x}", flush=True)
    connection.sendall(struct.pack(">BBI", 5, 0, 4) + bytes(4))
    receive(connection)
    connection.close()


def badly_named(port, called, file, instance):
    d = dcmread(file)
    connection = associated(port, called, d)
    content = encoded(d, d.file_meta.TransferSyntaxUID)
    print(f"{stored(connection, d, content, UID(instance)):#06x}")


def idle(port, count):
    connections = [socket.create_connection(("127.0.0.1", int(port))) for _ in range(int(count))]
    print("ready", len(connections), flush=True)
    time.sleep(600)


def prefer(port, called, *syntaxes):
    from pynetdicom import AE
    from pynetdicom.presentation import build_context

    ae = AE(ae_title="PREFER")
    ae.requested_contexts = [build_context(CTImageStorage, list(syntaxes))]
    association = ae.associate("127.0.0.1", int(port), ae_title=called)
    for context in association.accepted_contexts:
        print(context.transfer_syntax[0])
    association.release()


def receiver(port, title, status):
    """Answers every C-STORE with a status; without one ("echo") it takes none."""
    from pynetdicom import AE, AllStoragePresentationContexts, evt

    ae = AE(ae_title=title)
    status, _, classes = status.partition("/")
    for uid in filter(None, classes.split(",")):
        ae.add_supported_context(uid)
    if status != "echo" and not classes:
        ae.supported_contexts = AllStoragePresentationContexts
    ae.add_supported_context("1.2.840.10008.1.1")
    ae.require_called_aet = True
    ae.start_server(
        ("127.0.0.1", int(port)), evt_handlers=[(evt.EVT_C_STORE, lambda _: int(status, 16))]
    )


def hang(port, how):
    if how == "deaf":
        from pynetdicom import AE, AllStoragePresentationContexts, evt

        ae = AE(ae_title="PACS")
        ae.supported_contexts = AllStoragePresentationContexts
        ae.start_server(
            ("127.0.0.1", int(port)), evt_handlers=[(evt.EVT_C_STORE, lambda _: time.sleep(3600))]
        )
    listening = socket.create_server(("127.0.0.1", int(port)))
    connections = []
    while True:
        connections.append(listening.accept())


def tls(port, certificate, key, target):
    import asyncio
    import ssl

    async def copy(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader, writer):
        inner = await asyncio.open_connection("127.0.0.1", int(target))
        await asyncio.gather(copy(reader, inner[1]), copy(inner[0], writer))

    async def run():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = await asyncio.start_server(serve, "127.0.0.1", int(port), ssl=context)
        await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    commands = {
        "phantom": phantom,
        "send": send,
        "slowly": slowly,
        "parallel": parallel,
        "folders": folders,
        "drop": drop,
        "leave": leave,
        "cut": cut,
        "badly-named": badly_named,
        "idle": idle,
        "prefer": prefer,
        "receiver": receiver,
        "hang": hang,
        "tls": tls,
    }
    commands[sys.argv[1]](*sys.argv[2:])
