"""Runs the tests' Python programs in forks of one process that has imported their packages already.

Importing pydicom takes longer than most of these programs run, and the tests start hundreds. Each connection to
the socket is one run: a line of JSON (arguments as of python3, and the file of the output) comes, the exit
status as a line of text goes back. A run whose connection is closed is killed. The server ends with the process
that started it.

Usage: python_server.py SOCKET
"""

import atexit
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
import warnings

import highdicom  # noqa: F401
import nibabel  # noqa: F401
import numpy  # noqa: F401
import pydicom  # noqa: F401
import pynetdicom  # noqa: F401
import requests  # noqa: F401


def run_program(request):
    """The program itself, in a process of its own: what `python3 ARGUMENTS` does."""
    os.setsid()
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, source in ((0, null), (1, output), (2, output)):
        os.dup2(source, descriptor)
    arguments = request["arguments"]
    if arguments[:2] == ["-W", "ignore"]:
        warnings.simplefilter("ignore")
        arguments = arguments[2:]
    status = 0
    try:
        if arguments[0] == "-c":
            sys.argv = ["-c"] + arguments[2:]
            sys.path.insert(0, "")
            exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
        else:
            sys.argv = arguments
            sys.path.insert(0, os.path.dirname(os.path.abspath(arguments[0])))
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as exit:
        if exit.code is None or isinstance(exit.code, int):
            status = exit.code or 0
        else:
            print(exit.code, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    return status


def end_with(status):
    """The end of a fork: what waits for the interpreter's end (threads, `atexit`) is waited for."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)


def serve_run(connection):
    """Starts one run and tells its status, as a shell does: 128 and the signal's number where one ended it."""
    line = connection.makefile("rb").readline()
    if not line:
        return
    child = os.fork()
    if child == 0:
        connection.close()
        end_with(run_program(json.loads(line)))
    handle = os.pidfd_open(child)
    ready, _, _ = select.select([handle, connection], [], [])
    if handle not in ready:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    connection.sendall(f"{code if code >= 0 else 128 - code}\n".encode())


def main():
    parent = os.getppid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(64)
    listener.settimeout(1)
    while os.getppid() == parent:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            connection.settimeout(None)
            try:
                serve_run(connection)
            finally:
                os._exit(0)
        connection.close()


main()
