"""Follows the Python client's event stream and prints a line for each event that matters,
until the text `end` comes in. What the daemon does meanwhile is the test's affair."""

from tetherd import Client

with Client() as client, client.events(after=0) as events:
    for event in events:
        if event["event"] == "incoming":
            print("incoming", event["message"]["cursor"], event["message"]["text"], flush=True)
            if event["message"]["text"] == "end":
                break
        elif event["event"] == "snapshot_end":
            # What a caller may do: the call's own connection was lost as well.
            queued = client.status()["queue"]["queued"]
            print("up to date", queued, flush=True)
        elif event["event"] == "message":
            print(event["message"]["id"], event["message"]["state"], flush=True)
