//! Files by web address, and links in texts: against a small server on loopback.

use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Answer, Daemon, Lab, Web, message_is, start_with_web as start};

/// The smallest picture there is.
const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";

fn send_url(daemon: &Daemon, url: &str) -> String {
    let params = json!({ "to": "+15550111", "file": { "url": url } });
    let sent = daemon.call("message.send", params).unwrap();
    assert_eq!(sent["message"]["state"], "preparing");
    sent["message"]["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn becomes(daemon: &Daemon, id: &str, state: &str) -> Value {
    let mut events = daemon.events();
    // The snapshot shows where it stands now.
    events.wait(&format!("{id} to be {state}"), |event| message_is(event, id, state))["message"]
        .clone()
}

fn spooled(lab: &Lab) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(lab.path().join("state/spool")).unwrap();
    folder.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_file_by_its_address_lies_in_the_spool_before_it_is_queued() {
    let lab = Lab::new();
    let web = Web::start();
    web.set("/a.png", Answer::Bytes(PNG));
    web.set("/there", Answer::Redirect("/a.png".to_owned()));
    let daemon = start(&lab, "");
    // Nothing is paired: it needs no session.
    for path in ["/a.png", "/there"] {
        let id = send_url(&daemon, &web.url(path));
        let message = becomes(&daemon, &id, "queued");
        assert_eq!(message["kind"], "image", "{message}");
        let sha256: String = Sha256::digest(PNG).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(message["file"]["sha256"], sha256);
        assert_eq!(message["file"]["bytes"], PNG.len());
    }
    let files = spooled(&lab);
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|file| std::fs::read(file).unwrap() == PNG));
}

#[test]
fn a_file_that_cannot_be_had_is_parked_with_the_cause() {
    let lab = Lab::new();
    let web = Web::start();
    web.set("/gone", Answer::Status(410));
    web.set("/busy", Answer::Status(503));
    web.set("/empty", Answer::Bytes(b""));
    web.set("/loop", Answer::Redirect("/loop".to_owned()));
    web.set("/inside", Answer::Redirect("http://10.0.0.1/".to_owned()));
    let daemon = start(&lab, "");
    let port = web.address.port();
    for (url, code, detail) in [
        (web.url("/missing"), json!(404), "status"),
        (web.url("/gone"), json!(410), "status"),
        (web.url("/busy"), json!(503), "status"),
        (web.url("/empty"), Value::Null, "empty"),
        (web.url("/loop"), Value::Null, "too_many_redirects"),
        (web.url("/inside"), Value::Null, "refused_address"),
        (format!("https://web.example:{port}/"), Value::Null, "tls"),
        (format!("http://no.example:{port}/"), Value::Null, "unknown_host"),
        (format!("http://lost.example:{port}/"), Value::Null, "no_resolver"),
        (format!("http://[::1]:{port}/"), Value::Null, "refused_address"),
    ] {
        let id = send_url(&daemon, &url);
        let message = becomes(&daemon, &id, "parked");
        let reason = &message["reason"];
        assert_eq!(reason["kind"], "link_broken", "{url}: {reason}");
        assert_eq!((&reason["code"], &reason["detail"]), (&code, &json!(detail)), "{url}");
    }
    assert!(spooled(&lab).is_empty());
    let bad = json!({ "to": "+15550111", "file": { "url": "ftp://web.example/" } });
    let error = daemon.call("message.send", bad).unwrap_err();
    assert_eq!(error["data"]["kind"], "bad_url");
    assert!(error["data"]["remedy"].is_string());
}

#[test]
fn a_retry_after_the_server_is_mended_fetches_it() {
    let lab = Lab::new();
    let web = Web::start();
    let daemon = start(&lab, "");
    let id = send_url(&daemon, &web.url("/late.png"));
    becomes(&daemon, &id, "parked");
    web.set("/late.png", Answer::Bytes(PNG));
    daemon.call("queue.retry", json!({ "filter": { "ids": [id] } })).unwrap();
    assert_eq!(becomes(&daemon, &id, "queued")["file"]["name"], "late.png");
}

#[test]
fn killed_while_it_fetches_it_fetches_again() {
    let lab = Lab::new();
    let web = Web::start();
    web.set("/slow.png", Answer::Stall);
    let mut daemon = start(&lab, "");
    let id = send_url(&daemon, &web.url("/slow.png"));
    daemon.kill9();
    web.set("/slow.png", Answer::Bytes(PNG));
    let daemon = start(&lab, "");
    becomes(&daemon, &id, "queued");
    assert!(spooled(&lab).iter().any(|file| std::fs::read(file).unwrap() == PNG));
}

