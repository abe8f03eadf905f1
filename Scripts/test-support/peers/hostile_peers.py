"""Peers that break the rules of the upper layer (PS3.8), for the tests of the listener.

usage: hostile_peers.py probe NAME PORT CALLED    sends one malformed exchange, prints each answer
       hostile_peers.py idle PORT COUNT [SOURCE]  connections that send nothing, renewed when closed
       hostile_peers.py silent PORT CALLED COUNT [SOURCE]
                                                  associations that send nothing, renewed when ended
       hostile_peers.py drip PORT CALLED FILE     a C-STORE of FILE, a byte every half second
       hostile_peers.py endless PORT CALLED       a C-STORE whose dataset never ends
       hostile_peers.py bombs PORT CALLED COUNT   COUNT deflated images that unfold to 1 GiB of
                                                  pixels or half of it of header each, at the
                                                  same time; prints their statuses
       hostile_peers.py fragments PORT CALLED     a command set in fragments without content, two a
                                                  second, the last of which never comes
       hostile_peers.py deaf PORT CALLED COUNT    C-ECHO requests, COUNT of them, whose answers are
                                                  never read
"""

import socket
import struct
import sys
import threading
import time
import zlib

VERIFICATION, CT = b"1.2.840.10008.1.1", b"1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, DEFLATED = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1.99"
NAMES = {1: "RQ", 2: "AC", 3: "RJ", 4: "DATA", 5: "RELEASE-RQ", 6: "RELEASE-RP", 7: "ABORT"}


def item(kind, content):
    return bytes([kind, 0]) + struct.pack(">H", len(content)) + content


def pdu(kind, content):
    return struct.pack(">BBI", kind, 0, len(content)) + content


def request(
    called, calling=b"HOSTILE", sop_class=VERIFICATION, syntax=IMPLICIT, version=1,
    application=b"1.2.840.10008.3.1.1.1", name=b"", contexts=1, tail=b"",
):
    content = struct.pack(">HH", version, 0) + called.ljust(16) + calling.ljust(16) + bytes(32)
    content += item(0x10, application)
    for number in range(contexts):
        context = bytes([(2 * number + 1) & 255, 0, 0, 0]) + item(0x30, sop_class)
        content += item(0x20, context + item(0x40, syntax))
    user = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3")
    return pdu(1, content + item(0x50, user + (item(0x55, name) if name else b"")) + tail)


def data(control, content, context=1, length=None):
    length = len(content) + 2 if length is None else length
    return pdu(4, struct.pack(">IBB", length, context, control) + content)


def command(field, sop_class, instance=None, has_dataset=False):
    def element(number, value):
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HHI", 0, number, len(value)) + value

    body = element(0x0002, sop_class) + element(0x0100, struct.pack("<H", field))
    body += element(0x0110, struct.pack("<H", 1)) + element(0x0700, struct.pack("<H", 0))
    body += element(0x0800, struct.pack("<H", 1 if has_dataset else 0x0101))
    if instance:
        body += element(0x1000, instance)
    return element(0x0000, struct.pack("<I", len(body))) + body


