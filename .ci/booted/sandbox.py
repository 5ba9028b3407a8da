"""That the hardening takes away nothing which is needed, that a key is taken from
systemd, and that a wrong configuration is said once and not tried again and again."""

import readme
from container import need, ok, until
from lab import CONFIG, PEOPLE, SOCKET

WEB_PORT = 80
HOSTS = (("four.example.test", "127.0.0.1"), ("six.example.test", "::1"))
KEY = "/etc/credstore/tetherd.key"
DROP_IN = "/etc/systemd/system/tetherd.service.d/names.conf"
PROBE = "/run/systemd/system/probe.service"
WEB = f"""
import http.server, socket, sys
class Site(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200 if self.path.startswith("/there") else 404)
        self.end_headers()
    do_GET = do_HEAD
    def log_message(self, form, *words):
        print(form % words, flush=True)
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
Server((sys.argv[1], {WEB_PORT}), Site).serve_forever()
"""
# What the daemon does, in the daemon's own sandbox: asks for a name, connects to it,
# writes in its state directory; and what it may not.
PROBING = f"""
import os, socket
for name, address in {HOSTS!r}:
    found = {{entry[4][0] for entry in socket.getaddrinfo(name, {WEB_PORT})}}
    assert found == {{address}}, (name, found)
    socket.create_connection((name, {WEB_PORT})).close()
with open(os.environ["STATE_DIRECTORY"] + "/probe", "w") as file:
    file.write("written")
    os.fsync(file.fileno())
def fails(what, *how):
    try:
        what(*how)
    except OSError:
        return
    raise AssertionError(how)
fails(open, "/var/lib/probe", "w")
fails(open, "/etc/probe", "w")
fails(os.listdir, "/home/sender")
fails(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW)
"""


def web_servers(lab):
    hosts = lab.box.read("/etc/hosts") if lab.box.exists("/etc/hosts") else ""
    hosts += "".join(f"{address} {name}\n" for name, address in HOSTS)
    lab.box.write("/etc/hosts", hosts)
    lab.box.write("/srv/boot/web.py", WEB)
    for name, address in HOSTS:
        unit = f"web-{name.partition('.')[0]}"
        lab.box.run("systemd-run", "--quiet", f"--unit={unit}", "python3", "/srv/boot/web.py",
                    address)
        until(f"{unit} to listen", lambda: lab.box.run(
            "python3", "-c", "import socket, sys; socket.create_connection(sys.argv[1:])",
            name, str(WEB_PORT), check=False).returncode == 0)


def the_sandbox_lets_through_what_is_needed(lab):
    """The unit as it is, around another program: a build with the simulator asks no
    resolver, and so cannot show by itself that the unit lets it."""
    unit = lab.systemctl("cat", "tetherd.service")
    for line, instead in (("Type=notify", "Type=oneshot"), ("Restart=on-failure", "Restart=no"),
                          ("ExecStart=/usr/bin/tetherd", "ExecStart=python3 /srv/boot/probe.py"),
                          ("StateDirectory=tetherd", "StateDirectory=probe"),
                          ("Requires=tetherd.socket", "")):
        need(f"\n{line}\n" in unit, "the unit has no", line)
        unit = unit.replace(f"\n{line}\n", f"\n{instead}\n")
    lab.box.write("/srv/boot/probe.py", PROBING)
    lab.box.write(PROBE, unit)
    lab.systemctl("daemon-reload")
    done = lab.box.run("systemctl", "start", "probe.service", check=False)
    need(done.returncode == 0, *lab.journal("", unit="probe.service"))
    lab.box.remove(PROBE)
    lab.systemctl("daemon-reload")
    ok("the unit's sandbox lets names be resolved, IPv4 and IPv6 be used, and the state be "
       "written, and nothing else be written")