#[test]
fn cancelled_while_it_fetches_it_leaves_no_file() {
    let lab = Lab::new();
    let web = Web::start();
    web.set("/slow.png", Answer::Stall);
    let daemon = start(&lab, "");
    let id = send_url(&daemon, &web.url("/slow.png"));
    let done = daemon.call("queue.cancel", json!({ "ids": [id] })).unwrap();
    assert_eq!(done["cancelled"], json!([id]));
    assert_eq!(daemon.message(&id)["state"], "cancelled");
    // Its place at the fetching is free again: others are fetched, and nothing else lies there.
    web.set("/a.png", Answer::Bytes(PNG));
    let others: Vec<String> = (0..5).map(|_| send_url(&daemon, &web.url("/a.png"))).collect();
    for other in &others {
        becomes(&daemon, other, "queued");
    }
    let whole = spooled(&lab).iter().filter(|file| std::fs::read(file).unwrap() == PNG).count();
    assert_eq!(whole, others.len());
}

#[test]
fn a_text_is_parked_for_a_broken_link_and_sent_with_a_doubtful_one() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let web = Web::start();
    web.set("/good", Answer::Status(200));
    web.set("/gone", Answer::Status(410));
    web.set("/down", Answer::Status(500));
    let daemon = start(&lab, "[pacing]\nmessages = 20\nwindow = \"3s\"\n");
    lab.pair(&daemon);
    let port = web.address.port();
    let mut sent = Vec::new();
    for (url, state, detail) in [
        (web.url("/good"), "sent", Value::Null),
        (web.url("/missing"), "parked", json!("status")),
        (web.url("/gone"), "parked", json!("status")),
        (format!("http://no.example:{port}/"), "parked", json!("unknown_host")),
        (format!("https://web.example:{port}/"), "sent", Value::Null),
        (web.url("/down"), "sent", Value::Null),
        (format!("“{}”", web.url("/good")), "sent", Value::Null),
        (format!("~{}~", web.url("/good")), "sent", Value::Null),
        (format!("{};{}", web.url("/good"), web.url("/gone")), "sent", Value::Null),
        (format!("“{}”", web.url("/gone")), "parked", json!("status")),
        ("http://lost.example/".to_owned(), "sent", Value::Null),
        ("http://192.168.0.1/".to_owned(), "sent", Value::Null),
    ] {
        let text = format!("look: {url}");
        let id = daemon.send("+15550111", &text);
        if state == "sent" {
            daemon.events().wait_until_left(&daemon, &[id]);
            sent.push(text);
        } else {
            let message = becomes(&daemon, &id, state);
            assert_eq!(message["reason"]["kind"], "link_broken", "{url}");
            assert_eq!(message["reason"]["detail"], detail, "{url}");
        }
    }
    assert_eq!(lab.sim.texts("+15550111"), sent);
}

#[test]
fn links_are_left_alone_where_the_configuration_says_so() {
    let lab = Lab::new();
    let daemon = start(&lab, "[preflight]\nlinks = \"off\"\n");
    let text = json!({ "to": "+15550111", "text": "http://no.example/" });
    assert_eq!(daemon.call("message.send", text).unwrap()["message"]["state"], "queued");
    let daemon_warns = {
        drop(daemon);
        start(&lab, "[preflight]\nlinks = \"warn\"\n")
    };
    let id = daemon_warns.send("+15550112", "http://no.example/");
    becomes(&daemon_warns, &id, "queued");
}

#[test]
fn tetherctl_sends_a_file_by_its_address() {
    let lab = Lab::new();
    let web = Web::start();
    web.set("/a.png", Answer::Bytes(PNG));
    let daemon = start(&lab, "");
    let url = web.url("/a.png");
    let line =
        ["--json", "send", "+15550111", "--url", &url, "--caption", "see", "--as", "document"];
    let out: Value = serde_json::from_str(&daemon.ctl().args(&line).ok()).unwrap();
    let id = out["message"]["id"].as_str().unwrap().to_owned();
    let message = becomes(&daemon, &id, "queued");
    assert_eq!(message["kind"], "document");
    assert_eq!(message["preview"], "see");
    let (code, sentence) = daemon.ctl().args(&["send", "+15550111", "--url", "x"]).fails();
    assert_ne!(code, 0);
    assert!(sentence.contains("https://"), "{sentence}");
}

#[test]
fn the_address_that_was_asked_is_named_and_one_message_is_let_through() {
    let lab = Lab::new();
    lab.people(&["+15550111"]);
    let web = Web::start();
    let daemon = start(&lab, "");
    lab.pair(&daemon);
    let text = format!("see “{}”", web.url("/missing"));
    let id = daemon.send("+15550111", &text);
    let reason = becomes(&daemon, &id, "parked")["reason"].clone();
    assert_eq!(reason["url"], web.url("/missing"));
    let shown = daemon.ctl().args(&["show", &id]).ok();
    assert!(shown.contains(&web.url("/missing")), "{shown}");
    let why = daemon.ctl().args(&["why"]).ok();
    assert!(why.contains(&web.url("/missing")) && why.contains("--anyway"), "{why}");
    // Without ids, everything would be let through.
    daemon.ctl().args(&["retry", "--anyway"]).fails();
    daemon.ctl().args(&["retry", &id, "--anyway"]).ok();
    daemon.events().wait_until_left(&daemon, &[id]);
    assert_eq!(lab.sim.texts("+15550111"), [text]);
}

