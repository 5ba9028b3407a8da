"""A Debian system that has booted in a container: starts it, runs commands in it as
whoever is asked for, speaks to its Unix sockets from outside, ends it. Knows nothing of
what runs there."""

import json
import os
import socket
import subprocess
import sys
import time

# The longest that anything may take on a busy machine.
DEADLINE_S = 60
# The longest that the system may take to boot; longer, and it does not boot at all.
BOOT_S = 90
# Between two looks at something that has no event of its own.
LOOK_S = 0.1

CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "SYSTEMD_PAGER": "cat",
         "DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_COLORS": "0"}


class Failed(Exception):
    """Something is not as it should be."""


class CannotBoot(Exception):
    """It is not ours: there is no container to be had here."""


class Refused(Exception):
    """A request was answered with an error."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.error = error


def need(holds, *words):
    """The words are said only if it does not hold."""
    if not holds:
        raise Failed(" ".join(str(word) for word in words))


def until(what, look, within=DEADLINE_S):
    """Looks until there is something to see, and answers it."""
    end = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        need(time.monotonic() < end, f"waited {within} s for {what}")
        time.sleep(LOOK_S)


class Container:
    def __init__(self, root, name):
        self.root = root
        self.name = name
        self.nspawn = None
        self.leader = None

    def start(self):
        log = open(f"{self.root}.log", "w", encoding="utf-8")
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--boot", f"--directory={self.root}", "--private-network",
             f"--machine={self.name}", "--register=no", "--keep-unit", "--console=pipe"],
            env={**CLEAN, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + BOOT_S
        while not self.has_booted():
            if self.nspawn.poll() is not None:
                raise CannotBoot(f"systemd-nspawn ended with {self.nspawn.returncode}")
            if time.monotonic() > end:
                raise CannotBoot(f"the container did not boot within {BOOT_S} s")
            time.sleep(LOOK_S)

    def has_booted(self):
        children = f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children"
        try:
            with open(children, encoding="ascii") as text:
                found = text.read().split()
            # Before it has become the system's first process there is nothing to enter.
            with open(f"/proc/{found[0]}/comm", encoding="ascii") as text:
                if text.read() != "systemd\n":
                    return False
        except (OSError, IndexError):
            return False
        self.leader = int(found[0])
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def stop(self):
        if self.nspawn is None:
            return
        self.nspawn.terminate()
        try:
            self.nspawn.wait(30)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.wait()

    def run(self, *command, user=None, check=True, stdin=""):
        """Runs a command to its end. As a user: with their groups, as after a login. A
        number is a user that no database knows, and who has no groups."""
        into = ["nsenter", f"--target={self.leader}", "--all", "--wd=/", "--"]
        if user:
            known = not user.isdigit()
            group = self.out("id", "-g", user) if known else user
            into += ["setpriv", f"--reuid={user}", f"--regid={group}",
                     "--init-groups" if known else "--clear-groups"]
        done = subprocess.run(into + list(command), env=CLEAN, input=stdin, text=True,
                              capture_output=True, timeout=DEADLINE_S, check=False)
        if check:
            need(done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:",
                 done.stdout, done.stderr)
        return done

    def out(self, *command, **how):
        """What a command prints, without its last newline."""
        return self.run(*command, **how).stdout.rstrip("\n")

    def path(self, inside):
        """A path of the running system, as it is reached from outside."""
        return f"/proc/{self.leader}/root{inside}"

    def exists(self, inside):
        return os.path.lexists(self.path(inside))

    def write(self, inside, text, mode=0o644):
        path = self.path(inside)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)

    def read(self, inside):
        with open(self.path(inside), encoding="utf-8") as file:
            return file.read()

    def remove(self, inside):
        os.unlink(self.path(inside))

    def ask(self, inside, method, **params):
        """One request as root, on a connection of its own."""
        return ask(self.path(inside), method, params)


def ask(path, method, params):
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(DEADLINE_S)
        line.connect(path)
        return ask_on(line, method, params)


def ask_on(line, method, params):
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    line.sendall(json.dumps(request).encode() + b"\n")
    with line.makefile("rb") as replies:
        reply = replies.readline()
    need(reply, f"{method} was not answered")
    reply = json.loads(reply)
    if "error" in reply:
        raise Refused(reply["error"])
    return reply["result"]


def ok(words):
    print(f"ok - {words}", flush=True)


def say(words):
    print(words, file=sys.stderr, flush=True)