def nested(levels):
    """Sequences in sequences, of undefined length, in implicit VR."""
    sequence = struct.pack("<HHI", 0x0009, 0x1001, 0xFFFFFFFF)
    return (sequence + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * levels


def answer(connection):
    """One PDU in words."""
    def exactly(count):
        parts = b""
        while len(parts) < count:
            part = connection.recv(count - len(parts))
            if not part:
                return None
            parts += part
        return parts

    try:
        header = exactly(6)
        if header is None:
            return "closed"
        content = exactly(struct.unpack(">I", header[2:])[0])
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "silence"
    kind = NAMES.get(header[0], "?")
    if content is not None and header[0] == 3:
        return f"{kind} {content[1]} {content[2]} {content[3]}"
    if content is not None and header[0] == 7:
        return f"{kind} {content[2]} {content[3]}"
    return kind


def connected(port, source=None):
    return socket.create_connection(
        ("127.0.0.1", int(port)), 30, source_address=(source, 0) if source else None
    )


def associated(port, called, sop_class=VERIFICATION, syntax=IMPLICIT, source=None):
    connection = connected(port, source)
    connection.sendall(request(called.encode(), sop_class=sop_class, syntax=syntax))
    said = answer(connection)
    if said != "AC":
        connection.close()
        raise ConnectionError(said)
    return connection


def probes(called):
    rq = request(called)
    store = data(3, command(0x0001, CT, b"1.2.3", True))
    return {
        "blank-calling": [request(called, calling=b"")],
        "blank-called": [request(b"")],
        "protocol-version": [request(called, version=2)],
        "application-context": [request(called, application=b"1.2.3")],
        "http": [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
        "tls": [bytes.fromhex("16030100c8010000c40303") + bytes(194)],
        "pdu-of-4-gib": [b"\x01\x00\xff\xff\xff\xff"],
        "unknown-pdu": [pdu(0x7F, b"abcd")],
        "data-first": [data(3, b"")],
        "abort-first": [pdu(7, bytes(4))],
        "half-a-header": [b"\x01\x00\x00"],
        "half-a-request": [rq[:60]],
        "short-request": [pdu(1, bytes(10))],
        "long-version-name": [request(called, name=b"V" * 60000)],
        "item-beyond-its-pdu": [request(called, tail=b"\x20\x00\xff\xff")],
        "long-uid": [request(called, sop_class=b"1." * 150)],
        "short-context": [request(called, tail=item(0x20, b"\3\0"))],
        "no-context": [request(called, contexts=0)],
        "second-request": [rq, rq],
        "accept-from-the-caller": [rq, b"\x02" + rq[1:]],
        "unknown-pdu-later": [rq, pdu(0x63, bytes(99))],
        "long-pdu-later": [rq, b"\x04\x00\x7f\xff\xff\xff"],
        "long-release": [rq, b"\x05\x00\x7f\xff\xff\xff"],
        "pdv-beyond-its-pdu": [rq, data(3, b"", length=0x7FFFFFFF)],
        "pdv-of-no-length": [rq, pdu(4, struct.pack(">I", 0))],
        "pdv-ends-early": [rq, data(3, b"ab") [:-2] + b""],
        "unknown-context": [rq, data(3, command(0x30, VERIFICATION), context=99)],
        "unknown-command": [rq, data(3, command(0x0FFF, VERIFICATION))],
        "store-without-context": [rq, store],
        "endless-command": [rq, *[data(1, bytes(8000))] * 4],
        "nested-command": [rq, *[data(1, nested(500))] * 20],
        "half-a-pdu": [rq, data(3, command(0x30, VERIFICATION))[:20]],
    }


def probe(name, port, called):
    connection = connected(port)
    parts = probes(called.encode())[name]
    said = []
    # Each part is answered but those within one message.
    for number, part in enumerate(parts):
        try:
            connection.sendall(part)
        except OSError:
            break
        if number == 0 and len(parts) > 1:
            said.append(answer(connection))
    said.append(answer(connection))
    print(" ".join(said))


def renewed(count, make):
    """Keeps up `count` connections."""
    held, ready = [], False
    while True:
        for connection in list(held):
            connection.setblocking(False)
            try:
                if connection.recv(4096) == b"":
                    held.remove(connection)
            except BlockingIOError:
                pass
            except OSError:
                held.remove(connection)
        while len(held) < int(count):
            try:
                held.append(make())
            except OSError:
                break
        if not ready:
            print("ready", len(held), flush=True)
            ready = True
        time.sleep(0.05)


def idle(port, count, source=None):
    renewed(count, lambda: connected(port, source))


def silent(port, called, count, source=None):
    renewed(count, lambda: associated(port, called, source=source))


def drip(port, called, file):
    content = open(file, "rb").read()
    connection = associated(port, called, CT, IMPLICIT)
    connection.sendall(data(3, command(0x0001, CT, b"1.2.3", True)))
    print("ready", flush=True)
    message = data(2, content)
    for number in range(len(message)):
        try:
            connection.sendall(message[number : number + 1])
        except OSError:
            break
        connection.settimeout(0.5)
        try:
            if connection.recv(1, socket.MSG_PEEK) is not None:
                break
        except TimeoutError:
            pass
    connection.settimeout(900)
    print(answer(connection), flush=True)


def fragments(port, called):
    connection = associated(port, called)
    print("ready", flush=True)
    connection.settimeout(0.5)
    said = "silence"
    while said == "silence":
        try:
            connection.sendall(data(1, b""))
        except OSError:
            pass
        said = answer(connection)
    print(said, flush=True)


def endless(port, called):
    connection = associated(port, called, CT, IMPLICIT)
    connection.sendall(data(3, command(0x0001, CT, b"1.2.3", True)))
    print("ready", flush=True)
    part = data(0, bytes(16000))
    sent = 0
    try:
        while True:
            connection.sendall(part)
            sent += 16000
    except OSError:
        print(f"ended after {sent} bytes: {answer(connection)}", flush=True)


def bomb(is_header):
    """A CT image whose pixels are a gibibyte of zeros, or a private element half of it, deflated."""
    def element(group, number, vr, value):
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HH2sH", group, number, vr, len(value)) + value

    head = element(8, 0x16, b"UI", CT) + element(8, 0x18, b"UI", b"1.2.3.4")
    head += element(8, 0x60, b"CS", b"CT") + element(0x20, 0x0D, b"UI", b"1.2.5")
    head += element(0x20, 0x0E, b"UI", b"1.2.6")
    size = (1 << 29) - (1 << 20) if is_header else 1 << 30
    if is_header:
        head += element(0x21, 0x10, b"LO", b"BOMB") + struct.pack("<HH2sHI", 0x21, 0x1001, b"OB", 0, size)
    else:
        head += struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, size)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [deflate.compress(head)]
    zeros = bytes(1 << 20)
    parts += [deflate.compress(zeros) for _ in range(size >> 20)]
    content = b"".join(parts) + deflate.flush()
    return content + b"\0" * (len(content) % 2)


def bombs(port, called, count):
    contents = [bomb(is_header) for is_header in (False, True)]

    def send(content):
        connection = associated(port, called, CT, DEFLATED)
        connection.settimeout(900)
        connection.sendall(data(3, command(0x0001, CT, b"1.2.3.4", True)))
        for start in range(0, len(content), 16000):
            part = content[start : start + 16000]
            connection.sendall(data(2 if start + 16000 >= len(content) else 0, part))
        header = connection.recv(6, socket.MSG_WAITALL)
        body = connection.recv(struct.unpack(">I", header[2:])[0], socket.MSG_WAITALL)
        status = body.index(struct.pack("<HHI", 0, 0x0900, 2)) + 8
        print(f"{struct.unpack('<H', body[status:status + 2])[0]:#06x}", flush=True)
        connection.close()

    threads = [threading.Thread(target=send, args=[contents[i % 2]]) for i in range(int(count))]
    print("ready", flush=True)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def deaf(port, called, count):
    connection = connected(port)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(request(called.encode()))
    if answer(connection) != "AC":
        sys.exit("association refused")
    print("ready", flush=True)
    connection.settimeout(1)
    try:
        for _ in range(int(count)):
            connection.sendall(data(3, command(0x0030, VERIFICATION)))
    except OSError:
        pass
    time.sleep(600)


if __name__ == "__main__":
    functions = [probe, idle, silent, drip, fragments, endless, bombs, deaf]
    {function.__name__: function for function in functions}[sys.argv[1]](*sys.argv[2:])
