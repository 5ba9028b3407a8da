"""Who may do what: nobody, a member of each group, root; with tetherctl, and with a
program that knows only the socket."""

from container import need, ok
from lab import PEOPLE, SOCKET

# The contract's number of `denied`, and the exit code for it.
DENIED = 1006
NO_PERMISSION = 77
SENDER, CHIEF, NOBODY = "sender", "chief", "nobody"


def users(lab):
    groups = lab.box.out("getent", "group", "tetherd-send", "tetherd-admin")
    need(len(groups.splitlines()) == 2, "sysusers made:", groups)
    for user, group in ((SENDER, "tetherd-send"), (CHIEF, "tetherd-admin")):
        lab.box.run("useradd", "--create-home", "--groups", group, user)


def is_denied(lab, user, method, params, words, sentence):
    """By the socket and by tetherctl alike."""
    error = lab.ask_as(user, method, params).get("error")
    need(error and error["code"] == DENIED and error["data"]["kind"] == "denied",
         user, method, error)
    need(error["message"] == sentence, error["message"])
    done = lab.ctl(*words, user=user, check=False)
    need(done.returncode == NO_PERMISSION, user, words, "ended with", done.returncode, done.stderr)
    need(sentence in done.stderr, done.stderr)


def nobody_is_refused(lab):
    text = {"to": PEOPLE[0], "text": "nobody 0"}
    is_denied(lab, NOBODY, "message.send", text, ["send", PEOPLE[0], "nobody 0"],
              "you have no access to this tetherd")
    is_denied(lab, NOBODY, "status", {}, ["status"], "you have no access to this tetherd")
    need("add the user to group tetherd-send" in
         lab.ctl("status", user=NOBODY, check=False).stderr, "the remedy is not named")
    ok(f"`nobody` is refused: code {DENIED}, exit code {NO_PERMISSION}, and what would help")


def a_sender_sends_and_no_more(lab):
    lab.ctl("status", user=SENDER)
    lab.ctl("send", PEOPLE[1], "member 0", user=SENDER)
    lab.wait_exactly_once([(PEOPLE[1], "member 0")], "member")
    is_denied(lab, SENDER, "queue.clear", {}, ["clear", "--yes"],
              "queue.clear needs the tier admin; yours is send")
    is_denied(lab, SENDER, "queue.pause", {}, ["pause"],
              "queue.pause needs the tier admin; yours is send")
    ok("a member of tetherd-send is served, and may neither clear nor pause the queue")


def an_administrator_may_do_everything(lab):
    for user in (CHIEF, None):
        name = user or "root"
        lab.ctl("pause", user=user)
        lab.ctl("send", PEOPLE[2], f"{name} 0", user=user)
        need("1" in lab.ctl("clear", "--yes", "--dry-run", user=user).stdout, "it would clear 0")
        lab.ctl("clear", "--yes", user=user)
        need(lab.ask("status")["queue"]["queued"] == 0, "it cleared nothing")
        lab.ctl("restore", user=user)
        lab.ctl("resume", user=user)
        lab.wait_exactly_once([(PEOPLE[2], f"{name} 0")], name)
    ok("a member of tetherd-admin may do everything, and so may root")


def a_file_goes_by_its_descriptor(lab):
    """The spool is written, of a file that the daemon itself could not open."""
    path = f"/home/{SENDER}/note.txt"
    lab.box.run("sh", "-c", f"umask 077; head -c 100000 /dev/zero | tr '\\0' 'x' > {path}",
                user=SENDER)
    lab.ctl("send", PEOPLE[3], "--file", path, user=SENDER)
    from container import until

    def came():
        inbox = lab.sim("recipient.inbox", number=PEOPLE[3])["messages"]
        return [m["content"] for m in inbox if m["content"] and "note.txt" in str(m["content"])]
    content = until("the file to arrive", came)[0]
    need("100000" in str(content), content)
    ok("a file that only its owner may read is taken by descriptor, spooled and sent")


STEPS = [users, nobody_is_refused, a_sender_sends_and_no_more, an_administrator_may_do_everything,
         a_file_goes_by_its_descriptor]
