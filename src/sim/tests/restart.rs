//! What survives the simulator's own restart, and the control socket.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use whatsapp_rust::Jid;

use super::super::{Sim, SimConfig, control};
use super::client::{PATIENCE, TestClient};

const ALICE: &str = "+15550111";

async fn sim_in(dir: &Path) -> Sim {
    let dir = Some(dir.to_owned());
    Sim::start(SimConfig { dir, ..SimConfig::default() }).await.unwrap()
}

#[tokio::test]
async fn a_restarted_simulator_knows_its_clients_people_and_keys() {
    let dir = tempfile::tempdir().unwrap();
    let sim = sim_in(dir.path()).await;
    sim.recipient_add(ALICE, true, 1).await.unwrap();
    let client = TestClient::paired(&sim, None).await;
    client.client.send_text(Jid::pn(&ALICE[1..]), "one").await.unwrap();
    sim.wait_for_inbox(ALICE, |inbox| inbox.len() == 1, PATIENCE).await.unwrap();
    let backend = client.leave().await;
    sim.recipient_reply(ALICE, None, "while nobody listens").await.unwrap();
    let (root_key, ca_pem) = (sim.root_key(), sim.ca_pem().to_owned());
    sim.stop().await.unwrap();
    drop(sim);

    let sim = sim_in(dir.path()).await;
    assert_eq!((sim.root_key(), sim.ca_pem()), (root_key, ca_pem.as_str()));
    assert_eq!(std::fs::read_to_string(sim.ca_file()).unwrap(), ca_pem);
    let client = TestClient::again(&sim, &backend).await;
    assert_eq!(client.incoming().await.2, "while nobody listens");
    client.connected().await;
    client.client.send_text(Jid::pn(&ALICE[1..]), "two").await.unwrap();
    let inbox = sim.wait_for_inbox(ALICE, |inbox| inbox.len() == 2, PATIENCE).await.unwrap();
    let seen: Vec<_> =
        inbox.iter().map(|got| (got.text.as_str(), got.copies, got.failed)).collect();
    assert_eq!(seen, [("one", 1, 0), ("two", 1, 0)]);
    let stats = sim.server_stats().await;
    assert_eq!((stats.pairings, stats.handshakes_ik), (0, 1));
}

#[tokio::test]
async fn without_a_folder_nothing_stays_behind() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let file = sim.ca_file();
    assert!(file.exists());
    drop(sim);
    assert!(!file.exists());
}

struct Caller {
    lines: tokio::io::Lines<BufReader<tokio::net::unix::OwnedReadHalf>>,
    writer: tokio::net::unix::OwnedWriteHalf,
}

impl Caller {
    async fn new(path: &Path) -> Self {
        let (reader, writer) = UnixStream::connect(path).await.unwrap().into_split();
        Caller { lines: BufReader::new(reader).lines(), writer }
    }

    async fn line(&mut self, line: &str) -> Value {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        serde_json::from_str(&self.lines.next_line().await.unwrap().unwrap()).unwrap()
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let reply = self.line(&request.to_string()).await;
        assert_eq!(reply["id"], 7);
        reply
    }
}

#[tokio::test]
async fn the_control_socket_offers_the_same_operations() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let sim = Arc::new(Sim::start(SimConfig::default()).await.unwrap());
    let server = tokio::spawn(control::run(control::bind(&path).unwrap(), Arc::clone(&sim)));
    let mut caller = Caller::new(&path).await;

    let client = TestClient::new(&sim).await;
    let paired = caller.call("phone.scan", json!({"qr": client.qr().await})).await;
    assert_eq!(paired["result"]["device"], "15550100:1@s.whatsapp.net");
    client.connected().await;
    caller.call("recipient.add", json!({"number": ALICE, "companions": 2})).await;
    client.client.send_text(Jid::pn(&ALICE[1..]), "hello").await.unwrap();
    sim.wait_for_inbox(ALICE, |inbox| inbox.len() == 1, PATIENCE).await.unwrap();
    let inbox = caller.call("recipient.inbox", json!({"number": ALICE})).await;
    let message = &inbox["result"]["messages"][0];
    assert_eq!(message["text"], "hello");
    assert_eq!((&message["copies"], &message["failed"]), (&json!(1), &json!(0)));
    let reply = caller.call("recipient.reply", json!({"number": ALICE, "text": "yes"})).await;
    assert_eq!(reply["result"]["clients"], 1);
    let settings = caller.call("server.set", json!({"ack_drop": true})).await;
    assert_eq!(settings["result"]["ack_drop"], true);
    let stats = caller.call("server.stats", json!({})).await;
    let attempt = &stats["result"]["attempts"][0];
    assert_eq!(attempt["to"], "15550111@s.whatsapp.net");
    assert_eq!(attempt["address"], "100000000000002@lid");
    assert_eq!(stats["result"]["logged_in"], 1);

    let wrong = caller.call("phone.scan", json!({"code": "x"})).await;
    assert_eq!(wrong["error"]["code"], -32_602);
    assert_eq!(caller.call("phone.fly", json!({})).await["error"]["code"], -32_601);
    assert_eq!(caller.line("no json").await["error"]["code"], -32_700);
    assert_eq!(caller.line("[]").await["error"]["code"], -32_600);
    server.abort();
}
