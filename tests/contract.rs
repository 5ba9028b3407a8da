//! The examples of the manual, run against a daemon: each request is carried out, and each
//! reply has what the manual shows. What the daemon says in any of these tests is compared
//! with its OpenRPC document (`support/schema.rs`).

use std::collections::BTreeSet;
use std::io::{IoSlice, Write};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::{Value, json};

use crate::support::{ACCOUNT, Daemon, Events, Lab, Rpc, message_is, schema, session_is};

const FRIEND: &str = "+15550111";
const BOB: &str = "+15550118";
const NOBODY: &str = "+15550119";
const PDF: &[u8] = b"%PDF-1.4\n%%EOF\n";

/// A daemon that examples are run against, and which were.
struct Run {
    lab: Lab,
    daemon: Daemon,
    examples: Value,
    done: BTreeSet<String>,
}

impl Run {
    fn start() -> Run {
        let lab = Lab::new();
        lab.people(&[FRIEND]);
        let daemon = lab.daemon("[pacing]\nwindow = \"3s\"\n");
        let examples =
            serde_json::from_str(include_str!("../src/docs/contract/examples.json")).unwrap();
        Run { lab, daemon, examples, done: BTreeSet::new() }
    }

    /// Runs one example and answers what the daemon answered.
    #[track_caller]
    fn example(&mut self, method: &str, name: &str) -> Value {
        self.example_with(method, name, &[])
    }

    /// The same, with files that go along.
    #[track_caller]
    fn example_with(&mut self, method: &str, name: &str, files: &[&std::fs::File]) -> Value {
        let examples = self.examples["methods"][method].as_array().unwrap();
        let example = examples.iter().find(|example| example["name"] == name);
        let example = example.unwrap_or_else(|| panic!("{method} has no example {name}")).clone();
        let told = schema::method(method).unwrap();
        schema::fits(&told["x-params"], &example["params"], method);
        schema::fits(&told["result"]["schema"], &example["result"], method);

        let mut rpc = Rpc::connect(self.daemon.socket());
        let request =
            json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": example["params"] });
        let line = format!("{request}\n");
        let fds: Vec<_> = files.iter().map(|file| file.as_raw_fd()).collect();
        let rights = [ControlMessage::ScmRights(&fds)];
        let rights = if fds.is_empty() { &rights[..0] } else { &rights[..] };
        let iov = [IoSlice::new(line.as_bytes())];
        sendmsg::<()>(rpc.as_raw_fd(), &iov, rights, MsgFlags::empty(), None).unwrap();
        let reply = rpc.read().unwrap();
        let Some(result) = reply.get("result") else { panic!("{method} {name}: {reply}") };
        schema::check_reply(method, Ok(result));
        if let Err(why) = shows(&example["result"], result, "") {
            panic!("the example {name} of {method} shows what is not so: {why}\n{result:#}");
        }
        assert!(self.done.insert(format!("{method}: {name}")), "twice: {method} {name}");
        result.clone()
    }

    /// The parameters of a method's first example, which fit the document.
    fn params(&mut self, method: &str) -> &mut Value {
        let params = &mut self.examples["methods"][method][0]["params"];
        schema::fits(&schema::method(method).unwrap()["x-params"], params, method);
        params
    }

    fn events(&self) -> Events {
        self.daemon.events()
    }
}

