"""Runs the steps one after the other in one container. Arguments: the container's root,
the two packages. Ends with 75 if there is no container to be had."""

import sys
import time
import traceback

import access
import clients
import crashing
import installing
import instances
import leaving
import readme
import sandbox
from container import CannotBoot, Container, say
from lab import Lab

# In this order: what a step sets up, later ones may use; the last one leaves nothing.
PARTS = (installing, access, clients, sandbox, crashing, instances, readme,
         leaving)
SKIPPED = 75


def main():
    root, example, *packages = sys.argv[1:]
    # The machine's name is a host name, too: it may not clash with that of another run.
    box = Container(root, f"tetherd-boot-{time.monotonic_ns() % 100000}")
    lab = Lab(box, packages)
    with open(example, encoding="utf-8") as text:
        lab.example = text.read()
    step = lab.start_sim
    try:
        try:
            box.start()
        except CannotBoot as why:
            say(why)
            return SKIPPED
        step()
        for part in PARTS:
            for step in part.STEPS:
                step(lab)
    except Exception:  # Whatever it is: the step has failed.
        print(f"not ok - {step.__name__}", flush=True)
        traceback.print_exc()
        tell(box)
        return 1
    finally:
        box.stop()
    return 0


def tell(box):
    """What a person would look at first."""
    if box.leader is None:
        return
    for command in (("systemctl", "--no-pager", "status", "tetherd.service", "tetherd.socket"),
                    ("journalctl", "--no-pager", "--lines=40")):
        done = box.run(*command, check=False)
        say(f"--- {' '.join(command)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
