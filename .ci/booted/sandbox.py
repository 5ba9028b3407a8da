"""That the hardening takes away nothing which is needed, that a key is taken from
systemd, and that a wrong configuration is said once and not tried again and again."""

from container import need, ok, until
from lab import CONFIG, PEOPLE, SOCKET

WEB_PORT = 80
HOSTS = (("four.example.test", "127.0.0.1"), ("six.example.test", "::1"))
KEY = "/etc/credstore/tetherd.key"
WEB = f"""
import http.server, socket, sys
class Site(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200 if self.path == "/there" else 404)
        self.end_headers()
    def log_message(self, form, *words):
        print(form % words, flush=True)
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
Server((sys.argv[1], {WEB_PORT}), Site).serve_forever()
"""


def names_are_resolved_to_both_families(lab):
    hosts = lab.box.read("/etc/hosts") if lab.box.exists("/etc/hosts") else ""
    hosts += "".join(f"{address} {name}\n" for name, address in HOSTS)
    lab.box.write("/etc/hosts", hosts)
    lab.box.write("/srv/boot/web.py", WEB)
    for name, address in HOSTS:
        unit = name.partition(".")[0]
        lab.box.run("systemd-run", "--quiet", f"--unit=web-{unit}", "python3",
                    "/srv/boot/web.py", address)
    # Addresses of this machine are nobody's business, but here.
    lab.restart({"fetch.allow_addresses": '["127.0.0.0/8", "::1"]'})
    for name, _ in HOSTS:
        unit = f"web-{name.partition('.')[0]}"
        link = f"http://{name}:{WEB_PORT}"
        until(f"{unit} to listen", lambda: lab.box.run(
            "python3", "-c", "import socket, sys; socket.create_connection(sys.argv[1:])",
            name, str(WEB_PORT), check=False).returncode == 0)
        lab.ctl("send", PEOPLE[4], f"link {link}/there")
        lab.ctl("send", PEOPLE[4], f"link {link}/gone")
        lab.wait_journal('"HEAD /there', unit=unit)
        until("the link that leads nowhere to be parked", lambda: [
            m for m in lab.ask("queue.list", filter={"states": ["parked"]})["messages"]
            if name in m["text"] and m["reason"] and "link_broken" in str(m["reason"])])
        until("the other to arrive", lambda: (PEOPLE[4], f"link {link}/there") in lab.arrived())
    ok("inside the sandbox names are resolved, and servers reached by IPv4 and by IPv6")


def the_key_comes_from_systemd(lab):
    need("plain" in lab.ctl("status").stdout, "it does not say that the secrets lie plain")
    lab.box.run("sh", "-c", f"umask 077; mkdir -p /etc/credstore; head -c 32 /dev/urandom > {KEY}")
    lab.restart()
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
    lab.box.write(CONFIG, good)
    # Whoever comes once it is mended is served.
    lab.ctl("status")
    lab.wait_connected()
    ok("a wrong configuration (exit code 78) is not tried again, and `systemctl status` says why")


STEPS = [names_are_resolved_to_both_families, the_key_comes_from_systemd,
         a_wrong_configuration_is_not_tried_again]
