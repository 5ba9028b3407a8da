//! The simulator's own keys: the Noise certificate chain, really signed by its own
//! root, and a TLS authority with one leaf for loopback. Never the network's keys.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use whatsapp_rust::buffa::{Message as _, MessageField};
use whatsapp_rust::wacore::crypto::{calculate_curve_signature, generate_curve_key_pair};
use whatsapp_rust::wacore::libsignal::protocol::{CurveError, KeyPair, PrivateKey, PublicKey};
use whatsapp_rust::waproto::whatsapp::{CertChain, cert_chain};

/// The serial that a client expects of the chain's issuer.
const ROOT_SERIAL: u32 = 0;
/// The intermediate certificate's serial.
const INTERMEDIATE_SERIAL: u32 = 1;
/// The leaf certificate's serial.
const LEAF_SERIAL: u32 = 2;
/// How far a certificate reaches into the past, in seconds.
const BACKDATE_S: i64 = 24 * 60 * 60;
/// How long a certificate holds, in seconds.
const VALIDITY_S: i64 = 365 * 24 * 60 * 60;

/// Why the keys could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    /// A curve operation failed.
    #[error("a Noise key is unusable")]
    Curve(#[from] CurveError),
    /// The TLS certificate could not be made.
    #[error("the TLS certificate could not be made: {0}")]
    Tls(#[from] rcgen::Error),
    /// The stored PEM could not be read.
    #[error("the stored TLS certificate cannot be read: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// TLS refused the certificate.
    #[error("the TLS certificate was refused: {0}")]
    Rustls(#[from] rustls::Error),
}

/// A key pair from its private half.
pub(super) fn key_pair(private: &[u8; 32]) -> Result<KeyPair, CurveError> {
    let private = PrivateKey::deserialize(private)?;
    Ok(KeyPair::new(private.public_key()?, private))
}

/// A public key's 32 bytes.
pub(super) fn public_bytes(key: &PublicKey) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key.public_key_bytes());
    bytes
}

/// A fresh private key.
pub(super) fn fresh_private() -> [u8; 32] {
    *generate_curve_key_pair().private_key.serialize()
}

/// The permanent keys of the Noise side, as they are stored.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct NoiseKeys {
    root: [u8; 32],
    intermediate: [u8; 32],
    server: [u8; 32],
}

impl NoiseKeys {
    /// Fresh keys.
    pub(super) fn generate() -> Self {
        NoiseKeys { root: fresh_private(), intermediate: fresh_private(), server: fresh_private() }
    }

    /// Replaces the server's static key, as a server does that clients knew.
    pub(super) fn rotate(&mut self) {
        self.server = fresh_private();
    }

    /// The server's static key pair.
    pub(super) fn server(&self) -> Result<KeyPair, CurveError> {
        key_pair(&self.server)
    }

    /// The public key of the root, which a client would have to trust.
    pub(super) fn root_public(&self) -> Result<[u8; 32], CurveError> {
        Ok(public_bytes(&key_pair(&self.root)?.public_key))
    }

    /// The encoded chain: root signs intermediate, intermediate signs the static key.
    pub(super) fn chain(&self, now_s: i64) -> Result<Vec<u8>, CurveError> {
        let root = key_pair(&self.root)?;
        let intermediate = key_pair(&self.intermediate)?;
        let server = key_pair(&self.server)?;
        let chain = CertChain {
            intermediate: MessageField::some(certificate(
                &root,
                INTERMEDIATE_SERIAL,
                ROOT_SERIAL,
                &intermediate.public_key,
                now_s,
            )?),
            leaf: MessageField::some(certificate(
                &intermediate,
                LEAF_SERIAL,
                INTERMEDIATE_SERIAL,
                &server.public_key,
                now_s,
            )?),
        };
        Ok(chain.encode_to_vec())
    }
}

fn certificate(
    issuer: &KeyPair,
    serial: u32,
    issuer_serial: u32,
    key: &PublicKey,
    now_s: i64,
) -> Result<cert_chain::NoiseCertificate, CurveError> {
    let details = cert_chain::noise_certificate::Details {
        serial: Some(serial),
        issuer_serial: Some(issuer_serial),
        key: Some(public_bytes(key).to_vec()),
        not_before: Some((now_s - BACKDATE_S).max(0).unsigned_abs()),
        not_after: Some((now_s + VALIDITY_S).unsigned_abs()),
    }
    .encode_to_vec();
    let signature = calculate_curve_signature(&issuer.private_key, &details)?;
    Ok(cert_chain::NoiseCertificate { details: Some(details), signature: Some(signature.to_vec()) })
}

/// The TLS side, as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct TlsKeys {
    /// The authority that clients are configured to trust.
    pub(super) ca_pem: String,
    leaf_pem: String,
    leaf_key_pem: String,
    /// The hosts that the leaf names besides loopback.
    #[serde(default)]
    pub(super) names: Vec<String>,
}

impl TlsKeys {
    /// A fresh authority and a leaf for loopback and these hosts.
    pub(super) fn generate(further: &[String]) -> Result<Self, CertError> {
        let mut authority = rcgen::CertificateParams::new(Vec::new())?;
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        authority.key_usages =
            vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(rcgen::DnType::CommonName, "tether-sim authority");
        let authority =
            rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate()?)?;

        let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let names = own.into_iter().chain(further.iter().cloned());
        let mut leaf = rcgen::CertificateParams::new(names.collect::<Vec<String>>())?;
        leaf.distinguished_name.push(rcgen::DnType::CommonName, "tether-sim");
        leaf.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
        leaf.use_authority_key_identifier_extension = true;
        let key = rcgen::KeyPair::generate()?;
        let leaf = leaf.signed_by(&key, &authority)?;
        Ok(TlsKeys {
            ca_pem: authority.pem(),
            leaf_pem: leaf.pem(),
            leaf_key_pem: key.serialize_pem(),
            names: further.to_vec(),
        })
    }

    /// What the listener accepts connections with.
    pub(super) fn server_config(&self) -> Result<Arc<rustls::ServerConfig>, CertError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = vec![CertificateDer::from_pem_slice(self.leaf_pem.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(self.leaf_key_pem.as_bytes())?;
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Arc::new(config))
    }
}
