//! Pairing with a passkey: the real `tetherctl` guides through it, and the simulator's phone
//! asks for it; what goes wrong has a sentence of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::support::{ACCOUNT, Daemon, Lab, next_line, session_is};

/// `tetherctl pair`, whose stdin is a pipe.
struct Pair {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Pair {
    fn start(daemon: &Daemon, args: &[&str]) -> Pair {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetherctl"));
        command.arg("--socket").arg(daemon.socket()).arg("pair").args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        for from in [Box::new(out) as Box<dyn Read + Send>, Box::new(err)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(from).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Pair { stdin: child.stdin.take(), child, lines }
    }

    #[track_caller]
    fn says(&self, part: &str) -> String {
        next_line(&self.lines, |line| line.contains(part))
    }

    fn scan(&self, lab: &Lab) {
        let qr = next_line(&self.lines, |line| line.contains(',') && line.starts_with("2@"));
        let scanned = lab.sim.call("phone.scan", json!({ "qr": qr, "account": ACCOUNT }));
        assert_eq!(scanned, json!({ "passkey": true }));
    }

    /// The request in the line that is to be pasted into the browser.
    fn request(&self) -> Value {
        let line = self.says("navigator.credentials.get");
        let (_, rest) = line.split_once("FromJSON(").unwrap();
        let (json, _) = rest.split_once(")});").unwrap();
        serde_json::from_str(json).unwrap()
    }

    /// Gives one answer that is refused. The proof that the phone has seen the code goes with
    /// it: from then on the code is compared.
    fn spend_proof(&mut self, lab: &Lab, request: &Value) {
        self.paste(&signed(lab, request, json!({ "other_credential": true })));
        self.says("not one of the account's (code 401)");
    }

    fn paste(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    #[track_caller]
    fn ends(mut self, code: i32) {
        self.stdin = None;
        assert_eq!(self.child.wait().unwrap().code(), Some(code));
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn asking(proof: &str) -> Lab {
    let lab = Lab::new();
    lab.sim.call("phone.passkey", json!({ "account": ACCOUNT, "on": true, "proof": proof }));
    lab
}

/// What a browser makes of it; `how` is how it goes wrong.
fn signed(lab: &Lab, request: &Value, how: Value) -> String {
    let mut params = json!({ "account": ACCOUNT, "options": request });
    params.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
    lab.sim.call("phone.sign_passkey", params).to_string()
}

#[test]
fn by_qr_the_browsers_answer_links_the_phone() {
    let lab = asking("required");
    let daemon = lab.daemon("");
    let mut events = daemon.events();
    let mut pair = Pair::start(&daemon, &[]);
    pair.scan(&lab);
    let request = pair.request();
    assert_eq!(request["rpId"], "whatsapp.com");
    events.wait("the state", |event| session_is(event, "passkey_needed"));
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains("the phone asks for a passkey"), "{why}");
    pair.paste(&signed(&lab, &request, json!({})));
    pair.says("the server has taken the passkey");
    pair.says("The phone links this device now");
    pair.says("paired with");
    pair.ends(0);
    events.wait("the session to connect", |event| session_is(event, "connected"));
}

#[test]
fn by_code_what_is_wrong_is_named_and_the_code_is_compared() {
    let lab = asking("ignored");
    let daemon = lab.daemon("");
    let mut events = daemon.events();
    let number = format!("+{ACCOUNT}");
    let mut pair = Pair::start(&daemon, &["--code", &number]);
    let line = pair.says("Type ");
    let code = line.split(['.', ' ']).nth(1).unwrap().to_owned();
    lab.sim.call("phone.enter_code", json!({ "account": ACCOUNT, "code": code }));
    let request = pair.request();
    let elsewhere = json!({ "origin": "https://example.com" });
    for (answer, sentence) in [
        ("not JSON".to_owned(), "not the JSON that the browser's console printed"),
        ("{}".to_owned(), "it has no `rawId`"),
        (signed(&lab, &request, elsewhere), "another page than https://web.whatsapp.com"),
        (
            signed(&lab, &json!({ "challenge": "AQID", "rpId": "whatsapp.com" }), json!({})),
            "an earlier request",
        ),
    ] {
        pair.paste(&answer);
        pair.says(sentence);
    }
    pair.spend_proof(&lab, &request);
    pair.paste(&signed(&lab, &request, json!({})));
    let line = pair.says("The phone shows a code");
    let shown = lab.sim.call("phone.passkey_code", json!({ "account": ACCOUNT }));
    let shown = shown["code"].as_str().unwrap();
    let shown = format!("{}-{}", &shown[..4], &shown[4..]);
    assert!(line.contains(&shown), "{line} {shown}");
    let other = daemon.ctl().args(&["pair", "--passkey-confirm", "AAAA-AAAA"]).fails();
    assert!(other.1.contains("not the code of this pairing"), "{other:?}");
    pair.paste("yes");
    pair.says("confirmed");
    lab.sim.call("phone.compare_passkey", json!({ "account": ACCOUNT, "code": shown }));
    pair.says("paired with");
    pair.ends(0);
    events.wait("the session to connect", |event| session_is(event, "connected"));
}

#[test]
fn a_pairing_goes_on_from_another_terminal() {
    let lab = asking("ignored");
    let daemon = lab.daemon("");
    let mut first = Pair::start(&daemon, &[]);
    first.scan(&lab);
    let request = first.request();
    first.spend_proof(&lab, &request);
    // Nothing can be pasted here any more.
    first.stdin = None;
    let joined = Pair::start(&daemon, &[]);
    assert_eq!(request, joined.request());
    let file = lab.path().join("answer.json");
    std::fs::write(&file, signed(&lab, &request, json!({}))).unwrap();
    let second = Pair::start(&daemon, &["--passkey-answer", file.to_str().unwrap()]);
    second.says("The phone shows a code");
    let shown = lab.sim.call("phone.passkey_code", json!({ "account": ACCOUNT }));
    let shown = shown["code"].as_str().unwrap();
    let third = Pair::start(&daemon, &["--passkey-confirm", shown]);
    third.says("confirmed");
    lab.sim.call("phone.compare_passkey", json!({ "account": ACCOUNT, "code": shown }));
    for pair in [first, joined, second, third] {
        pair.says("paired with");
        pair.ends(0);
    }
}

#[test]
fn a_refusal_on_the_phone_ends_it_in_words_and_so_does_a_hosted_account() {
    let lab = asking("ignored");
    let daemon = lab.daemon("");
    let mut pair = Pair::start(&daemon, &[]);
    pair.scan(&lab);
    let request = pair.request();
    pair.spend_proof(&lab, &request);
    pair.paste(&signed(&lab, &request, json!({})));
    pair.says("The phone shows a code");
    lab.sim.call("phone.refuse_passkey", json!({ "account": ACCOUNT }));
    pair.paste("yes");
    pair.says("or the server refused the passkey");
    pair.ends(1);
    // What was asked for is over.
    let late = daemon.call("session.passkey", json!({ "response": {} })).unwrap_err();
    assert_eq!(late["data"]["kind"], "wrong_state", "{late}");

    lab.sim.call("phone.passkey", json!({ "account": ACCOUNT, "on": false }));
    lab.sim.call("phone.hosted", json!({ "account": ACCOUNT, "on": true }));
    let pair = Pair::start(&daemon, &[]);
    let qr = next_line(&pair.lines, |line| line.contains(',') && line.starts_with("2@"));
    assert!(lab.sim.try_call("phone.scan", json!({ "qr": qr, "account": ACCOUNT })).is_err());
    pair.says("hosts this business account");
    pair.ends(1);
}
