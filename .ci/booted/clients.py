"""The clients that the package brings: each example is run by a user who is in the group, and
by one who is not."""

import os

from access import NO_PERMISSION, NOBODY, SENDER
from container import need, ok, until
from lab import PEOPLE

FOLDER = "/usr/share/tetherd/clients"
TO = PEOPLE[0]
# Over the functions and the module themselves: a first message in a few lines.
SHELL = '. "$1/tetherd.sh"; id=$(tetherd_send "$2" "shell 0" shell-0); tetherd_wait "$id" sent 60'
PYTHON = """
import sys
sys.path.insert(0, sys.argv[1])
import tetherd
try:
    with tetherd.Client() as client:
        client.send_text(sys.argv[2], "python 0", key="python-0")
except tetherd.TetherdError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def all_of_them():
    """What is run, with what on its standard input, and the texts that must arrive."""
    examples = f"{FOLDER}/examples"
    return {
        "tetherd.sh": (["sh", "-euc", SHELL, "sh", FOLDER, TO], "", ["shell 0"]),
        "tetherd.py": (["python3", "-c", PYTHON, FOLDER, TO], "", ["python 0"]),
        "alert.sh": (["sh", f"{examples}/alert.sh", TO, "alert-0"], "alert 0\n", ["alert 0"]),
        "check.sh": (["sh", f"{examples}/check.sh"], "", []),
        "digest.py": (["python3", f"{examples}/digest.py", "/srv/boot/numbers.txt"], "digest 0\n",
                      ["digest 0"]),
        "parked.py": (["python3", f"{examples}/parked.py", "--once"], "", []),
        "responder.py": (["python3", f"{examples}/responder.py", "/home/sender/cursor"], "", []),
    }


def examples_run_for_members_only(lab):
    lab.box.write("/srv/boot/numbers.txt", f"{TO}  # and no more\n")
    known = all_of_them()
    there = set(os.listdir(lab.box.path(f"{FOLDER}/examples")))
    need(there <= set(known), "examples that are not run here:", there - set(known))
    for name, (command, said, texts) in known.items():
        denied = lab.box.run(*command, user=NOBODY, stdin=said, check=False)
        # A check has codes of its own: what it cannot look at is critical.
        expected = 2 if name == "check.sh" else NO_PERMISSION
        need(denied.returncode == expected, name, "ended with", denied.returncode, denied.stderr)
        need("you have no access" in denied.stderr and "add the user to group tetherd-send"
             in denied.stderr, name, "does not say why:", denied.stderr)
        if name == "responder.py":
            continue
        # Twice: with a key, a message is sent once however often it is asked for.
        for _ in range(2):
            lab.box.run(*command, user=SENDER, stdin=said)
        for text in texts:
            lab.wait_exactly_once([(TO, text)], text.partition(" ")[0])
    responds(lab, known["responder.py"][0])
    ok(f"{len(known)} clients and examples work for a member of tetherd-send, and `nobody` is told "
       "what is missing: " + ", ".join(known))


def responds(lab, command):
    lab.box.run("systemd-run", "--quiet", "--unit=responder", f"--uid={SENDER}", *command)
    # What came before it had begun is not its business: it keeps how far it got first.
    until("the responder to have begun", lambda: lab.box.exists("/home/sender/cursor"))
    lab.sim("recipient.reply", number=TO, text="ping")
    until("the answer", lambda: (TO, "pong") in lab.arrived())
    lab.systemctl("stop", "responder.service")


STEPS = [examples_run_for_members_only]
