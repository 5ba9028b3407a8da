//! A place that only what is not sent has moved.

use super::*;

#[test]
fn what_is_not_wanted_moves_the_place_on_disk_too() {
    let lab = Lab::new();
    let daemon = lab.paired();
    lab.people(&["+15550111"]);
    let receiver = Receiver::start();
    let text = format!(
        "name = \"w0\"\nurl = {:?}\nallow_addresses = [\"127.0.0.1\"]\nevents = [\"incoming\"]\n",
        receiver.url()
    );
    let settings: Settings = toml::from_str(&text).unwrap();
    new_secret(&secret_file(&settings, lab.path())).unwrap();
    let front = Front::with(&lab, &daemon, |config| config.webhooks = vec![settings]);
    let admin = Admin::of(&front);
    let begun = admin.begun("w0");
    daemon.send("+15550111", "out");
    let moved = admin.until("w0", |standing| standing["after"].as_u64() > Some(begun));
    assert_eq!((&moved["state"], &moved["failures"]), (&json!("active"), &json!(0)));

    // Beyond the place, events would be skipped.
    let beyond = json!({ "after": moved["after"].as_u64().unwrap() + 1_000 }).to_string();
    let refused = admin.act("w0", "replay", &beyond);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("the feed ends at"), "{}", refused.text());
}
