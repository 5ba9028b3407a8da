"""Two accounts on one machine: each with its own configuration, state and socket, and
no way from one to the other."""

from access import DENIED
from container import need, ok, until
from lab import PACE, PEOPLE

NAMES = ("a", "b")
ACCOUNTS = {"a": "15550121", "b": "15550122"}


def socket_of(name):
    return f"/run/tetherd-{name}/control.sock"


def state_of(name):
    return f"/var/lib/private/tetherd-{name}"


def two_accounts(lab):
    for name in NAMES:
        lab.configure(PACE, path=f"/etc/tetherd/{name}.toml", keep=False)
        lab.systemctl("enable", "--now", f"tetherd@{name}.socket", f"tetherd@{name}.service")
        until(f"tetherd@{name}", lambda: lab.is_active(f"tetherd@{name}.service"))
        lab.pair(socket_of(name), ACCOUNTS[name])
    for name in NAMES:
        lab.ask("message.send", socket_of(name), to=PEOPLE[0], text=f"from-{name} 0")
    for name in NAMES:
        until(f"the message of {name}", lambda: [
            m for m in lab.sim("recipient.inbox", number=PEOPLE[0])["messages"]
            if m["text"] == f"from-{name} 0" and m["from"] == f"+{ACCOUNTS[name]}"])
        need(lab.box.exists(f"{state_of(name)}/lock"), "no state of its own")
    ok("tetherd@a and tetherd@b serve an account each, with own socket, state and configuration")


def neither_reads_the_other(lab):
    for name, other in (NAMES, NAMES[::-1]):
        pid = lab.pid(f"tetherd@{name}.service")
        user = lab.box.out("stat", "--format=%u", f"/proc/{pid}")
        need(user == lab.box.out("stat", "--format=%u", state_of(name)) != "0", user,
             f"runs {name}, and does not own its state")
        within = ["nsenter", f"--target={pid}", "--mount", "setpriv", f"--reuid={user}",
                  f"--regid={user}", "--clear-groups", "cat"]
        need(lab.box.out(*within, f"{state_of(name)}/lock") == str(pid),
             "the check sees nothing: its own state cannot be read either")
        need(lab.box.run(*within, f"{state_of(other)}/lock", check=False).returncode,
             f"from within its sandbox {name} can read {other}")
        need(lab.box.run("cat", f"{state_of(other)}/lock", user=user, check=False).returncode,
             f"the user of {name} can read {other}")
        answer = lab.ask_as(user, "queue.list", socket=socket_of(other))
        need(answer.get("error", {}).get("code") == DENIED, f"{name} may ask {other}:", answer)
        need("result" in lab.ask_as(user, "queue.list", socket=socket_of(name)), "nor its own")
    ok("neither instance's user can read the other's state, or ask it anything")


STEPS = [two_accounts, neither_reads_the_other]
