"""What all steps use: the simulator and the daemon in the container, their words, and
the recipients as witnesses of what came to them. Decides nothing about right and wrong
but one thing: whether messages arrived exactly once."""

import json
import re
import socket
import time

from container import DEADLINE_S, Failed, Refused, ask_on, need, until

SOCKET = "/run/tetherd/control.sock"
CONFIG = "/etc/tetherd/tetherd.toml"
SIM = "/run/sim/control.sock"
SIM_SAYS = "/srv/boot/ready"
# What the daemon trusts the simulator by: readable for everybody, and nobody's to purge.
SIM_CA = "/srv/boot/sim-ca.pem"
SIM_PORT = 4433
PEOPLE = [f"+1555010{n}" for n in range(1, 6)]
# Five may leave every two seconds: quick, and still one after another.
PACE = {"pacing.window": '"2s"'}
# So few leave that the queue stays as it is.
HELD = {"pacing.window": '"1h"'}
# All at once, more or less.
RUSH = {"pacing.messages": "60", "pacing.window": '"1s"'}


class Lab:
    def __init__(self, container, packages):
        self.box = container
        # The version that is installed first, and a higher one.
        self.packages = packages
        self.settings = {}
        self.example = None

    # The simulator.

    def run_sim(self):
        """As a service of its own; what it knows outlives it."""
        self.box.run(
            "systemd-run", "--unit=tether-sim", "--quiet", "--property=RuntimeDirectory=sim",
            "--property=StateDirectory=sim", f"--property=StandardOutput=truncate:{SIM_SAYS}",
            "/srv/boot/tether-sim", "--listen", f"127.0.0.1:{SIM_PORT}", "--control", SIM,
            "--dir", "/var/lib/sim")
        until("the simulator", lambda: self.box.exists(SIM))

    def start_sim(self):
        self.run_sim()
        ready = json.loads(until("the simulator's word", lambda: self.box.read(SIM_SAYS)))
        self.box.write(SIM_CA, self.box.read(ready["ca_file"]))
        # By name: the daemon has to ask the system for its addresses.
        self.box.write("/etc/hosts", "127.0.0.1 localhost\n")
        endpoint = ready["endpoint"].replace("127.0.0.1", "localhost")
        self.settings = {
            "session.endpoint": json.dumps(endpoint),
            "session.ca_file": json.dumps(SIM_CA),
            "session.ack_timeout": '"3s"',
            "session.backoff_first": '"100ms"',
        }
        for number in PEOPLE:
            self.sim("recipient.add", number=number, on_network=True, companions=0)

    def sim(self, method, **params):
        return self.box.ask(SIM, method, **params)

    # The configuration.

    def configure(self, more=None, path=CONFIG, keep=True):
        """Writes it as an administrator would: the example, with some lines in force."""
        settings = {**self.settings, **(more or {})}
        if keep:
            self.settings = settings
        section, lines, missing = "", [], dict(settings)
        for line in self.example.splitlines():
            if found := re.match(r"\[([a-z.]+)\]$", line):
                section = found[1]
            if found := re.match(r"#?([a-z_]+) = ", line):
                line = self.set_line(line, f"{section}.{found[1]}", missing)
            lines.append(line)
        need(not missing, "the example configuration has no", ", ".join(missing))
        self.box.write(path, "\n".join(lines) + "\n")

    @staticmethod
    def set_line(line, key, missing):
        if key not in missing:
            return line
        return f"{key.rpartition('.')[2]} = {missing.pop(key)}"

    def reload(self, more):
        """As `systemctl reload` does it, which returns before the daemon has read it."""
        self.configure(more)
        before = len(self.journal("reloaded:"))
        self.systemctl("reload", "tetherd.service")
        until("the daemon to reload", lambda: len(self.journal("reloaded:")) > before)

    def restart(self, more=None):
        self.configure(more)
        self.systemctl("restart", "tetherd.service")
        self.wait_connected()

    # systemd.

    def systemctl(self, *words, **how):
        return self.box.out("systemctl", *words, **how)

    def show(self, name, unit="tetherd.service"):
        return self.systemctl("show", "--value", f"--property={name}", unit)

    def is_active(self, unit="tetherd.service"):
        return self.systemctl("is-active", unit, check=False) == "active"

    def pid(self, unit="tetherd.service"):
        return int(self.show("MainPID", unit))

    def journal(self, part, unit="tetherd.service"):
        """The lines of the unit's journal, systemd's own among them, that contain this."""
        self.box.run("journalctl", "--sync", check=False)
        lines = self.box.out("journalctl", "--quiet", "--output=cat", f"--unit={unit}")
        return [line for line in lines.splitlines() if part in line]

    def wait_journal(self, part, before=0, unit="tetherd.service"):
        """Waits for more such lines than there were, and answers the last."""
        lines = until(f"{part!r} in the journal",
                      lambda: (found := self.journal(part, unit)) and len(found) > before and found)
        return lines[-1]

    # The daemon.

    def ask(self, method, socket=SOCKET, **params):
        return self.box.ask(socket, method, **params)

    def ctl(self, *words, user=None, check=True, stdin=""):
        return self.box.run("tetherctl", *words, user=user, check=check, stdin=stdin)

    def ask_as(self, user, method, params=None, socket=SOCKET):
        """One request of somebody else, who has Python and no tetherctl."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        script = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(60); "
                  "s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode() + b'\\n'); "
                  "print(s.makefile().readline())")
        return json.loads(self.box.out("python3", "-c", script, socket, json.dumps(request),
                                       user=user))

    def wait_connected(self, socket=SOCKET):
        until("the session",
              lambda: self.ask("status", socket)["session"]["state"] == "connected")

    def pair(self, socket=SOCKET, account="15550100"):
        offer = self.ask("session.pair", socket)["offer"]
        self.sim("phone.scan", qr=offer["qr"], account=account)
        self.wait_connected(socket)

    def send(self, batch, count, first=0):
        """Puts texts into the queue over one connection; answers them by recipient."""
        sent = []
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(DEADLINE_S)
            line.connect(self.box.path(SOCKET))
            for n in range(first, first + count):
                to, text = PEOPLE[n % len(PEOPLE)], f"{batch} {n}"
                ask_on(line, "message.send", {"to": to, "text": text, "key": f"{batch}-{n}"})
                sent.append((to, text))
        return sent

    # The witnesses.

    def arrived(self):
        """Every message that came to somebody: (to, text) for each id."""
        found = []
        for number in PEOPLE:
            inbox = self.sim("recipient.inbox", number=number)["messages"]
            found += [(number, message["text"]) for message in inbox]
        return found

    def wait_exactly_once(self, sent, batch):
        """All of a batch arrive, none twice, and nothing that was not sent; then the
        daemon knows it, too."""
        def missing():
            there = set(self.arrived())
            return [one for one in sent if one not in there]
        end = time.monotonic() + DEADLINE_S
        while lost := missing():
            need(time.monotonic() < end, f"{len(lost)} of {len(sent)} did not arrive:", lost[:3],
                 self.ask("status")["queue"])
            time.sleep(0.5)
        until("the queue to be empty", self.is_drained)
        ours = [one for one in self.arrived() if one[1].startswith(f"{batch} ")]
        need(len(ours) == len(sent), f"{len(ours)} arrived of {len(sent)}: some twice")
        need(set(ours) == set(sent), "something arrived that was not sent")

    def is_drained(self):
        queue = self.ask("status")["queue"]
        return not any(queue[state] for state in ("preparing", "queued", "sending", "unknown"))


def refused(call, *arguments, **named):
    """The error that a request is answered with."""
    try:
        answer = call(*arguments, **named)
    except Refused as refusal:
        return refusal.error
    raise Failed(f"it was allowed: {answer}")
