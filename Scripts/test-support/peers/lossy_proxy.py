"""Passes TCP connections on to a port of this machine, and loses answers.

    lossy_proxy.py PORT TARGET PATH COUNT

The first COUNT answers to requests for PATH are read to their beginning and not passed on: both sides are closed,
as where the network fails after the server has done what it was asked for. Prints "lost" for each.
"""

import socket
import sys
import threading

port, target, path, count = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode(), int(sys.argv[4])
lock = threading.Lock()


def must_lose():
    global count
    with lock:
        if count == 0:
            return False
        count -= 1
        print("lost", flush=True)
        return True


def serve(client):
    try:
        server = socket.create_connection(("127.0.0.1", target))
    except OSError:
        client.close()
        return
    last = {"request": b""}

    def close():
        for end in (client, server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def up():
        try:
            while data := client.recv(65536):
                at = data.rfind(b"POST /")
                if at >= 0:
                    last["request"] = data[at + 5:at + 5 + len(path)]
                server.sendall(data)
        except OSError:
            pass
        close()

    def down():
        try:
            while data := server.recv(65536):
                if last["request"] == path and must_lose():
                    break
                client.sendall(data)
        except OSError:
            pass
        close()

    threading.Thread(target=up, daemon=True).start()
    down()


listener = socket.create_server(("127.0.0.1", port))
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
