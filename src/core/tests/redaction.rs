use super::world::World;
use crate::core::io::{Facts, Request, SessionCommand, SessionEvent};
use crate::core::link::PairIntent;

#[test]
fn invariant_9_debug_of_the_core_shows_no_number_account_or_key() {
    let account = || "15550100@s.whatsapp.net".to_owned();
    let phone = || Some("15550100".to_owned());
    let mut world = World::connected();
    let id = world.submit(0, "zanzibar", Some("order-of-mine")).unwrap().message.id;
    let shown = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        Facts { account: Some(account()), ..Facts::default() },
        SessionEvent::Paired { account: account() },
        SessionEvent::Connected { account: account() },
        Request::Pair { phone: phone() },
        SessionCommand::Pair { phone: phone() },
        Request::Submit(Box::new(world.submission(0, "zanzibar", Some("order-of-mine")))),
        world.store.messages[&id],
        PairIntent { phone: phone(), waiters: Vec::new() },
        world.core.status_key(),
    );
    for secret in ["1555", "zanzibar", "order-of-mine"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("Pair(by code)") && shown.contains("Sending"), "{shown}");
}