#[test]
fn a_link_that_works_once_is_asked_with_head_and_once_per_message() {
    let lab = Lab::new();
    let web = Web::start();
    web.set("/once", Answer::Silent);
    web.set("/other", Answer::Status(200));
    let mut daemon = start(&lab, "");
    let id = daemon.send("+15550111", &web.url("/once"));
    web.wait_asked("HEAD /once");
    daemon.kill9();
    let daemon = start(&lab, "");
    // Nobody knows what came of it, and a doubt is no proof.
    becomes(&daemon, &id, "queued");
    let ids: Vec<String> =
        (0..5).map(|n| daemon.send(&format!("+155501{n:02}"), &web.url("/other"))).collect();
    for id in &ids {
        becomes(&daemon, id, "queued");
    }
    assert_eq!(web.asked(), ["HEAD /once", "HEAD /other"]);
}

#[test]
fn a_fetched_file_has_the_name_and_type_that_its_server_says() {
    let lab = Lab::new();
    let web = Web::start();
    let named = "content-disposition: attachment; filename=\"Rechnung 2026-07.pdf\"";
    let extended =
        "content-disposition: attachment; filename=\"x.pdf\"; filename*=UTF-8''R%C3%A4.pdf";
    let folder = "content-disposition: attachment; filename=\"../../etc/passwd.pdf\"";
    web.set("/dl?k=1", Answer::Headed(named, b"%PDF-1.7\n"));
    web.set("/extended", Answer::Headed(extended, b"%PDF-1.7\n"));
    web.set("/folder", Answer::Headed(folder, b"%PDF-1.7\n"));
    web.set("/export.php", Answer::Headed("content-type: text/csv; charset=utf-8", b"a;b\n"));
    web.set("/export.csv", Answer::Headed("content-type: text/html", b"a;b\n"));
    web.set("/go", Answer::Redirect("/r.pdf".to_owned()));
    web.set("/r.pdf", Answer::Bytes(b"%PDF-1.7\n"));
    web.set("/bare", Answer::Bytes(b"%PDF-1.7\n"));
    let daemon = start(&lab, "");
    for (path, name, mime) in [
        ("/dl?k=1", "Rechnung 2026-07.pdf", "application/pdf"),
        ("/extended", "Rä.pdf", "application/pdf"),
        ("/folder", "passwd.pdf", "application/pdf"),
        ("/export.php", "export.php", "text/csv"),
        ("/export.csv", "export.csv", "text/csv"),
        ("/go", "r.pdf", "application/pdf"),
        ("/bare", "bare.pdf", "application/pdf"),
    ] {
        let id = send_url(&daemon, &web.url(path));
        let file = becomes(&daemon, &id, "queued")["file"].clone();
        assert_eq!((&file["name"], &file["mime"]), (&json!(name), &json!(mime)), "{path}");
    }
    let url = web.url("/dl?k=1");
    let line = ["--json", "send", "+15550111", "--url", &url, "--name", "a.pdf", "--mime", "x/y"];
    let out: Value = serde_json::from_str(&daemon.ctl().args(&line).ok()).unwrap();
    let message = becomes(&daemon, out["message"]["id"].as_str().unwrap(), "queued");
    assert_eq!(
        (&message["file"]["name"], &message["file"]["mime"]),
        (&json!("a.pdf"), &json!("x/y"))
    );
}

#[test]
fn a_page_in_place_of_a_file_is_parked_with_its_reason() {
    let lab = Lab::new();
    let web = Web::start();
    let page = b"<!DOCTYPE html><html><body>Log in";
    web.set("/photo.jpg", Answer::Headed("content-type: text/html", page));
    web.set("/login", Answer::Headed("content-type: text/html", page));
    web.set("/report.pdf", Answer::Redirect("/login".to_owned()));
    web.set("/data.zip", Answer::Bytes(b"{\"error\": \"gone\"}"));
    let daemon = start(&lab, "");
    let send = |file: Value| {
        let sent = daemon.call("message.send", json!({ "to": "+15550111", "file": file })).unwrap();
        sent["message"]["id"].as_str().unwrap().to_owned()
    };
    for (file, detail) in [
        (json!({ "url": web.url("/photo.jpg") }), "page"),
        (json!({ "url": web.url("/report.pdf") }), "page"),
        (json!({ "url": web.url("/login"), "as": "image" }), "page"),
        (json!({ "url": web.url("/login"), "name": "a.docx" }), "page"),
        (json!({ "url": web.url("/data.zip") }), "not_the_file"),
    ] {
        let reason = becomes(&daemon, &send(file.clone()), "parked")["reason"].clone();
        assert_eq!(reason["kind"], "link_broken", "{file}");
        assert_eq!((&reason["detail"], &reason["url"]), (&json!(detail), &file["url"]));
    }
    assert!(spooled(&lab).is_empty());
    for file in [
        json!({ "url": web.url("/login") }),
        json!({ "url": web.url("/login"), "name": "page.html" }),
    ] {
        let message = becomes(&daemon, &send(file), "queued");
        assert_eq!(message["file"]["mime"], "text/html");
    }
}
