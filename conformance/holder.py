"""Holds DIRECTORY/held.sock in a way that a connection does not succeed, and yet it is live; until its input ends."""
import os
import socket
import sys

kind, directory = sys.argv[1:]
path = os.path.join(directory, "held.sock")
types = {"datagram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
held = socket.socket(socket.AF_UNIX, types.get(kind, socket.SOCK_STREAM))
if kind == "full-relative":
    os.chdir(directory)
    held.bind("held.sock")
elif kind == "full-renamed":
    held.bind(path + ".new")
    os.rename(path + ".new", path)
else:
    held.bind(path)
waiting = []
if kind.startswith("full"):
    held.listen(0)
    try:
        while True:
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].setblocking(False)
            waiting[-1].connect(path)
    except BlockingIOError:
        pass
elif kind == "seqpacket":
    held.listen(1)
print("held", flush=True)
sys.stdin.read()
