"""Changes whole conversations with a storage SCP at random, and asks after it in between.

usage: association_fuzz.py PORT CALLED SECONDS [SEED]

A conversation is an association request, C-ECHO, C-STORE of two images and a release (PS3.8 9.3, PS3.7 9.3).
Bytes are changed, lengths made wrong, PDUs left out, repeated, exchanged, cut off and mixed with those of
another conversation; they are sent in pieces, and the connection is released, closed, reset or left silent.
Every conversation has random numbers of its own: SEED and its number make it again. Ends with 1 when an honest
C-ECHO in between is not answered, else prints how the conversations ended.
"""

import collections
import random
import socket
import struct
import sys
import threading
import time

from hostile_peers import CT, IMPLICIT, VERIFICATION, answer, command, data, pdu, request

STREAMS = 4
HONEST_EVERY = 25


def element(group, number, value):
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHI", group, number, len(value)) + value


def image(number, conversation):
    """A small CT image in implicit VR, whole enough to be taken."""
    uid = b"2.25.%d.%d" % (conversation + 1, number)
    return uid, b"".join([
        element(0x0008, 0x0016, CT), element(0x0008, 0x0018, uid), element(0x0008, 0x0060, b"CT"),
        element(0x0020, 0x000D, b"2.25.7"), element(0x0020, 0x000E, b"2.25.8"),
        element(0x0028, 0x0002, struct.pack("<H", 1)), element(0x0028, 0x0010, struct.pack("<H", 4)),
        element(0x0028, 0x0011, struct.pack("<H", 4)), element(0x0028, 0x0100, struct.pack("<H", 16)),
        element(0x7FE0, 0x0010, bytes(32)),
    ])


def conversation(called, number):
    pdus = [request(called, sop_class=CT, syntax=IMPLICIT, contexts=2), data(3, command(0x30, VERIFICATION))]
    for index in range(2):
        uid, dataset = image(index, number)
        half = len(dataset) // 2
        pdus += [data(3, command(0x01, CT, uid, has_dataset=True)), data(0, dataset[:half]), data(2, dataset[half:])]
    return pdus + [pdu(5, bytes(4))]


def changed(pdus, called, number, chance):
    pdus = list(pdus)
    for _ in range(chance.choice([0, 1, 1, 2, 3, 6])):
        place = chance.randrange(len(pdus))
        what = bytearray(pdus[place])
        kind = chance.randrange(9)
        if kind == 0 and what:
            for _ in range(chance.choice([1, 2, 8])):
                what[chance.randrange(len(what))] = chance.randrange(256)
        elif kind == 1 and len(what) > 6:   # the length of the PDU, or of what is in it
            at = chance.choice([2, 6, chance.randrange(2, len(what) - 3)])
            what[at:at + 4] = struct.pack(">I", chance.choice([0, 1, len(what), 65535, 2**31, 2**32 - 1]))
        elif kind == 2:
            del what[chance.randrange(len(what) + 1):]
        elif kind == 3:
            at = chance.randrange(len(what) + 1)
            what[at:at] = chance.randbytes(chance.choice([1, 7, 300]))
        elif kind == 4 and len(pdus) > 1:
            del pdus[place]
            continue
        elif kind == 5:
            pdus.insert(place, pdus[chance.randrange(len(pdus))])
            continue
        elif kind == 6:
            other = chance.randrange(len(pdus))
            pdus[place], pdus[other] = pdus[other], pdus[place]
            continue
        elif kind == 7:
            what = bytearray(chance.choice(conversation(called, number + 1)))
        else:
            what = bytearray(pdu(chance.randrange(9), chance.randbytes(chance.choice([0, 4, 100]))))
        pdus[place] = bytes(what)
    return pdus


def talk(port, called, number, chance):
    """One conversation; how it ended."""
    pdus = changed(conversation(called, number), called, number, chance)
    with socket.create_connection(("127.0.0.1", port), timeout=900) as connection:
        connection.settimeout(0.2)
        stream = b"".join(pdus)
        size = chance.choice([len(stream) or 1, 1000, 64, 7])
        try:
            for start in range(0, len(stream), size):
                connection.sendall(stream[start:start + size])
        except OSError:
            pass   # cut off by the listener; what it said is read below
        if chance.random() < 0.2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return "reset by us"
        last = "nothing"
        while (got := answer(connection)) not in ("closed", "reset", "silence"):
            last = got
        return f"{got} after {last}"


def echo(port, called):
    with socket.create_connection(("127.0.0.1", port), timeout=900) as connection:
        connection.settimeout(900)
        connection.sendall(request(called, calling=b"HONEST"))
        connection.sendall(data(3, command(0x30, VERIFICATION)))
        connection.sendall(pdu(5, bytes(4)))
        return [answer(connection) for _ in range(3)] == ["AC", "DATA", "RELEASE-RP"]


def main():
    port, called, seconds = int(sys.argv[1]), sys.argv[2].encode(), float(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(2**32)
    end, endings, faults = time.monotonic() + seconds, collections.Counter(), []

    def stream(index):
        number = index
        while time.monotonic() < end and not faults:
            try:
                endings[talk(port, called, number, random.Random(f"{seed}/{number}"))] += 1
            except OSError as error:
                endings[f"not connected: {error}"] += 1
            if number // STREAMS % HONEST_EVERY == 0:
                try:
                    if not echo(port, called):
                        faults.append(number)
                except OSError as error:
                    print(f"an honest C-ECHO: {error}")
                    faults.append(number)
            number += STREAMS

    threads = [threading.Thread(target=stream, args=(index,)) for index in range(STREAMS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"seed {seed}, {endings.total()} conversations")
    for ending, count in endings.most_common():
        print(f"{count:7} {ending}")
    if faults:
        sys.exit(f"an honest C-ECHO was not answered near conversation {faults[0]} of seed {seed}")


main()
