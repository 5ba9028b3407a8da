"""An upgrade with a full queue, and the package's end: removed, the state stays; purged,
nothing does, and it says so."""

import os
import socket
import threading
import time

from container import DEADLINE_S, Failed, Refused, ask_on, need, ok, until
from instances import NAMES
from lab import CONFIG, HELD, RUSH, SOCKET

FULL = 400
# Between two visits of the client that keeps coming.
VISIT_S = 0.02
STATE = "/var/lib/private/tetherd"
PLACES = ("/var/lib", "/var/lib/private", "/etc", "/run", "/etc/systemd/system",
          "/etc/systemd/system/multi-user.target.wants",
          "/etc/systemd/system/sockets.target.wants", "/usr/lib/systemd/system",
          "/lib/systemd/system", "/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d", "/usr/bin", "/usr/share", "/usr/share/doc",
          "/var/lib/systemd/deb-systemd-helper-enabled")


class Visitor(threading.Thread):
    """Connects, asks and goes, over and over, and keeps count of how it went."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.done = threading.Event()
        self.served, self.cut_off, self.refused = 0, 0, []
        self.sockets = set()
        self.longest_s = 0

    def run(self):
        while not self.done.wait(VISIT_S):
            began = time.monotonic()
            try:
                self.sockets.add(os.stat(self.path).st_ino)
                with socket.socket(socket.AF_UNIX) as line:
                    line.settimeout(DEADLINE_S)
                    line.connect(self.path)
                    self.ask(line)
            except OSError as error:
                self.refused.append(repr(error))
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    def ask(self, line):
        try:
            ask_on(line, "version", {})
            self.served += 1
        except (Failed, Refused, ConnectionResetError, BrokenPipeError):
            # Let in by the daemon that was just going.
            self.cut_off += 1


def an_upgrade_loses_nothing(lab):
    lab.restart(HELD)
    sent = lab.send("upgrade", FULL)
    # As many as the window still had room for have left, and others take their places.
    until("the window to be spent", lambda: lab.ask("status")["queue"]["sending"] == 0)
    left = FULL - lab.ask("status")["queue"]["queued"]
    sent += lab.send("upgrade", left, first=FULL)
    queue = lab.ask("status")["queue"]
    need(queue["queued"] == FULL, FULL, "do not wait:", queue)
    ids = waiting(lab)
    before, config = version(lab), lab.box.read(CONFIG)
    pid = lab.pid()
    visitor = Visitor(lab.box.path(SOCKET))
    visitor.start()
    until("the visitor to be served", lambda: visitor.served)
    lab.box.run("dpkg", "--force-confold", "--install", lab.packages[1])
    until("the new daemon", lambda: lab.is_active() and lab.pid() != pid)
    served = visitor.served
    until("the visitor to be served again", lambda: visitor.served > served + 5)
    visitor.done.set()
    visitor.join()
    need(version(lab) != before, "the version is the same:", before)
    need(not visitor.refused, "the socket was gone:", visitor.refused[:3])
    need(len(visitor.sockets) == 1, "the socket was made anew")
    ok(f"upgraded with {FULL} messages queued: the socket never gone ({visitor.served} visits "
       f"served, {visitor.cut_off} cut off at the old daemon's end, the longest took "
       f"{visitor.longest_s:.1f} s)")
    need(lab.box.read(CONFIG) == config, "the configuration was changed")
    need(waiting(lab) == ids, "other messages wait than before")
    lab.wait_connected()
    lab.reload(RUSH)
    lab.wait_exactly_once(sent, "upgrade")
    ok(f"all {len(sent)} arrived once; ids, format and configuration are those of before")


def version(lab):
    return lab.box.out("dpkg-query", "--show", "--showformat=${Version}", "tetherd")


def waiting(lab):
    listed = lab.ask("queue.list", filter={"states": ["queued"]}, limit=FULL)
    return [message["id"] for message in listed["messages"]]


def names_in(lab, folders):
    found = []
    for folder in folders:
        if lab.box.exists(folder):
            found += [f"{folder}/{name}" for name in os.listdir(lab.box.path(folder))
                      if name.startswith("tetherd")]
    return sorted(found)


def removed_the_state_stays(lab):
    lab.box.run("dpkg", "--remove", "tetherd")
    for unit in ("tetherd.service", "tetherd.socket", "tetherd@a.service", "tetherd@b.socket"):
        need(not lab.is_active(unit), unit, "is still active")
    need(not lab.box.exists(SOCKET), "the socket is still there")
    need(lab.box.exists(f"{STATE}/store/db"), "the state is gone")
    need(lab.box.read(CONFIG), "the configuration is gone")
    lab.box.run("dpkg", "--force-confold", "--install", lab.packages[1])
    lab.wait_connected()
    sent = lab.send("again", 2)
    lab.wait_exactly_once(sent, "again")
    ok("removed: nothing runs, state and configuration stay; installed again it goes on with them")


def purged_nothing_stays(lab):
    said = lab.box.run("dpkg", "--purge", "tetherd")
    said = said.stdout + said.stderr
    left = names_in(lab, PLACES)
    need(not left, "left behind:", left)
    units = lab.systemctl("list-unit-files", "--no-legend", "tetherd*", check=False)
    need(not units, "units:", units)
    processes = lab.box.run("pgrep", "-x", "tetherd", check=False).stdout
    need(not processes, "processes:", processes)
    told = [line for line in said.splitlines() if line.startswith(f"tetherd: deleted {STATE}")]
    need(len(told) == 1 + len(NAMES), "it does not say that the state is gone:", said)
    ok(f"purged: no state, configuration, socket, unit or process is left; it says `{told[0]}`")


STEPS = [an_upgrade_loses_nothing, removed_the_state_stays, purged_nothing_stays]