/// The reply has every member that the example shows, of the same type.
fn shows(example: &Value, reply: &Value, at: &str) -> Result<(), String> {
    match (example, reply) {
        (Value::Object(example), Value::Object(reply)) => {
            example.iter().try_for_each(|(name, value)| match reply.get(name) {
                Some(member) => shows(value, member, &format!("{at}/{name}")),
                None => Err(format!("no {at}/{name}")),
            })
        }
        (Value::Array(example), Value::Array(reply)) => {
            if example.len() > reply.len() {
                return Err(format!("{at} has {} elements", reply.len()));
            }
            let mut pairs = example.iter().zip(reply).enumerate();
            pairs.try_for_each(|(n, (example, reply))| shows(example, reply, &format!("{at}/{n}")))
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => Ok(()),
        (_, _) => Err(format!("{at} is {reply}")),
    }
}

#[test]
fn every_example_of_the_manual_is_carried_out_and_answered_as_shown() {
    let mut run = Run::start();
    run.example("version", "the version");
    run.example("rpc.discover", "the contract");
    pairs(&mut run);
    asks_and_reports(&mut run);
    sends(&mut run);
    cleans(&mut run);
    retries_and_leaves(&mut run);
    receives(&mut run);
    session(&mut run);

    let mut all = BTreeSet::new();
    for (method, examples) in run.examples["methods"].as_object().unwrap() {
        for example in examples.as_array().unwrap() {
            all.insert(format!("{method}: {}", example["name"].as_str().unwrap()));
        }
    }
    assert_eq!(run.done, all, "an example that nobody runs");
}

fn pairs(run: &mut Run) {
    let mut events = run.events();
    let offer = run.example("session.pair", "by QR code");
    let scan = json!({ "qr": offer["offer"]["qr"], "account": ACCOUNT });
    run.lab.sim.call("phone.scan", scan);
    events.wait("the pairing's end", |event| event["ended"]["result"] == "paired");
    events.wait("the session to connect", |event| session_is(event, "connected"));
    run.lab.sim.call("server.wait", json!({ "key_uploads": 1 }));
}

fn asks_and_reports(run: &mut Run) {
    run.example("phone.check", "two numbers");
    let bob = json!({ "number": BOB, "username": "bob.b", "hidden": true, "key": "0042" });
    run.lab.sim.call("recipient.add", bob);
    run.example("phone.check", "a username that demands a key");
    run.example("phone.heartbeat", "a report");
    let group = |name: &str| {
        let members = json!([FRIEND, format!("+{ACCOUNT}")]);
        let added = run.lab.sim.call("group.add", json!({ "subject": name, "members": members }));
        added["jid"].clone()
    };
    let (news, _walks) = (group("News"), group("Walks"));
    let community = "120363000000000001@g.us";
    let change = json!({ "jid": news, "announcement": true, "community": community });
    run.lab.sim.call("group.set", change);
    run.example("group.list", "two groups");
    run.example("queue.pause", "a pause");
}

fn sends(run: &mut Run) {
    run.example("message.send", "a text");
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(PDF).unwrap();
    run.example_with("message.send", "a file", &[&file]);
    run.example("message.send", "a place");
    run.example("message.get", "by key");
    run.example("queue.list", "what waits");
    run.params("message.edit")["id"] = json!("m1");
    run.example("message.edit", "a text that waits");
    run.example("status", "the status");
}

fn cleans(run: &mut Run) {
    run.example("queue.clear", "by key");
    run.example("queue.restore", "by key");
    run.example("queue.cancel", "two messages");
    let restored = run.daemon.call("queue.restore", json!({})).unwrap();
    assert_eq!(restored["restored"], json!(["m1"]));
}

fn retries_and_leaves(run: &mut Run) {
    let mut events = run.events();
    let parked = run.daemon.send(NOBODY, "to nobody");
    events.wait("the parking", |event| message_is(event, &parked, "parked"));
    run.example("explain", "why messages wait");
    run.example("queue.retry", "by reason");
    run.example("queue.release", "a release");
    run.example("queue.resume", "the pause's end");
    let ids = ["m1", "m2", "m3"].map(String::from);
    events.wait_until_left(&run.daemon, &ids);
    run.example("message.send", "the newest state of a thing");
    run.params("message.revoke")["id"] = json!("m2");
    run.example("message.revoke", "a message that was sent");
}

fn receives(run: &mut Run) {
    let writes = json!({ "number": FRIEND, "text": "Thank you!" });
    run.lab.sim.call("recipient.reply", writes);
    let file = json!({
        "kind": "document", "mime": "text/plain", "name": "note.txt",
        "caption": "see this", "bytes": 5,
    });
    run.lab.sim.call("media.send", json!({ "number": FRIEND, "file": file }));
    let (mut events, _) = Events::subscribe_with(run.daemon.socket(), json!({ "after": 0 }));
    events.wait("both", |event| event["event"] == "incoming" && event["message"]["cursor"] == 2);
    let asks = json!({ "number": BOB, "text": "Is this the shop?" });
    run.lab.sim.call("recipient.reply", asks);
    events.wait("the third", |event| event["message"]["cursor"] == 3);
    run.params("message.react")["message"] = json!("i1");
    run.example("message.react", "an earlier reaction to an incoming message is taken back");
    run.params("message.read")["cursors"] = json!([1, 2]);
    run.example("message.read", "two messages of the inbox");
    run.example("inbox.list", "from the beginning");
    run.example("inbox.list", "from somebody whose number nobody sees");
    run.example("inbox.file", "inline");
    run.example("inbox.file", "as a descriptor");
    run.example("events.subscribe", "everything that is kept");
}

fn session(run: &mut Run) {
    run.example("session.reconnect", "at once");
    let mut events = run.events();
    events.wait("the session to connect", |event| session_is(event, "connected"));
    run.lab.sim.call("server.replace_session", json!({}));
    events.wait("the conflict", |event| session_is(event, "replaced"));
    run.example("session.takeover", "by command");
    events.wait("the session to connect", |event| session_is(event, "connected"));
    run.example("session.logout", "by command");
    events.wait("the session to end", |event| session_is(event, "not_paired"));
    let offer = run.example("session.pair", "by a code");
    let asks = json!({ "account": ACCOUNT, "on": true, "proof": "ignored" });
    run.lab.sim.call("phone.passkey", asks);
    let typed = json!({ "account": ACCOUNT, "code": offer["offer"]["code"] });
    run.lab.sim.call("phone.enter_code", typed);
    events.wait("the phone's request", |event| session_is(event, "passkey_needed"));
    passkey(run);
    events.wait("the session to connect", |event| session_is(event, "connected"));
}

/// What is signed, and the code, are of this pairing: the examples' own cannot be.
fn passkey(run: &mut Run) {
    let offer = run.example("session.pair", "a passkey that the phone asks for");
    let sign = json!({ "account": ACCOUNT, "options": offer["offer"]["request"] });
    let response = run.lab.sim.call("phone.sign_passkey", sign);
    // The proof goes with the first one: from then on the code is compared.
    let other = json!({
        "account": ACCOUNT, "options": offer["offer"]["request"], "other_credential": true,
    });
    let other = run.lab.sim.call("phone.sign_passkey", other);
    let refused = run.daemon.call("session.passkey", json!({ "response": other })).unwrap_err();
    assert_eq!(refused["data"]["kind"], "passkey_wrong_credential", "{refused}");
    run.params("session.passkey")["response"] = response;
    run.example("session.passkey", "what the browser signed");
    let mut events = run.events();
    events.wait("the code", |event| event["offer"]["method"] == "passkey_code");
    let offer = run.example("session.pair", "a code to compare");
    let code = offer["offer"]["code"].clone();
    run.params("session.passkey_confirm")["code"] = code.clone();
    run.example("session.passkey_confirm", "the phone shows the same");
    run.lab.sim.call("phone.compare_passkey", json!({ "account": ACCOUNT, "code": code }));
}

#[test]
fn what_the_document_does_not_name_is_refused_as_a_parameter() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    for method in schema::DOCUMENT["methods"].as_array().unwrap() {
        let name = method["name"].as_str().unwrap();
        let reference = method["x-params"]["$ref"].as_str().unwrap();
        let params = schema::DOCUMENT.pointer(&reference[1..]).unwrap();
        assert_eq!(params["additionalProperties"], false, "{name}");
        let error = daemon.call(name, json!({ "no_such": 1 })).unwrap_err();
        assert_eq!(error["data"]["kind"], "invalid_params", "{name}: {error}");
        assert!(error["message"].as_str().unwrap().contains("no_such"), "{name}: {error}");
    }
}

