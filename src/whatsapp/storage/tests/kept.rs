//! Keys that are put away while another pairing runs.

use whatsapp_rust::traits::DeviceStore as _;
use whatsapp_rust::wacore::store::Device;

use super::super::PREFIX;
use super::{open, temp};
use crate::store::{Batch, Store};
use crate::whatsapp::KeyStore as _;
use crate::whatsapp::StoredKeys;

fn device(jid: &str) -> Device {
    let mut device = Device::new();
    device.pn = Some(jid.parse().unwrap());
    device
}

async fn put(store: &Store, key: &[u8], value: &[u8]) {
    let mut batch = Batch::new();
    batch.put(key, value);
    store.commit(batch).await.unwrap();
}

fn records(store: &Store) -> Vec<(Vec<u8>, Vec<u8>)> {
    store.scan(PREFIX).map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_pairing_that_fails_brings_every_key_back_and_one_that_succeeds_none() {
    let dir = temp();
    let (store, backend) = open(dir.path());
    let keys = StoredKeys::new(store.clone());
    backend.save(&device("15550100:7@s.whatsapp.net")).await.unwrap();
    put(&store, b"session/signal/x", &[7; 20_000]).await;
    put(&store, b"queue/other", b"stays").await;
    let before = records(&store);

    // It fails, and leaves something behind; once it dies in the middle of it.
    for _ in 0..2 {
        keys.keep().await.unwrap();
        assert_eq!(keys.account().await.unwrap(), None);
        put(&store, b"session/signal/y", b"half").await;
    }
    keys.settle().await.unwrap();
    assert_eq!(records(&store), before);
    keys.settle().await.unwrap();
    assert_eq!(records(&store), before, "nothing to bring back");

    keys.keep().await.unwrap();
    keys.save(&device("15550177:1@s.whatsapp.net")).await.unwrap();
    keys.settle().await.unwrap();
    let account = keys.account().await.unwrap().unwrap();
    assert_eq!(account.jid, "15550177@s.whatsapp.net");
    assert_eq!(records(&store).len(), 1);

    keys.keep().await.unwrap();
    keys.forget().await.unwrap();
    keys.settle().await.unwrap();
    assert_eq!(records(&store), [], "forgotten is forgotten");
    assert_eq!(store.get(b"queue/other").unwrap().as_deref(), Some(b"stays".as_slice()));
    store.close();
}
