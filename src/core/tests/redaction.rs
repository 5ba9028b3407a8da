use super::groups::group;
use super::world::World;
use crate::action::SessionCommand;
use crate::contacts::{CheckOutcome, CheckTicket, Number, Registration, UsernameKey};
use crate::event::{Offer, Request, Selection, SessionEvent};
use crate::facts::Facts;
use crate::session::PairIntent;
use tetherd_api::Redacted;

#[test]
fn invariant_9_debug_of_the_core_shows_no_number_account_or_key() {
    let account = || Redacted("15550100@s.whatsapp.net".to_owned());
    let phone = || Some(Redacted("15550100".to_owned()));
    let mut world = World::connected();
    let id = world.submit(0, "zanzibar", Some("order-of-mine")).unwrap().message.id;
    let numbers = || vec![Number::parse("+15550111").unwrap()];
    let keys = || vec![UsernameKey::parse("@zanzibar#9876").unwrap()];
    world.request(Request::Check { numbers: numbers(), keys: keys(), fresh: true });
    let known = CheckOutcome::Answered(vec![(
        numbers().remove(0),
        Registration::Present { address: Some(numbers().remove(0)), lid: None },
    )]);
    let filter = Selection { key_prefix: Some("order-of".into()), ..Selection::default() };
    let shown = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        Facts { account: Some(account()), username_keys: keys(), ..Facts::default() },
        SessionEvent::Paired { account: account().into() },
        SessionEvent::Connected { account: account().into() },
        SessionEvent::Offer(Offer::Qr { text: "zanzibar".into(), valid_ms: 20_000 }),
        Request::Pair { phone: phone(), anyway: false },
        Request::Clear { filter, dry_run: true },
        SessionCommand::Pair { phone: phone() },
        group("15550111-1@g.us", "zanzibar"),
        SessionCommand::CheckNumbers { ticket: CheckTicket(1), numbers: numbers(), keys: keys() },
        Request::Check { numbers: numbers(), keys: keys(), fresh: true },
        known,
        Request::Submit(Box::new(world.submission(0, "zanzibar", Some("order-of-mine")))),
        world.store.messages[&id],
        PairIntent { phone: phone(), waiters: Vec::new() },
        world.events,
        // Every component, with its indexes.
        world.core,
    );
    for secret in ["1555", "zanzibar", "order-of", "9876"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains("Pair { phone: Some(..) }") && shown.contains("Sending"), "{shown}");
}
