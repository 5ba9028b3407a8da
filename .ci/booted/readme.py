"""What the README has root type is typed as printed. Each block for root is run by one
step, here or where the same is looked at; none may be left over."""

import os
import re

from container import need, ok, until
from lab import PACE, PEOPLE, refused

README = os.path.join(os.path.dirname(__file__), "..", "..", "README.md")
# Where the README's commands are typed.
HERE = "/srv/readme"
STATE = "/var/lib/private/tetherd"

done = set()


def blocks():
    with open(README, encoding="utf-8") as text:
        return re.findall(r"^```sh root\n(.*?)^```$", text.read(), re.MULTILINE | re.DOTALL)


def type_block(lab, part):
    """The one block with this in it, line by line, in a shell that stops at an error."""
    found = [block for block in blocks() if part in block]
    need(len(found) == 1, f"{part!r} is in {len(found)} blocks of the README")
    done.add(found[0])
    return lab.box.out("sh", "-euc", f"cd {HERE}\n{found[0]}")


def install(lab, package):
    """As the README does it. An administrator's configuration is kept without asking."""
    lab.box.write("/etc/dpkg/dpkg.cfg.d/boot-test", "force-confold\n")
    lab.box.run("mkdir", "-p", f"{HERE}/target/debian")
    lab.box.run("cp", package, f"{HERE}/target/debian/tetherd_1.deb")
    return type_block(lab, "apt-get install")


def users_join(lab):
    lab.box.run("useradd", "ada")
    type_block(lab, "usermod")
    for user, group in (("mail", "tetherd-send"), ("ada", "tetherd-admin")):
        need(group in lab.box.out("id", "-nG", user).split(), user, "is not in", group)
    lab.ctl("status", user="mail")
    lab.ctl("pause", user="ada")
    lab.ctl("resume", user="ada")
    ok("who joins the groups as the README says is served")


def a_backup_is_restored(lab):
    lab.restart(PACE)
    before = lab.ask("message.send", to=PEOPLE[0], text="before 0")["message"]["id"]
    lab.wait_exactly_once([(PEOPLE[0], "before 0")], "before")
    type_block(lab, "tar -C /var/lib/private -cf")
    need(lab.box.out("stat", "--format=%a", "/root/tetherd.tar") == "600",
         "others may read the backup")
    need(not lab.ask("status")["queue"]["paused"], "it is still paused")
    lab.wait_connected()
    after = lab.ask("message.send", to=PEOPLE[1], text="after 0")["message"]["id"]
    lab.wait_exactly_once([(PEOPLE[1], "after 0")], "after")
    said = type_block(lab, "mv /var/lib/private/tetherd ")
    need("paused" in said, "the status does not say that it is paused:", said)
    need(lab.ask("message.get", id=before)["text"] == "before 0", "what was there is lost")
    error = refused(lab.ask, "message.get", id=after)
    need(error["data"]["kind"] == "not_found", error)
    lab.wait_connected()
    lab.ctl("logout", "--yes")
    lab.pair()
    lab.ctl("resume")
    lab.ask("message.send", to=PEOPLE[1], text="restored 0")
    lab.wait_exactly_once([(PEOPLE[1], "restored 0")], "restored")
    ok("a backup is made and restored as the README says; it starts paused, and goes on when "
       "paired anew")


def nothing_is_left_over(_lab):
    left = [block for block in blocks() if block not in done]
    need(not left, "no step types this of the README:", *left)
    ok(f"all {len(done)} blocks of the README for root were typed as printed")


STEPS = [users_join, a_backup_is_restored, nothing_is_left_over]
