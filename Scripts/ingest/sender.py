"""A storage SCU that takes as little of the processor as it can: what it sends is in memory before it begins.

Each association has a process. An image is one C-STORE-RQ (PS3.7 9.3.1.1) in PDUs as long as the receiver takes
(PS3.8 9.3.2, D.1), and the next follows the answer, as every modality does it. Pixels are the same in all images and
are sent from the page cache without a copy: a real sender has a processor of its own, while this one takes from what
the receiver could have.
"""

import multiprocessing
import os
import socket
import struct
import time

CT_IMAGE = b"1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = b"1.2.840.10008.1.2.1"
APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"


def even(value):
    return value + b"\0" * (len(value) % 2)


def element(group, number, vr, value):
    value = even(value) if vr in (b"UI", b"OW") else value + b" " * (len(value) % 2)
    if vr == b"OW":
        return struct.pack("<HH2sHI", group, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def ct_slice(study, number, pixels):
    """A CT slice of 512 × 512 pixels: SOP instance UID and dataset without its pixels, explicit VR little endian.

    All are of one length, so that the PDUs with the pixels are the same for all and need memory once.
    """
    instance = f"{study}.1.{100_000 + number}".encode()
    short = lambda value: struct.pack("<H", value)
    return instance, b"".join([
        element(0x0008, 0x0008, b"CS", b"ORIGINAL\\PRIMARY\\AXIAL"),
        element(0x0008, 0x0016, b"UI", CT_IMAGE), element(0x0008, 0x0018, b"UI", instance),
        element(0x0008, 0x0060, b"CS", b"CT"), element(0x0010, 0x0010, b"PN", b"BENCH^INGEST"),
        element(0x0010, 0x0020, b"LO", b"BENCH"), element(0x0018, 0x0050, b"DS", b"1"),
        element(0x0020, 0x000D, b"UI", study.encode()), element(0x0020, 0x000E, b"UI", f"{study}.1".encode()),
        element(0x0020, 0x0013, b"IS", str(100_000 + number).encode()),
        element(0x0020, 0x0032, b"DS", f"0\\0\\{100_000 + number}".encode()),
        element(0x0020, 0x0037, b"DS", b"1\\0\\0\\0\\1\\0"), element(0x0020, 0x0052, b"UI", f"{study}.2".encode()),
        element(0x0028, 0x0002, b"US", short(1)), element(0x0028, 0x0004, b"CS", b"MONOCHROME2"),
        element(0x0028, 0x0010, b"US", short(512)), element(0x0028, 0x0011, b"US", short(512)),
        element(0x0028, 0x0030, b"DS", b"1\\1"), element(0x0028, 0x0100, b"US", short(16)),
        element(0x0028, 0x0101, b"US", short(16)), element(0x0028, 0x0102, b"US", short(15)),
        element(0x0028, 0x0103, b"US", short(1)), element(0x0028, 0x1052, b"DS", b"0"),
        element(0x0028, 0x1053, b"DS", b"1"), struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(pixels))])


def item(kind, body):
    return struct.pack(">BBH", kind, 0, len(body)) + body


def pdu(kind, body):
    return struct.pack(">BBI", kind, 0, len(body)) + body


def store_command(instance, message):
    def implicit(number, value):
        return struct.pack("<HHI", 0, number, len(value)) + value

    short = lambda value: struct.pack("<H", value)
    body = b"".join([
        implicit(0x0002, even(CT_IMAGE)), implicit(0x0100, short(1)), implicit(0x0110, short(message)),
        implicit(0x0700, short(0)), implicit(0x0800, short(1)), implicit(0x1000, even(instance))])
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def fragments(control, body, longest):
    for start in range(0, len(body), longest):
        part = body[start:start + longest]
        last = 2 if start + longest >= len(body) else 0
        yield pdu(4, struct.pack(">IBB", len(part) + 2, 1, control | last) + part)


