//! The responder's side of the Noise handshake: XX, IK, and XXfallback as the answer
//! to an IK hello that cannot be read. Knows no stanzas and no accounts.

use whatsapp_rust::buffa::{DecodeError, Message as _, MessageField};
use whatsapp_rust::bytes::BytesMut;
use whatsapp_rust::wacore::crypto::generate_curve_key_pair;
use whatsapp_rust::wacore::libsignal::protocol::{CurveError, KeyPair};
use whatsapp_rust::wacore::noise::{HandshakeError, NoiseCipher, NoiseError, NoiseHandshake};
use whatsapp_rust::wacore_binary::consts::{
    NOISE_PATTERN_IK, NOISE_PATTERN_XX, NOISE_PATTERN_XXFALLBACK,
};
use whatsapp_rust::waproto::codec;
use whatsapp_rust::waproto::whatsapp::{ClientPayload, HandshakeMessage, handshake_message};

use super::cert::public_bytes;

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoiseFailure {
    /// A message of the handshake is not what the protocol asks for here.
    #[error("the handshake misses its {0}")]
    Missing(&'static str),
    /// A message could not be decoded.
    #[error("a handshake message cannot be decoded")]
    Decode(#[from] DecodeError),
    /// A message could not be decrypted.
    #[error("the handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    /// A frame could not be encrypted or decrypted.
    #[error("a frame failed: {0}")]
    Frame(#[from] NoiseError),
    /// A key is unusable.
    #[error("a key is unusable")]
    Key(#[from] CurveError),
}

/// The encrypted connection.
pub(super) struct Transport {
    read: NoiseCipher,
    write: NoiseCipher,
    read_count: u32,
    write_count: u32,
}

impl Transport {
    fn new(handshake: NoiseHandshake) -> Result<Self, NoiseFailure> {
        // The halves come as the initiator's; ours are the other way round.
        let (read, write) = handshake.finish()?;
        Ok(Transport { read, write, read_count: 0, write_count: 0 })
    }

    /// Decrypts the next frame in place.
    pub(super) fn decrypt(&mut self, frame: &mut BytesMut) -> Result<(), NoiseFailure> {
        self.read.decrypt_in_place_with_counter(self.read_count, frame)?;
        self.read_count = self.read_count.wrapping_add(1);
        Ok(())
    }

    /// Encrypts the next frame.
    pub(super) fn encrypt(&mut self, plain: &[u8]) -> Result<Vec<u8>, NoiseFailure> {
        let sealed = self.write.encrypt_with_counter(self.write_count, plain)?;
        self.write_count = self.write_count.wrapping_add(1);
        Ok(sealed)
    }
}

/// Who has connected.
pub(super) struct Peer {
    /// The client's static key.
    pub(super) static_key: [u8; 32],
    /// What it wants.
    pub(super) payload: ClientPayload,
}

/// What the answer to the first message leads to.
pub(super) enum Answered {
    /// IK: the connection stands as soon as this hello is sent.
    Done(Box<(Transport, Peer)>),
    /// XX or XXfallback: the client's finish comes next.
    Await(Box<AwaitFinish>),
}

/// The state between our hello and the client's finish.
pub(super) struct AwaitFinish {
    handshake: NoiseHandshake,
    ephemeral: KeyPair,
}

/// The responder, with what it needs of the server's keys.
pub(super) struct Responder {
    /// The server's static key pair.
    pub(super) key: KeyPair,
    /// The encoded certificate chain.
    pub(super) chain: Vec<u8>,
    /// The connection header, as the client sent it.
    pub(super) prologue: [u8; 4],
    /// Answer IK hellos with XXfallback even when they can be read.
    pub(super) refuse_ik: bool,
}

impl Responder {
    /// Answers a client hello. Returns the bytes of our hello, what follows, and
    /// whether an IK hello was turned into XXfallback.
    pub(super) fn answer(&self, hello: &[u8]) -> Result<(Vec<u8>, Answered, bool), NoiseFailure> {
        let hello = codec::handshake_message_decode(hello)?
            .client_hello
            .into_option()
            .ok_or(NoiseFailure::Missing("client hello"))?;
        let theirs: [u8; 32] = hello
            .ephemeral
            .as_deref()
            .and_then(|key| key.try_into().ok())
            .ok_or(NoiseFailure::Missing("ephemeral key"))?;
        match (hello.r#static.as_deref(), hello.payload.as_deref()) {
            (Some(sealed_static), Some(sealed_payload)) => {
                if !self.refuse_ik
                    && let Ok((reply, done)) =
                        self.answer_ik(&theirs, sealed_static, sealed_payload)
                {
                    return Ok((reply, done, false));
                }
                let (reply, next) = self.answer_xx(NOISE_PATTERN_XXFALLBACK, &theirs)?;
                Ok((reply, next, true))
            }
            (None, _) | (_, None) => {
                let (reply, next) = self.answer_xx(NOISE_PATTERN_XX, &theirs)?;
                Ok((reply, next, false))
            }
        }
    }

    fn answer_xx(
        &self,
        pattern: &str,
        theirs: &[u8; 32],
    ) -> Result<(Vec<u8>, Answered), NoiseFailure> {
        let ephemeral = generate_curve_key_pair();
        let ours = public_bytes(&ephemeral.public_key);
        let mut handshake = NoiseHandshake::new(pattern, &self.prologue)?;
        handshake.authenticate(theirs);
        handshake.authenticate(&ours);
        handshake.mix_shared_secret(ephemeral.private_key.serialize(), theirs)?;
        let sealed_static = handshake.encrypt(self.key.public_key.public_key_bytes())?;
        handshake.mix_shared_secret(self.key.private_key.serialize(), theirs)?;
        let sealed_chain = handshake.encrypt(&self.chain)?;
        let hello = server_hello(&ours, Some(sealed_static), sealed_chain);
        Ok((hello, Answered::Await(Box::new(AwaitFinish { handshake, ephemeral }))))
    }

    fn answer_ik(
        &self,
        theirs: &[u8; 32],
        sealed_static: &[u8],
        sealed_payload: &[u8],
    ) -> Result<(Vec<u8>, Answered), NoiseFailure> {
        let mut handshake = NoiseHandshake::new(NOISE_PATTERN_IK, &self.prologue)?;
        handshake.authenticate(self.key.public_key.public_key_bytes());
        handshake.authenticate(theirs);
        handshake.mix_shared_secret(self.key.private_key.serialize(), theirs)?;
        let static_key = open_static(&mut handshake, sealed_static)?;
        handshake.mix_shared_secret(self.key.private_key.serialize(), &static_key)?;
        let payload = ClientPayload::decode_from_slice(&handshake.decrypt(sealed_payload)?)?;

        let ephemeral = generate_curve_key_pair();
        let ours = public_bytes(&ephemeral.public_key);
        handshake.authenticate(&ours);
        handshake.mix_shared_secret(ephemeral.private_key.serialize(), theirs)?;
        handshake.mix_shared_secret(ephemeral.private_key.serialize(), &static_key)?;
        let sealed_chain = handshake.encrypt(&self.chain)?;
        let hello = server_hello(&ours, None, sealed_chain);
        let done = (Transport::new(handshake)?, Peer { static_key, payload });
        Ok((hello, Answered::Done(Box::new(done))))
    }
}

impl AwaitFinish {
    /// Reads the client's finish; the connection stands after it.
    pub(super) fn finish(mut self, message: &[u8]) -> Result<(Transport, Peer), NoiseFailure> {
        let finish = codec::handshake_message_decode(message)?
            .client_finish
            .into_option()
            .ok_or(NoiseFailure::Missing("client finish"))?;
        let sealed_static = finish.r#static.ok_or(NoiseFailure::Missing("static key"))?;
        let sealed_payload = finish.payload.ok_or(NoiseFailure::Missing("payload"))?;
        let static_key = open_static(&mut self.handshake, &sealed_static)?;
        self.handshake.mix_shared_secret(self.ephemeral.private_key.serialize(), &static_key)?;
        let payload = self.handshake.decrypt(&sealed_payload)?;
        let payload = ClientPayload::decode_from_slice(&payload)?;
        Ok((Transport::new(self.handshake)?, Peer { static_key, payload }))
    }
}

fn open_static(handshake: &mut NoiseHandshake, sealed: &[u8]) -> Result<[u8; 32], NoiseFailure> {
    handshake.decrypt(sealed)?.try_into().map_err(|_| NoiseFailure::Missing("static key"))
}

fn server_hello(ephemeral: &[u8; 32], sealed_static: Option<Vec<u8>>, payload: Vec<u8>) -> Vec<u8> {
    let hello = HandshakeMessage {
        server_hello: MessageField::some(handshake_message::ServerHello {
            ephemeral: Some(ephemeral.to_vec()),
            r#static: sealed_static,
            payload: Some(payload),
            ..Default::default()
        }),
        ..Default::default()
    };
    codec::handshake_message_to_vec(&hello)
}
