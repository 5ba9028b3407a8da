#!/usr/bin/env python3
"""The page in a real browser, by WebDriver: what a person does and sees, pictures of each
state, and axe-core where it can be had. Expects a front, and a control socket of the simulator.

browser.py DRIVER URL TOKEN SIM_SOCKET PICTURES [AXE]
"""

import base64
import json
import pathlib
import socket
import sys
import time
import urllib.error
import urllib.request

DEADLINE_S = 60
# The simulator's first account, without the +.
ACCOUNT = "15550100"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    def __init__(self, driver, dark=False, width=1100, height=900, script=True):
        prefs = {} if script else {"profile.managed_default_content_settings.javascript": 2}
        args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                f"--window-size={width},{height}"]
        options = {"args": args, "prefs": prefs}
        asked = {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"}}}}
        self.driver = driver
        self.session = self.post("/session", asked)["sessionId"]
        self.cdp("Emulation.setEmulatedMedia",
                 {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.cdp("Emulation.setDeviceMetricsOverride",
                 {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.driver + path, data, method=method,
                                         headers={"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def post(self, path, body=None):
        return self.ask("POST", path, {} if body is None else body)

    def own(self, method, path, body=None):
        if method == "POST" and body is None:
            body = {}
        return self.ask(method, f"/session/{self.session}{path}", body)

    def cdp(self, command, params):
        return self.own("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def go(self, url):
        self.own("POST", "/url", {"url": url})

    def find(self, selector):
        return self.own("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.own("POST", f"/element/{self.find(selector)}/click")

    def type(self, selector, text):
        self.own("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def script(self, script, *args):
        return self.own("POST", "/execute/sync", {"script": script, "args": list(args)})

    def text(self):
        # Without script in the page, the driver's own still works.
        return self.script("return document.body.innerText")

    def until(self, what, holds):
        end = time.monotonic() + DEADLINE_S
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"waited too long for {what}:\n{self.text()}")
            time.sleep(0.05)

    def until_shown(self, text):
        self.until(repr(text), lambda: text.lower() in self.text().lower())

    def press(self, label):
        """The button or link with this label, as a person finds it."""
        def pressed():
            found = self.script("""
                const all = [...document.querySelectorAll('button, a')];
                return all.find(one => one.innerText.trim() === arguments[0]) ?? null;""", label)
            assert found, f"no button {label!r} in:\n{self.text()}"
            try:
                self.own("POST", f"/element/{found[ELEMENT]}/click")
            except AssertionError as error:
                # The page has renewed that part of itself in between.
                if "stale element reference" not in str(error):
                    raise
                return False
            return True
        self.until(f"a click on {label!r}", pressed)

    def picture(self, path):
        size = self.script("return document.documentElement.scrollHeight")
        shot = self.cdp("Page.captureScreenshot", {
            "format": "png", "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": self.script("return innerWidth"),
                     "height": min(size, 4000), "scale": 1}})
        path.write_bytes(base64.b64decode(shot["data"]))

    def log_in(self, url, token):
        self.go(url + "login")
        self.type("#token", token)
        self.click("main button")
        self.until("the overview", lambda: "/d/" in self.own("GET", "/url"))

    def complaints(self):
        return self.own("POST", "/se/log", {"type": "browser"})

    def end(self):
        self.ask("DELETE", f"/session/{self.session}")


def rpc(path, method, params):
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(path)
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        stream.sendall(json.dumps(request).encode() + b"\n")
        for line in stream.makefile():
            answer = json.loads(line)
            if answer.get("id") == 1:
                assert "error" not in answer, answer
                return answer["result"]


def main(driver, url, token, sim, pictures, axe=None):
    folder = pathlib.Path(pictures)
    folder.mkdir(parents=True, exist_ok=True)
    axe = pathlib.Path(axe).read_text() if axe else None
    daemon = url + "d/main/"
    person = Browser(driver)
    others = {"dark": Browser(driver, dark=True), "phone": Browser(driver, width=390, height=800)}
    overflow = []

    def state(name, path):
        """Pictures of a state in each browser, and what axe says about it."""
        for kind, browser in {"light": person, **others}.items():
            if browser is not person or browser.own("GET", "/url") != daemon + path:
                browser.go(daemon + path)
            browser.picture(folder / f"{name}-{kind}.png")
            if browser.script("return document.documentElement.scrollWidth > innerWidth"):
                overflow.append(f"{name}-{kind}")
        if axe:
            for browser in (person, others["dark"]):
                browser.script(axe)
                found = browser.own("POST", "/execute/async", {"script": """
                    const done = arguments[arguments.length - 1];
                    axe.run().then(found => done(found.violations.map(one =>
                        one.id + ': ' + one.nodes.map(node => node.html).join(' | '))));""", "args": []})
                assert not found, f"axe-core on {name}: {found}"

    person.go(url + "login")
    person.picture(folder / "login-light.png")
    for browser in (person, *others.values()):
        browser.log_in(url, token)

    # Not linked: the page says so, and leads to the code.
    person.until_shown("no phone is paired")
    state("unlinked", "")
    person.press("Link the phone")
    person.press("Show a QR code")
    person.until("the code", lambda: person.script("return !!document.querySelector('svg.qr')"))
    state("linking", "link")
    offer = rpc(rpc_socket(sim), "session.pair", {})
    rpc(sim, "phone.scan", {"qr": offer["offer"]["qr"]})
    # Nobody loads the page anew: it follows what happens.
    person.until_shown("connected")
    state("linked", "link")

    for number in ("+15550111", "+15550112"):
        rpc(sim, "recipient.add", {"number": number})
    person.go(daemon + "send")
    person.type("#to", "+15550111")
    person.type("#text", "hello from the page\nשלום")
    state("send", "send")
    person.go(daemon + "send")
    person.type("#to", "+15550111")
    person.type("#text", "hello from the page")
    person.click("main form button")
    person.until_shown("accepted as m1")
    person.until_shown("read")
    state("message", "message/m1")

    person.go(daemon)
    person.until_shown("pause sending")
    person.press("Pause sending")
    person.until_shown("go on sending")
    for n in range(1, 9):
        rpc(rpc_socket(sim), "message.send",
            {"to": f"+1555011{n % 3 + 1}", "text": f"message {n} of the night shift", "key": f"night-{n}"})
    rpc(rpc_socket(sim), "phone.heartbeat", {"battery_percent": 14, "charging": False, "source": "test"})
    person.go(daemon)
    person.until_shown("8 of 400")
    state("paused", "")
    person.go(daemon + "queue")
    state("queue", "queue")

    person.press("Clear…")
    person.until_shown("what would go")
    state("clear", "clear?")
    person.go(daemon + "clear?to=%2B15550112")
    person.press("Withdraw 3 messages")
    person.until_shown("3 messages withdrawn")
    state("cleared", "queue")
    person.go(daemon + "queue")
    person.press("Undo")
    person.until_shown("brought back")

    # A page without script clears the queue as well.
    plain = Browser(driver, script=False)
    plain.log_in(url, token)
    plain.go(daemon + "clear?to=%2B15550113")
    plain.click("button.danger")
    plain.until("the answer", lambda: "withdrawn." in plain.text())
    plain.end()

    rpc(rpc_socket(sim), "message.send", {"to": "+15550119", "text": "nobody is there"})
    person.go(daemon)
    person.press("Go on sending")
    person.until_shown("not_on_network")
    state("parked", "")
    person.go(daemon + "queue?show=parked")
    state("queue-parked", "queue?show=parked")
    person.go(daemon + "queue?show=sent")
    state("queue-sent", "queue?show=sent")

    rpc(sim, "recipient.reply", {"number": "+15550111", "text": "thank you <b>very</b> much"})
    rpc(sim, "recipient.reply", {"number": "+15550111", "text": "مرحبا، كيف حالك؟ "})
    person.go(daemon + "inbox")
    person.until_shown("thank you <b>very</b> much")
    state("inbox", "inbox")

    webhook_fails(person, daemon, state)
    phone_away(person, daemon, sim, state)
    taken_over(person, daemon, sim, state)
    by_code(person, daemon, sim, state)
    by_passkey(person, daemon, sim, state)

    assert not overflow, f"wider than the window: {overflow}"
    complaints = [one for one in person.complaints() if one["level"] == "SEVERE"]
    assert not complaints, complaints
    for browser in (person, *others.values()):
        browser.end()
    print(f"the page: seen in {len(list(folder.glob('*.png')))} pictures"
          + (", without violations by axe-core" if axe else "; axe-core was not there"))


def webhook_fails(person, daemon, state):
    """Its receiver does not answer: an administrator sees why, and pauses it."""
    person.go(daemon + "webhooks")
    person.until_shown("shop: retrying")
    state("webhooks", "webhooks")
    person.press("Pause")
    person.until_shown("shop is paused")
    state("webhooks-paused", "webhooks")


def phone_away(person, daemon, sim, state):
    """What waits while the phone is away says why, and leaves when it is back."""
    rpc(sim, "phone.set", {"online": False})
    rpc(rpc_socket(sim), "message.send", {"to": "+15550111", "text": "the phone will miss this"})
    person.go(daemon)
    person.until_shown("the phone does not answer")
    waiting = rpc(rpc_socket(sim), "message.send", {"to": "+15550111", "text": "for later"})["message"]["id"]
    person.until_shown("1 of 400")
    state("phone-away", "")
    person.go(daemon + "message/" + waiting)
    person.until_shown("held: phone_offline")
    rpc(sim, "phone.set", {"online": True})
    person.until_shown("read")


def taken_over(person, daemon, sim, state):
    """Another session has taken the account's place: said, and taken back by a button."""
    rpc(sim, "server.replace_session", {})
    person.go(daemon)
    person.until_shown("another whatsapp web session")
    state("replaced", "")
    person.press("Take the session back")
    person.until("the session", lambda: session_state(sim) == "connected")


def unlink(person, daemon, sim):
    person.go(daemon + "link")
    person.click("#unlink summary")
    person.click("#unlink button")
    person.until("the end of the session", lambda: session_state(sim) == "not_paired")
    person.go(daemon + "link")
    assert "linked to" not in person.text().lower()


def by_code(person, daemon, sim, state):
    unlink(person, daemon, sim)
    person.type("#number", "+" + ACCOUNT)
    person.press("Show a code to type")
    person.until_shown("type this on the phone")
    state("code", "link")
    code = person.script("return document.querySelector('p.code').innerText").replace("-", "")
    rpc(sim, "phone.enter_code", {"account": ACCOUNT, "code": code})
    person.until_shown("linked to")


def by_passkey(person, daemon, sim, state):
    unlink(person, daemon, sim)
    rpc(sim, "phone.passkey", {"account": ACCOUNT, "on": True, "proof": "ignored"})
    person.press("Show a QR code")
    person.until("the code", lambda: person.script("return !!document.querySelector('svg.qr')"))
    offer = rpc(rpc_socket(sim), "session.pair", {})["offer"]
    rpc(sim, "phone.scan", {"qr": offer["qr"], "account": ACCOUNT})
    person.until_shown("the phone asks for a passkey")
    state("passkey", "link")
    person.type("#answer", "what is not an answer")
    person.press("Go on")
    person.until_shown("not what the browser's console printed")
    request = rpc(rpc_socket(sim), "session.pair", {})["offer"]["request"]
    # The first answer takes the phone's proof with it; from then on the code is compared.
    for how in ({"other_credential": True}, {}):
        signed = rpc(sim, "phone.sign_passkey", {"account": ACCOUNT, "options": request, **how})
        person.type("#answer", json.dumps(signed))
        person.press("Go on")
        person.until_shown("not one of the account's" if how else "compare the code")
    state("passkey-code", "link")
    code = person.script("return document.querySelector('p.code').innerText")
    person.press("They are the same")
    rpc(sim, "phone.compare_passkey", {"account": ACCOUNT, "code": code})
    person.until_shown("linked to")


def session_state(sim):
    return rpc(rpc_socket(sim), "status", {})["session"]["state"]


def rpc_socket(sim):
    return str(pathlib.Path(sim).with_name("control.sock"))


if __name__ == "__main__":
    main(*sys.argv[1:])