def both_families_are_used(lab):
    names = ",".join(f"{name}={address}" for name, address in HOSTS)
    lab.box.write(DROP_IN, f"[Service]\nEnvironment=TETHERD_SIM_HOSTS={names}\n")
    lab.systemctl("daemon-reload")
    # Addresses of this machine are nobody's business, but here.
    lab.restart({"fetch.allow_addresses": '["127.0.0.0/8", "::1"]'})
    for name, _ in HOSTS:
        lab.ctl("send", PEOPLE[4], f"link http://{name}/there")
        lab.ctl("send", PEOPLE[4], f"link http://{name}/gone")
        lab.wait_journal('"HEAD /there', unit=f"web-{name.partition('.')[0]}")
        until("the link that leads nowhere to be parked", lambda: [
            m for m in lab.ask("queue.list", filter={"states": ["parked"]})["messages"]
            if f"{name}/gone" in m["preview"] and "link_broken" in str(m["reason"])])
        until("the other to arrive", lambda: (PEOPLE[4], f"link http://{name}/there")
              in lab.arrived())
    lab.ctl("clear", "--yes")
    lab.box.remove(DROP_IN)
    lab.systemctl("daemon-reload")
    ok("the daemon looks at links by IPv4 and by IPv6, and parks one that leads nowhere")


def the_key_comes_from_systemd(lab):
    need("plain" in lab.ctl("status").stdout, "it does not say that the secrets lie plain")
    readme.type_block(lab, KEY)
    lab.wait_connected()
    said = lab.ctl("status").stdout
    need("encrypted" in said, said)
    sent = lab.send("sealed", 2)
    lab.wait_exactly_once(sent, "sealed")
    # And not without it: refused for good, until somebody puts the key back.
    lab.box.run("mv", KEY, f"{KEY}.away")
    lab.systemctl("restart", "tetherd.service", check=False)
    stays_down(lab)
    lab.box.run("mv", f"{KEY}.away", KEY)
    lab.systemctl("start", "tetherd.service")
    lab.wait_connected()
    ok("with /etc/credstore/tetherd.key the status says encrypted, and without it the store "
       "stays shut")


def stays_down(lab):
    """Failed, once, and not tried again."""
    until("it to fail", lambda: lab.show("ActiveState") == "failed")
    need(lab.show("Result") == "exit-code", lab.show("Result"))
    need(lab.show("NRestarts") == "0", "it was restarted", lab.show("NRestarts"), "times")
    return lab.show("ExecMainStatus")


def a_wrong_configuration_is_not_tried_again(lab):
    good = lab.box.read(CONFIG)
    lab.box.write(CONFIG, good.replace("[queue]\n", '[queue]\ncapacity = "many"\n', 1))
    lab.systemctl("restart", "tetherd.service", check=False)
    status = stays_down(lab)
    need(status == "78", "it ended with", status)
    shown = lab.systemctl("status", "tetherd.service", check=False)
    need("capacity" in shown and CONFIG in shown, "`systemctl status` does not say why:", shown)
    need(lab.is_active("tetherd.socket") and lab.box.exists(SOCKET), "the socket is gone")
    # Whoever comes is told so, and does not have it started for as long as they wait.
    starts = len(lab.journal("Starting tetherd"))
    done = lab.ctl("status", check=False)
    need(done.returncode == 75 and "cannot start" in done.stderr, done.returncode, done.stderr)
    need("capacity" not in done.stderr, "a caller is told what the configuration says")
    until("it to fail", lambda: lab.show("ActiveState") == "failed"
          and lab.show("SubState", "tetherd.socket") == "listening")
    need(len(lab.journal("Starting tetherd")) == starts + 1, "it was started again and again")
    lab.box.write(CONFIG, good)
    # Whoever comes once it is mended is served.
    lab.ctl("status")
    lab.wait_connected()
    ok("a wrong configuration (exit code 78) is not tried again, `systemctl status` says why, and "
       "a client is told to ask an administrator")


STEPS = [web_servers, the_sandbox_lets_through_what_is_needed, both_families_are_used,
         the_key_comes_from_systemd,
         a_wrong_configuration_is_not_tried_again]
