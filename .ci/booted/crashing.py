"""What happens when it dies or hangs: systemd starts it again, and nothing is lost or
doubled."""

from container import need, ok, until
from lab import HELD, PACE

KILLS = 2
# Of each batch some are on their way while it happens.
BATCH = 20
# All loops answer at once here: no connection is slow to close, and the network is a
# program on the same machine. What the unit's own 90 s allow for does not come up.
WATCHDOG_S = 5
STALLS = "/run/tetherd-stalls"
DROP_IN = "/etc/systemd/system/tetherd.service.d/watchdog.conf"


def survives_kill_9(lab):
    lab.restart(PACE)
    for n in range(1, KILLS + 1):
        sent = lab.send(f"kill{n}", BATCH)
        until("some to have left", lambda: lab.ask("status")["queue"]["queued"] < BATCH)
        restarts = int(lab.show("NRestarts"))
        before = lab.pid()
        # Past systemd, as the kernel would do it when memory runs out.
        lab.box.run("kill", "-KILL", str(before))
        until("systemd to restart it", lambda: int(lab.show("NRestarts")) > restarts)
        until("the daemon to be active", lab.is_active)
        need(lab.pid() != before, "it is the same process")
        lab.wait_exactly_once(sent, f"kill{n}")
    ok(f"killed {KILLS} times with {BATCH} messages queued: restarted by systemd, none lost, "
       "none doubled")


def watch_closely(lab):
    lab.box.write(DROP_IN, f"[Service]\nWatchdogSec={WATCHDOG_S}\n"
                           f"Environment=TETHERD_SIM_STALL={STALLS}\n")
    lab.box.run("mkdir", "-p", STALLS)
    lab.systemctl("daemon-reload")
    lab.restart()


def is_killed_by_the_watchdog(lab):
    watch_closely(lab)
    for of in ("committer", "session", "accept", "engine"):
        sent = lab.send(of, BATCH)
        until("some to have left", lambda: lab.ask("status")["queue"]["queued"] < BATCH)
        killed = len(lab.journal("Watchdog timeout"))
        stood = len(lab.journal("a loop stands still"))
        before = lab.pid()
        lab.box.write(f"{STALLS}/{of}", "")
        line = lab.wait_journal("a loop stands still", stood)
        need(of in line, line)
        # The next one shall run.
        lab.box.remove(f"{STALLS}/{of}")
        lab.wait_journal("Watchdog timeout", killed)
        until("the daemon to be back", lambda: lab.is_active() and lab.pid() != before)
        need(lab.journal("Failed with result 'watchdog'"), "the journal does not name the watchdog")
        lab.wait_exactly_once(sent, of)
        ok(f"its {of} loop stalls: killed by the watchdog, restarted, none of {BATCH} lost or "
           "doubled")
    lab.box.remove(DROP_IN)
    lab.systemctl("daemon-reload")
    lab.restart()


def comes_back_with_the_machine(lab):
    """Halted and booted with messages queued, and nobody has to do anything."""
    lab.restart(HELD)
    sent = lab.send("boot", BATCH)
    lab.box.stop()
    lab.box.start()
    lab.run_sim()
    until("the daemon to be active", lab.is_active)
    need(lab.show("NRestarts") == "0", "it took more than one start")
    lab.wait_connected()
    lab.reload(PACE)
    lab.wait_exactly_once(sent, "boot")
    ok(f"the machine is booted anew: the daemon is there, and none of {BATCH} lost or doubled")


STEPS = [survives_kill_9, is_killed_by_the_watchdog, comes_back_with_the_machine]
