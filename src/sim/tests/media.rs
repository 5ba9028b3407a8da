//! The media host as clients use it that are not ours: names of files with padding, addresses
//! with a query, parts of files, and hosts that a client has hard-wired.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::client::{MediaHost, TestClient, body};
use crate::{Sim, SimConfig};

const FILE: &[u8] = b"an encrypted file, or so the host believes";

/// Uploads the file under its name as a client writes it; the host's answer.
async fn upload(sim: &Sim, name: &str, token: &str) -> (u16, Value) {
    let auth = sim.shared.change().await.media.conn();
    let auth = auth.attrs().optional_string("auth").unwrap().into_owned();
    let text = String::from_utf8_lossy(FILE);
    let request = format!(
        "POST /mms/image/{name}?auth={auth}&token={token} HTTP/1.1\r\ncontent-length: {}\r\n\r\n{text}",
        FILE.len()
    );
    let (status, answer) = MediaHost::of(sim).ask("127.0.0.1", &request).await.unwrap();
    (status, serde_json::from_slice(body(&answer)).unwrap_or_default())
}

async fn get(sim: &Sim, path: &str, range: &str) -> (u16, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\r\n{range}\r\n");
    MediaHost::of(sim).ask("127.0.0.1", &request).await.unwrap()
}

#[tokio::test]
async fn a_file_is_taken_under_its_name_in_any_form_of_base64() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let hash = Sha256::digest(FILE);
    let padded = URL_SAFE.encode(hash);
    let bare = padded.trim_end_matches('=');
    let escaped = padded.replace('=', "%3D");
    let standard = STANDARD.encode(hash).replace('+', "%2B").replace('/', "%2F");
    for name in [padded.as_str(), bare, &escaped, &standard] {
        let (status, place) = upload(&sim, name, name).await;
        assert_eq!(status, 200, "{name}");
        assert!(place["url"].as_str().unwrap().starts_with("https://127.0.0.1:"));
    }
    assert_eq!(sim.media_stats().await.uploads, 4);
    // Another hash than the name, and a name that is none.
    let other = URL_SAFE.encode(Sha256::digest(b"another file"));
    assert_eq!(upload(&sim, &padded, &other).await.0, 403);
    assert_eq!(upload(&sim, "photo.jpg", "photo.jpg").await.0, 403);
    // A file that is not what its name says.
    assert_eq!(upload(&sim, &other, &other).await.0, 400);
}

#[tokio::test]
async fn a_file_is_handed_out_whole_and_in_parts_to_whoever_names_its_hash() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let name = URL_SAFE.encode(Sha256::digest(FILE));
    let (_, place) = upload(&sim, &name, &name).await;
    let path = place["direct_path"].as_str().unwrap();
    assert!(path.contains('?'), "clients append with `&`: {path}");
    let escaped = name.replace('=', "%3D");
    for address in [
        path.to_owned(),
        format!("{path}&hash={escaped}&mms-type=image&__wa-mms="),
        format!("{path}?token={name}"),
    ] {
        let (status, answer) = get(&sim, &address, "").await;
        assert_eq!((status, body(&answer)), (200, FILE), "{address}");
    }
    let (status, answer) = get(&sim, path, "Range: bytes=3-12\r\n").await;
    assert_eq!((status, body(&answer)), (206, &FILE[3..13]));
    let head = String::from_utf8_lossy(&answer).into_owned();
    assert!(head.contains(&format!("content-range: bytes 3-12/{}", FILE.len())), "{head}");
    let (status, answer) = get(&sim, path, "range: bytes=30-\r\n").await;
    assert_eq!((status, body(&answer)), (206, &FILE[30..]));
    assert_eq!(get(&sim, path, "range: bytes=900-\r\n").await.0, 416);
    let other = URL_SAFE.encode(Sha256::digest(b"another file"));
    assert_eq!(get(&sim, &format!("{path}&hash={other}"), "").await.0, 403);
}

#[tokio::test]
async fn a_client_with_a_hard_wired_host_finds_its_name_in_the_certificate() {
    let host = "mmg.example.net";
    let folder = tempfile::tempdir().unwrap();
    let with = |names: &[&str]| SimConfig {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        dir: Some(folder.path().to_owned()),
        ..SimConfig::default()
    };
    let request = "GET /v/photo HTTP/1.1\r\n\r\n";
    let named = Sim::start(with(&[host, "web.example.net"])).await.unwrap();
    for name in [host, "web.example.net", "localhost"] {
        let (status, _) = MediaHost::of(&named).ask(name, request).await.unwrap();
        assert_eq!(status, 403, "{name}");
    }
    assert!(MediaHost::of(&named).ask("other.example.net", request).await.is_err());
    // The chat service has the same certificate, and who has paired stays paired.
    let client = TestClient::paired(&named, None).await;
    let first = named.ca_pem().to_owned();
    let backend = client.leave().await;
    named.stop().await.unwrap();
    let same = Sim::start(with(&[host, "web.example.net"])).await.unwrap();
    assert_eq!(same.ca_pem(), first);
    TestClient::again(&same, &backend).await.connected().await;
    same.stop().await.unwrap();
    let fewer = Sim::start(with(&[])).await.unwrap();
    assert!(MediaHost::of(&fewer).ask(host, request).await.is_err());
}
