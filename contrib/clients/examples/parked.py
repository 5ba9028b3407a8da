#!/usr/bin/env python3
"""Reports every message that is parked, and why: on stdout, or by mail.

    parked.py                    what is parked now, then what will be
    parked.py --once             what is parked now; ends with 1 if anything is
    parked.py --mail ops@example.org

Runs under a service manager: it survives restarts of the daemon, and reports nothing twice.
Mail goes through sendmail(8), of which most mail servers bring one along.
"""

import argparse
import pathlib
import subprocess
import sys
from email.message import EmailMessage

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tetherd


def sentence(message):
    reason = message.get("reason", {})
    why = " ".join(str(reason[name]) for name in ("kind", "code", "detail") if name in reason)
    return f"{message['id']} to {message['to']} is parked: {why}"


def report(text, mail_to):
    if mail_to is None:
        print(text, flush=True)
        return
    mail = EmailMessage()
    mail["To"] = mail_to
    mail["Subject"] = "tetherd: a message is parked"
    mail.set_content(text + "\n\n`tetherctl why` says more, and what to type.\n")
    subprocess.run(["sendmail", "-t", "-oi"], input=mail.as_bytes(), check=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--mail", metavar="ADDRESS")
    arguments.add_argument("--once", action="store_true")
    given = arguments.parse_args()
    reported = {}

    def look_at(message):
        # One that was put back and is parked again is reported again.
        if message["state"] != "parked":
            reported.pop(message["id"], None)
        elif reported.get(message["id"]) != message["changed_at"]:
            reported[message["id"]] = message["changed_at"]
            report(sentence(message), given.mail)

    with tetherd.Client() as client:
        if given.once:
            for message in client.queue_iter({"states": ["parked"]}):
                look_at(message)
            return 1 if reported else 0
        # The stream begins with every message that is parked now, and a connection that is
        # lost continues where it was: nothing else is to be asked for.
        for event in client.events():
            if event["event"] == "message":
                look_at(event["message"])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except tetherd.TetherdError as error:
        print(f"tetherd: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
