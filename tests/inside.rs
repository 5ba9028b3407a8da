//! Addresses that nobody may make the daemon connect to, however they are written and
//! however they are reached: as a file, by a redirect, as a link in a text. Two witnesses
//! listen where it must not go.

use std::collections::BTreeMap;
use std::net::TcpListener;

use serde_json::json;

use crate::support::{Answer, Daemon, Lab, Web};

/// Hosts. The witnesses are 127.0.0.2 and ::1; the web server's 127.0.0.1 is allowed.
const HOSTS: [&str; 64] = [
    // The witnesses.
    "127.0.0.2",
    "127.2",
    "127.0.2",
    "2130706434",
    "0x7f000002",
    "0x7f.2",
    "0177.0.0.2",
    "017700000002",
    "0x7f.0x0.0x0.0x2",
    "127.0.0.0x2",
    "%31%32%37.0.0.2",
    "１２７.０.０.２",
    "127。0。0。2",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.2]",
    "[::ffff:7f00:2]",
    "[::127.0.0.2]",
    "[::ffff:0:127.0.0.2]",
    "[64:ff9b::7f00:2]",
    "[2002:7f00:2::]",
    "two.example",
    "six.example",
    "mapped.example",
    // Others that are not the public internet.
    "0",
    "0.0.0.0",
    "0.1.2.3",
    "[::]",
    "10.0.0.1",
    "10.255.255.255",
    "167772161",
    "012.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.257",
    "0xc0a80001",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[fe80::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[ff02::1]",
    "[100::1]",
    "[2001:db8::1]",
    "[64:ff9b::a9fe:a9fe]",
    "[5f00::1]",
    "private.example",
    "meta.example",
];

const NAMES: &str = "web.example=127.0.0.1,two.example=127.0.0.2,six.example=::1,\
                     mapped.example=::ffff:127.0.0.2,private.example=10.1.2.3,\
                     meta.example=169.254.169.254";

/// Two that would notice, on the same port.
struct Witnesses([TcpListener; 2], u16);

impl Witnesses {
    fn start() -> Witnesses {
        for _ in 0..20 {
            let two = TcpListener::bind("127.0.0.2:0").unwrap();
            let port = two.local_addr().unwrap().port();
            if let Ok(six) = TcpListener::bind(("::1", port)) {
                for listener in [&two, &six] {
                    listener.set_nonblocking(true).unwrap();
                }
                return Witnesses([two, six], port);
            }
        }
        panic!("no port is free on both");
    }

    fn saw_nothing(&self) {
        for listener in &self.0 {
            let error = listener.accept().expect_err("somebody connected");
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        }
    }
}

fn start(lab: &Lab) -> Daemon {
    let config = lab.config(
        "[fetch]\nallow_http = true\nallow_addresses = [\"127.0.0.1/32\"]\nretry_pause = \"100ms\"\n",
    );
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tetherd"));
    command.arg("--config").arg(config).stdin(std::process::Stdio::null());
    command.env("TETHERD_SIM_HOSTS", NAMES);
    let mut daemon = Daemon::spawn_as(command, &lab.socket());
    daemon.wait_log("ready");
    daemon
}

/// Sends these parameters; answers the id, unless they are refused at once.
fn submit(daemon: &Daemon, content: serde_json::Value) -> Option<String> {
    let mut params = content;
    params["to"] = json!("+15550111");
    match daemon.call("message.send", params) {
        Ok(sent) => Some(sent["message"]["id"].as_str().unwrap().to_owned()),
        Err(error) => {
            assert_eq!(error["data"]["kind"], "bad_url", "{error}");
            None
        }
    }
}

#[test]
fn no_connection_is_made_to_any_address_that_is_not_public() {
    let lab = Lab::new();
    let web = Web::start();
    let witnesses = Witnesses::start();
    let port = witnesses.1;
    let daemon = start(&lab);
    let mut open: BTreeMap<String, String> = BTreeMap::new();
    let mut files = Vec::new();
    for (n, host) in HOSTS.iter().enumerate() {
        let url = format!("http://{host}:{port}/");
        let path: &'static str = format!("/to/{n}").leak();
        web.set(path, Answer::Redirect(url.clone()));
        if let Some(id) = submit(&daemon, json!({ "file": { "url": url } })) {
            files.push((id.clone(), url.clone()));
            open.insert(id, url.clone());
        }
        let id = submit(&daemon, json!({ "file": { "url": web.url(path) } })).unwrap();
        files.push((id.clone(), format!("redirect to {url}")));
        open.insert(id, url.clone());
        for text in [format!("look: {url}"), format!("look: {}", web.url(path))] {
            let id = submit(&daemon, json!({ "text": text })).unwrap();
            open.insert(id, text);
        }
    }
    assert!(open.len() >= 3 * HOSTS.len() && files.len() >= HOSTS.len());
    daemon.events().wait("everything to be looked at", |event| {
        if event["message"]["state"] != "preparing" {
            open.remove(event["message"]["id"].as_str().unwrap_or_default());
        }
        open.is_empty()
    });
    for (id, url) in &files {
        let reason = daemon.message(id)["reason"].clone();
        assert_eq!(reason["kind"], "link_broken", "{url}: {reason}");
        // A connection that was tried says refused, lost or unreachable.
        let detail = reason["detail"].as_str().unwrap();
        assert!(
            ["refused_address", "bad_redirect", "bad_address"].contains(&detail),
            "{url}: {detail}"
        );
    }
    witnesses.saw_nothing();
    // They would have seen it: a word for the witnesses themselves.
    std::net::TcpStream::connect(("127.0.0.2", port)).unwrap();
    std::net::TcpStream::connect(("::1", port)).unwrap();
    assert!(witnesses.0.iter().all(|listener| listener.accept().is_ok()));
    eprintln!("{} hosts, {} messages, no connection", HOSTS.len(), files.len() + 2 * HOSTS.len());
}
