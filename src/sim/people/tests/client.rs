//! A client for the tests: pairs, uploads keys, encrypts and reads.

use super::*;

/// A node as it looks on the other side of a connection.
pub(super) fn over_the_wire(node: &Node) -> Node {
    let bytes = marshal(node).unwrap();
    OwnedNodeRef::new(bytes[1..].to_vec()).unwrap().to_owned_node()
}

/// A real client, built on the same device.
pub(super) struct Client {
    pub(super) device: Device,
    pub(super) jid: Jid,
    /// The account's other name.
    lid: Jid,
}

impl Client {
    /// Pairs with the phone of `ME` and uploads keys.
    pub(super) fn pair(people: &mut People) -> Self {
        let mut device = Device::generate().unwrap();
        let phone = people.add_account_phone(ME).unwrap();
        let key_index = u32::from(phone.free_device_id());
        let half = phone.sign_companion(&device.identity().public_key, key_index).unwrap();
        let signed = countersign(half.clone(), &device);
        assert!(phone.vouches_for(&signed, &device.identity().public_key));
        let half = codec::adv_signed_device_identity_to_vec(&half);
        assert!(!phone.vouches_for(&half, &device.identity().public_key));
        people.add_companion_of_account(ME, DEVICE, signed).unwrap();
        let upload = upload(&mut device);
        people.set_companion_keys(ME, DEVICE, &over_the_wire(&upload)).unwrap();
        let lid = people.account_phone(ME).unwrap().lid();
        Self { device, jid: Jid::pn_device(ME, DEVICE), lid }
    }

    pub(super) fn ask<S: IqSpec>(&self, people: &mut People, spec: &S) -> S::Response {
        let query = spec.build_iq();
        let iq = Node::new("iq", Default::default(), query.content);
        let mut iq = over_the_wire(&iq);
        iq.attrs.insert("id", "7");
        iq.attrs.insert("to", query.to);
        let answer = match query.namespace {
            "usync" => people.usync(&iq, &self.jid),
            "encrypt" => people.prekeys(&iq, &self.jid),
            "w:g2" => people.group_info(&iq, &self.jid),
            other => panic!("no answer for {other}"),
        };
        assert_eq!(text_attr(&answer, "type"), "result");
        assert_eq!(text_attr(&answer, "id"), "7");
        spec.parse_response(&over_the_wire(&answer).as_node_ref()).unwrap()
    }

    /// Encrypts for every device of these people but itself, as an `<enc>` each.
    pub(super) async fn fan_out(
        &mut self,
        people: &mut People,
        to: &[(&str, wa::Message)],
    ) -> Vec<(Jid, Node)> {
        let mut encs = Vec::new();
        for (number, message) in to {
            let spec = DeviceListSpec::new(vec![Jid::pn(*number)], "sid");
            for list in self.ask(people, &spec).device_lists {
                for device in list.devices {
                    let jid = list.user.with_device(device.device);
                    if jid != self.jid {
                        encs.push((jid.clone(), self.seal(people, &jid, message).await));
                    }
                }
            }
        }
        encs
    }

    pub(super) async fn seal(
        &mut self,
        people: &mut People,
        to: &Jid,
        message: &wa::Message,
    ) -> Node {
        let name = to.to_string();
        if !self.device.has_session(&name) {
            let spec = PreKeyFetchSpec::with_reason(vec![to.clone()], PreKeyFetchReason::Identity);
            let bundles = self.ask(people, &spec).bundles;
            self.device.start_session(&name, &bundle(&bundles[to])).await.unwrap();
        }
        let (kind, bytes) = self.device.encrypt(&name, message).await.unwrap();
        enc(kind, bytes)
    }

    pub(super) async fn stanza(
        &mut self,
        people: &mut People,
        to: &str,
        id: &str,
        text: &str,
    ) -> Node {
        let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
        let copy = wrap_device_sent(message.clone(), Jid::pn(to).to_string());
        let encs = self.fan_out(people, &[(to, message), (ME, copy)]).await;
        message_node(&Jid::pn(to), id, encs, None)
    }

    /// Opens a message for this client.
    pub(super) async fn read(&mut self, message: &Node) -> wa::Message {
        let message = over_the_wire(message);
        // A session goes by one of a person's two names.
        let names = ["participant_pn", "participant", "sender_pn", "from"];
        let from = names.iter().find_map(|name| jid(&message, name)).unwrap();
        let from = if from == self.lid { Jid::pn(ME) } else { from };
        let chat = text_attr(&message, "from");
        let mut content = wa::Message::default();
        for enc in message.get_children_by_tag("enc") {
            let envelope = envelope(enc).unwrap();
            let opened = self.device.decrypt(&from.to_string(), &chat, envelope).await.unwrap();
            content = opened.message;
        }
        content
    }
}

/// The companion's own signature under its identity.
pub(super) fn countersign(
    mut identity: wa::ADVSignedDeviceIdentity,
    companion: &Device,
) -> Vec<u8> {
    let key = companion.identity();
    let content = [
        &[6, 1],
        identity.details.as_deref().unwrap(),
        key.public_key.public_key_bytes(),
        identity.account_signature_key.as_deref().unwrap(),
    ]
    .concat();
    let signature = key.calculate_signature(&content, &mut crate::keys::rng()).unwrap();
    identity.device_signature = Some(signature.to_vec());
    codec::adv_signed_device_identity_to_vec(&identity)
}

pub(super) fn jid(node: &Node, key: &str) -> Option<Jid> {
    node.attrs.get(key).and_then(|value| value.to_jid())
}

pub(super) fn upload(device: &mut Device) -> Node {
    let bundles: Vec<Bundle> = (0..ONE_TIME_KEYS).map(|_| device.bundle()).collect();
    let one_time: Vec<_> = bundles.iter().filter_map(|bundle| bundle.one_time).collect();
    let first = &bundles[0];
    let nodes = PreKeyUtils::build_upload_prekeys_request(
        first.registration_id,
        first.identity.public_key_bytes(),
        first.signed.0,
        first.signed.1.public_key_bytes(),
        &first.signed.2,
        one_time.iter().map(|(id, key)| (*id, key.public_key_bytes())),
    );
    NodeBuilder::new("iq").children(nodes).build()
}

pub(super) fn bundle(from: &PreKeyBundle) -> Bundle {
    let one_time = from.pre_key_id().unwrap().zip(from.pre_key_public().unwrap());
    Bundle {
        registration_id: from.registration_id().unwrap(),
        identity: *from.identity_key().unwrap().public_key(),
        signed: (
            from.signed_pre_key_id().unwrap().into(),
            from.signed_pre_key_public().unwrap(),
            from.signed_pre_key_signature().unwrap().to_vec(),
        ),
        one_time: one_time.map(|(id, key)| (id.into(), key)),
        device_identity: None,
    }
}

pub(super) fn message_node(
    to: &Jid,
    id: &str,
    encs: Vec<(Jid, Node)>,
    group: Option<Node>,
) -> Node {
    let list = encs
        .into_iter()
        .map(|(jid, enc)| NodeBuilder::new("to").attr("jid", jid).children([enc]).build());
    let mut children = vec![NodeBuilder::new("participants").children(list).build()];
    children.extend(group);
    let message = NodeBuilder::new("message").attr("to", to).attr("id", id).attr("type", "text");
    over_the_wire(&message.children(children).build())
}