#[test]
fn the_daemon_answers_the_committed_document() {
    let lab = Lab::new();
    let daemon = lab.daemon("");
    assert_eq!(daemon.call("rpc.discover", json!({})).unwrap(), *schema::DOCUMENT);
}

#[test]
fn examples_of_events_and_the_error_fit_the_document() {
    for event in schema::DOCUMENT["x-events"]["list"].as_array().unwrap() {
        schema::check_event(&event["example"]);
        assert_eq!(event["example"]["event"], event["name"]);
    }
    let error = &schema::DOCUMENT["x-error"];
    schema::fits(&error["schema"], &error["example"], "the error");
}

#[test]
fn what_differs_from_the_document_is_noticed() {
    let method = schema::method("message.send").unwrap();
    let schema = &method["result"]["schema"];
    let good = &method["examples"][0]["result"]["value"];
    assert_eq!(schema::misfit(schema, good), None);
    let broken = |change: fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        schema::misfit(schema, &value).unwrap_or_else(|| panic!("it fits: {value}"))
    };
    broken(|value| value["message"]["extra"] = json!(1));
    broken(|value| value["message"]["state"] = json!("asleep"));
    broken(|value| value["message"]["id"] = json!("x1"));
    broken(|value| value["message"]["key"] = Value::Null);
    broken(|value| value["message"]["attempts"] = json!(-1));
    broken(|value| value["message"]["accepted_at"] = json!("today"));
    broken(|value| value["duplicate"] = json!("no"));
    broken(|value| _ = value.as_object_mut().unwrap().remove("duplicate"));
    broken(|value| *value = json!([]));
}
