#!/usr/bin/env python3
"""Answers every text that comes in, each once, also over crashes and restarts of both sides.

    responder.py /var/lib/responder/seq

The file keeps how far it got: it is written after the answer is accepted. A crash between the
two means that the same message is answered again, under the same key: it leaves once. Files
that come in are saved in the same folder, under the message's cursor.
"""

import os
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import tetherd

RETRY_FOR_S = 24 * 3600.0
FILE_FOR_S = 600.0


def answer_to(message):
    """What to say to this message; none: nothing."""
    if message["kind"] == "text" and message.get("text", "").strip().lower() == "ping":
        return "pong"
    return None


def save_file(client, message, folder):
    give_up = time.monotonic() + FILE_FOR_S
    while True:
        try:
            info, file = client.inbox_file(message["cursor"])
            break
        except tetherd.TetherdError as error:
            # Messages come before the session is all up: the daemon says when to ask again.
            if error.is_temporary and time.monotonic() < give_up:
                time.sleep(error.retry_after or 1)
                continue
            if not isinstance(error, tetherd.NotFound):
                raise
            print(f"{message['cursor']}: {error}", file=sys.stderr)
            return
    # The name is somebody else's: the cursor is ours.
    with file, open(folder / f"{message['cursor']}.bin", "wb") as copy:
        shutil.copyfileobj(file, copy)
    print(f"{message['cursor']}: {info['bytes']} bytes of {info['mime']}", flush=True)


def kept(path):
    """The number and the feed, as they were kept."""
    seq, feed = path.read_text().split()
    return int(seq), feed


def follow(client, path):
    """What comes after what was dealt with."""
    after, feed = kept(path) if path.exists() else (None, None)
    try:
        events = client.events(after, feed=feed)
    except tetherd.FeedRenewed as error:
        print(error, file=sys.stderr)
        return client.events(0)
    if after is None:
        keep(path, events)
    return events


def keep(path, events):
    """Whole or not at all: a new file takes the old one's place."""
    new = path.with_suffix(".new")
    with open(new, "w") as file:
        file.write(f"{events.seq} {events.feed}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def main():
    path = pathlib.Path(sys.argv[1])
    with tetherd.Client() as client, follow(client, path) as events:
        for event in events:
            if event["event"] == "gap":
                print(f"not kept any more: {event['of']}, {event['gap']}", file=sys.stderr)
            if event["event"] != "incoming":
                continue
            message = event["message"]
            if not message["from_me"]:
                answer = answer_to(message)
                if answer is not None:
                    key = f"answer-{message['wa_id']}"
                    client.send_text(message["chat"], answer, key=key, retry_for=RETRY_FOR_S)
                    print(f"{message['cursor']}: answered", flush=True)
                if "file" in message:
                    save_file(client, message, path.parent)
            keep(path, events)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: responder.py FILE")
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except tetherd.TetherdError as error:
        print(f"tetherd: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
