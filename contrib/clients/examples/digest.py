#!/usr/bin/env python3
"""Sends today's digest: the text on stdin to each number in a file, each exactly once a day.

    df -h / | digest.py --name disk numbers.txt

Run it as often as you like, and again after it failed: the key names the digest, the day and
the number, and a message is sent once for each key. The same day's digest with another text
is refused (key_conflict), for some may have had the first one. What has not left by midnight
is not sent any more. A line of the file is a number or a JID; `#` begins a comment.
"""

import argparse
import datetime
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tetherd


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("numbers", type=argparse.FileType())
    arguments.add_argument("--name", default="digest")
    arguments.add_argument("--retry-for", type=float, default=3600.0, metavar="SECONDS")
    given = arguments.parse_args()
    lines = (line.partition("#")[0].strip() for line in given.numbers)
    numbers = [line for line in lines if line]
    text = sys.stdin.read().rstrip("\n")
    today = datetime.datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    midnight = (today + datetime.timedelta(days=1)).replace(tzinfo=None).astimezone()
    worst = 0
    with tetherd.Client() as client:
        for number in numbers:
            key = f"{given.name}-{today:%Y-%m-%d}-{number}"
            try:
                sent = client.send_text(
                    number, text, key=key, retry_for=given.retry_for, expires_at=midnight
                )
            except (tetherd.InvalidParams, tetherd.KeyConflict) as error:
                # About this one number: the others get theirs.
                print(f"{number}: {error}", file=sys.stderr)
                worst = error.exit_code
                continue
            again = " (was sent before)" if sent["duplicate"] else ""
            print(f"{number}: {sent['message']['id']}{again}")
    return worst


if __name__ == "__main__":
    try:
        sys.exit(main())
    except tetherd.TetherdError as error:
        print(f"tetherd: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
