//! A delivery over TLS, to a receiver for whom only a file of the webhook vouches.

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

/// An authority.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap()
}

/// TLS of 127.0.0.1, by that authority.
fn acceptor(authority: &CertifiedIssuer<'static, KeyPair>) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    TlsAcceptor::from(Arc::new(config.with_single_cert(vec![leaf.der().clone()], key).unwrap()))
}

#[tokio::test]
async fn an_event_is_delivered_to_whom_the_authority_of_its_webhook_vouches_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut lab = Lab::new(&format!("https://{}/hook", listener.local_addr().unwrap()));
    let (good, other) = (authority(), authority());
    let tls = acceptor(&good);
    let file = lab.dir.path().join("ca.pem");
    lab.config.webhooks[0].ca_file = Some(file.clone());

    std::fs::write(&file, other.pem()).unwrap();
    let webhooks = lab.start();
    let (stream, _) = listener.accept().await.unwrap();
    assert!(tls.accept(stream).await.is_err(), "another authority was trusted");
    let place = lab.until(&webhooks, |place| place.pending.as_ref().unwrap().failures == 1).await;
    assert_eq!(place.pending.unwrap().last.unwrap().code, "tls");
    drop(webhooks);

    std::fs::write(&file, good.pem()).unwrap();
    let webhooks = lab.start();
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = tls.accept(stream).await.unwrap();
    let mut text = String::new();
    while !text.ends_with(&*event(7).body.0) {
        let mut piece = [0; 1_024];
        let count = stream.read(&mut piece).await.unwrap();
        assert!(count > 0, "{text}");
        text.push_str(std::str::from_utf8(&piece[..count]).unwrap());
    }
    assert!(text.starts_with("POST /hook HTTP/1.1\r\n"), "{text}");
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert_eq!(lab.until(&webhooks, |place| place.pending.is_none()).await.after, Some(7));
}
