//! Answers to clients about people: devices, contacts, keys.

use whatsapp_rust::wacore::adv::{
    AdvValidation, decode_key_index_list, validate_adv_with_identity_key,
};
use whatsapp_rust::wacore::prekeys::compute_key_bundle_digest;

use super::*;

#[test]
fn a_companion_is_vouched_for_by_its_phone() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 2).unwrap();
    let client = Client::pair(&mut people);
    let spec = DeviceListSpec::new(vec![Jid::pn(ANN)], "sid");
    let lists = client.ask(&mut people, &spec).device_lists;
    let ids: Vec<u16> = lists[0].devices.iter().map(|device| device.device).collect();
    assert_eq!(ids, [0, 11, 12]);
    let signed = lists[0].key_index_bytes.as_deref().unwrap();
    let list = decode_key_index_list(signed).unwrap();
    assert_eq!(list.valid_indexes, [0, 11, 12]);

    let phone = people.persons[ANN].phone_identity().unwrap().public_key;
    let list = codec::adv_signed_key_index_list_decode(signed).unwrap();
    let content = [&[6, 2], list.details.as_deref().unwrap()].concat();
    assert!(phone.verify_signature(&content, list.account_signature.as_deref().unwrap()));

    let endpoint = people.persons.get_mut(ANN).unwrap().devices.get_mut(&12).unwrap();
    let bundle = endpoint.bundle().unwrap();
    let identity = bundle.identity.public_key_bytes().try_into().unwrap();
    let chain = bundle.device_identity.unwrap();
    let trusted = phone.public_key_bytes().try_into().unwrap();
    let verdict = validate_adv_with_identity_key(&chain, identity, Some(trusted));
    assert_eq!(verdict, AdvValidation::Valid);
}

#[test]
fn who_is_on_the_network_is_told_in_every_form_of_the_question() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 0).unwrap();
    people.add_recipient(BEN, false, 0).unwrap();
    let client = Client::pair(&mut people);
    let ask = |numbers: &[&str]| {
        let users = numbers.iter().map(|n| IsOnWhatsAppUser { jid: Jid::pn(*n), known_lid: None });
        IsOnWhatsAppSpec::new(users.collect(), "sid", IsOnWhatsAppQueryType::Pn)
    };
    let found = client.ask(&mut people, &ask(&[ANN, BEN, NOBODY]));
    let there: Vec<bool> = found.iter().map(|user| user.is_registered).collect();
    assert_eq!(there, [true, false, false]);
    assert_eq!(found[2].jid, Jid::pn(NOBODY));
    assert!(!found[0].is_business);

    let lid = found[0].lid.clone().unwrap();
    let users = vec![IsOnWhatsAppUser { jid: lid.clone(), known_lid: None }];
    let spec = IsOnWhatsAppSpec::new(users, "sid", IsOnWhatsAppQueryType::Lid);
    let by_lid = client.ask(&mut people, &spec);
    assert_eq!(by_lid[0].pn_jid, Some(Jid::pn(ANN)));

    let spec = DeviceListSpec::new(vec![lid, Jid::pn(NOBODY)], "sid");
    let lists = client.ask(&mut people, &spec).device_lists;
    assert_eq!((lists[0].devices.len(), lists[1].devices.len()), (1, 0));
    client.ask(&mut people, &UserInfoSpec::new(vec![Jid::pn(ANN)], "sid"));
}

#[test]
fn a_bundle_is_refused_by_name_where_there_is_none() {
    let mut people = People::default();
    people.add_recipient(ANN, true, 0).unwrap();
    let client = Client::pair(&mut people);
    let wanted = vec![Jid::pn(ANN), Jid::pn_device(ANN, 3), Jid::pn(NOBODY)];
    let outcome = client.ask(&mut people, &PreKeyFetchSpec::new(wanted));
    assert_eq!(outcome.bundles.len(), 1);
    let codes: Vec<u16> = outcome.rejected.iter().map(|rejected| rejected.code).collect();
    assert_eq!(codes, [406, 404]);
}

#[test]
fn a_clients_keys_are_counted_digested_and_handed_out_once() {
    let mut people = People::default();
    let client = Client::pair(&mut people);
    let count = |people: &mut People| client.ask(people, &PreKeyCountSpec).count;
    assert_eq!(count(&mut people), ONE_TIME_KEYS);
    let endpoint = people.persons.get_mut(ME).unwrap().devices.get_mut(&DEVICE).unwrap();
    let handed = endpoint.bundle().unwrap().one_time.unwrap().0;
    assert_eq!(count(&mut people), ONE_TIME_KEYS - 1);

    let digest = client.ask(&mut people, &DigestKeyBundleSpec);
    assert_eq!(digest.reg_id, client.device.registration_id());
    assert!(!digest.prekey_ids.contains(&handed));
    let keys = people.client_keys(&client.jid).unwrap();
    let one_time: Vec<&[u8]> = keys.one_time.iter().map(|(_, k)| k.public_key_bytes()).collect();
    let identity = client.device.identity().public_key;
    let hash = compute_key_bundle_digest(
        identity.public_key_bytes(),
        &digest.skey_pubkey,
        &digest.skey_signature,
        &one_time,
    );
    assert_eq!(digest.hash, hash);
}
