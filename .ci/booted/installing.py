"""The package goes in, the daemon is there, paired, and whoever comes while it is
stopped is served."""

import readme
from container import need, ok, until
from lab import CONFIG, PACE, SOCKET

# The highest exposure that is let pass, in tenths: 1.5 of 10, as in .ci/units.
EXPOSURE_MAX = 15
STATE = "/var/lib/private/tetherd"


def install(lab):
    # As on a machine where the configuration was written first. A build with the
    # simulator connects to loopback only, and would not start with the example.
    lab.configure({**PACE, "socket.group_send": '"tetherd-send"',
                   "socket.group_admin": '"tetherd-admin"'})
    said = readme.install(lab, lab.packages[0])
    for word in ("error", "warning", "Failed"):
        need(word not in said, "dpkg said:", said)
    for unit in ("tetherd.socket", "tetherd.service"):
        need(lab.systemctl("is-enabled", unit) == "enabled", unit, "is not enabled")
    until("the daemon to be active", lab.is_active)
    need(lab.show("SubState") == "running", "it is not running")
    need(lab.box.out("dpkg", "--verify", "tetherd").split() in ([], ["??5??????", "c", CONFIG]),
         "files differ from the package:", lab.box.out("dpkg", "--verify", "tetherd"))
    ok("the package installs; socket and daemon are enabled, and the daemon is active (running)")


def is_ready_when_it_says_so(lab):
    # What verifies is asked at once, and answers.
    lab.systemctl("restart", "tetherd.service")
    need(lab.is_active(), "`systemctl restart` returned, and it is not active")
    lab.ask("status")
    lab.systemctl("stop", "tetherd.service")
    started = len(lab.journal("Started tetherd"))
    good = lab.box.path(f"{STATE}/store/conf")
    with open(good, "rb") as file:
        conf = file.read()
    with open(good, "wb") as file:
        file.write(conf[::-1])
    lab.systemctl("start", "tetherd.service", check=False)
    until("it to fail", lambda: lab.show("ActiveState") == "failed")
    need(lab.show("ExecMainStatus") == "65", "it ended with", lab.show("ExecMainStatus"))
    need(len(lab.journal("Started tetherd")) == started, "it was called started")
    need(lab.show("NRestarts") == "0", "it was restarted")
    status = lab.show("StatusText")
    with open(good, "wb") as file:
        file.write(conf)
    lab.systemctl("start", "tetherd.service")
    ok(f"it is started only when its store is verified; one that cannot be read: {status}")


def tells_its_status(lab):
    text = until("the status text", lambda: lab.show("StatusText"))
    until("the status text to say it is not paired",
          lambda: lab.show("StatusText") == "Not paired; queue empty; held by not_paired")
    shown = lab.systemctl("status", "tetherd.service")
    need('Status: "Not paired; queue empty; held by not_paired"' in shown, text, shown)
    lab.pair()
    until("the status text to say that it is connected",
          lambda: lab.show("StatusText") == "Connected; queue empty")
    sent = lab.send("first", 3)
    lab.wait_exactly_once(sent, "first")
    ok("`systemctl status` shows the status in words; pairing and sending work")


def is_little_exposed(lab):
    said = lab.box.out("systemd-analyze", "security", "--no-pager",
                       f"--threshold={EXPOSURE_MAX}", "tetherd.service")
    ok(f"systemd-analyze security, of the running unit: {said.splitlines()[-1].split(': ')[-1]}")


def is_started_by_a_client(lab):
    lab.systemctl("stop", "tetherd.service")
    need(not lab.is_active(), "it is not stopped")
    need(lab.is_active("tetherd.socket") and lab.box.exists(SOCKET), "the socket is gone")
    to = "+15550101"
    lab.ctl("send", to, "while 0")
    need(lab.is_active(), "the client was served, and the daemon is not active")
    lab.wait_exactly_once([(to, "while 0")], "while")
    ok("a client that comes while the daemon is stopped is served")


def reloads(lab):
    lab.reload({"queue.history_max": "3000"})
    need(lab.is_active(), "it is not active after a reload")
    line = lab.journal("reloaded:")[-1]
    need("queue.history_max" in line, line)
    ok("`systemctl reload` takes a changed configuration over")


STEPS = [install, is_ready_when_it_says_so, tells_its_status, is_little_exposed,
         is_started_by_a_client, reloads]