class Association:
    def __init__(self, port, called, nagle):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        # Blocking, with the kernel's timeouts: Python's own cost a poll for each call.
        self.socket.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 30, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0 if nagle else 1)
        user = item(0x51, struct.pack(">I", 131072)) + item(0x52, b"2.25.13")
        context = item(0x20, bytes([1, 0, 0, 0]) + item(0x30, CT_IMAGE) + item(0x40, EXPLICIT))
        self.socket.sendall(pdu(1, struct.pack(">HH", 1, 0) + called.encode().ljust(16) + b"BENCH".ljust(16)
                                + bytes(32) + item(0x10, APPLICATION_CONTEXT) + context + item(0x50, user)))
        kind, accepted = self.receive()
        if kind != 2:
            raise RuntimeError(f"association refused by PDU {kind}")
        longest = struct.unpack(">I", accepted[(at := accepted.index(b"\x51\0\0\4") + 4):at + 4])[0] or 131072
        self.longest = min(longest, 131072) - 6
        self.rest, self.rest_size = None, 0

    def receive(self):
        header = self.exactly(6)
        return header[0], self.exactly(struct.unpack(">I", header[2:])[0])

    def exactly(self, count):
        parts = b""
        while len(parts) < count:
            part = self.socket.recv(count - len(parts))
            if not part:
                raise RuntimeError("the receiver closed the connection")
            parts += part
        return parts

    def prepared(self, instance, header, pixels, message):
        """The PDUs of a C-STORE that are of this image: command, and the first of the dataset. The rest, which is pixels
        alone, is the same for all."""
        command = fragments(1, store_command(instance, message), self.longest)
        if self.rest is None:
            rest = b"".join(list(fragments(0, header + pixels, self.longest))[1:])
            self.rest, self.rest_size = os.fdopen(os.memfd_create("pixels"), "wb", buffering=0), len(rest)
            self.rest.write(rest)
        first = header + pixels[:self.longest - len(header)]
        return [*command, pdu(4, struct.pack(">IBB", len(first) + 2, 1, 0) + first)]

    def store(self, pdus):
        for part in pdus:
            self.socket.sendall(part)
        sent = 0
        while sent < self.rest_size:
            sent += os.sendfile(self.socket.fileno(), self.rest.fileno(), sent, self.rest_size - sent)
        kind, answer = self.receive()
        if kind != 4 or (status := self.status(answer)):
            raise RuntimeError(f"answered with PDU {kind}" + (f", status {status:#06x}" if kind == 4 else ""))

    @staticmethod
    def status(answer):
        """(0000,0900) of the command set behind the header of its only fragment (PS3.8 9.3.5, PS3.7 E.1)."""
        at = 6
        while at < len(answer):
            group, number, length = struct.unpack("<HHI", answer[at:at + 8])
            if (group, number) == (0, 0x0900):
                return struct.unpack("<H", answer[at + 8:at + 10])[0]
            at += 8 + length
        raise RuntimeError("an answer without status")

    def release(self):
        self.socket.sendall(pdu(5, bytes(4)))
        self.receive()
        self.socket.close()


def send(port, called, nagle, slices, pixels, barrier, times):
    association = Association(port, called, nagle)
    prepared = [association.prepared(*slice, pixels, number % 65535 + 1) for number, slice in enumerate(slices)]
    barrier.wait()
    begin = time.monotonic()
    for pdus in prepared:
        association.store(pdus)
    times.put((begin, time.monotonic()))
    association.release()


def seconds_to_send(port, called, images, associations, nagle):
    """From the first request until the last answer, with all associations open before."""
    study = f"2.25.{int.from_bytes(os.urandom(12))}"
    pixels = os.urandom(512 * 512 * 2)
    slices = [ct_slice(study, number, pixels) for number in range(images)]
    barrier, times = multiprocessing.Barrier(associations), multiprocessing.Queue()
    senders = [multiprocessing.Process(target=send, args=(
        port, called, nagle, slices[number::associations], pixels, barrier, times)) for number in range(associations)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
        if sender.exitcode:
            raise RuntimeError("a sender failed")
    spans = [times.get() for _ in senders]
    return max(end for _, end in spans) - min(begin for begin, _ in spans)
