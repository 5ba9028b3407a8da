//! The inbox on a real store.

use std::time::Duration;

use tokio::time::advance;

use super::update::SEEN_BEYOND;
use super::*;
use crate::store::Batch;
use tetherd_api::{IncomingKind, Time};

const NOW_MS: i64 = 1_700_000_000_000;
const BOUNDS: Bounds = Bounds { max: 100, max_age_ms: 10_000 };

/// The `n`th text of one chat.
pub(crate) fn new_message(n: u64) -> NewMessage {
    let id = format!("3EB0{n:06}");
    let chat = "15550111@s.whatsapp.net";
    NewMessage {
        seen: Seen::new(chat, chat, &id),
        incoming: Incoming {
            cursor: 0,
            wa_id: id,
            chat: chat.into(),
            sender: chat.into(),
            from_me: false,
            name: None,
            username: None,
            sent_at: Time(NOW_MS),
            received_at: Time(0),
            kind: IncomingKind::Text,
            text: Some(format!("text {n}").into()),
            cut: false,
            geo: None,
            vcard: None,
            file: None,
            reply_to: None,
        },
        remote: None,
    }
}

fn new_messages(from: u64, to: u64) -> Vec<NewMessage> {
    (from..=to).map(new_message).collect()
}

/// The oldest that may be kept, and the newest.
fn range(inbox: &Inbox) -> (u64, u64) {
    (inbox.now().oldest, inbox.now().newest)
}

fn cursors(page: &Page) -> Vec<u64> {
    page.messages.iter().map(|message| message.cursor).collect()
}

struct Bench {
    dir: tempfile::TempDir,
    store: Option<Store>,
    /// For how long the daemon ran before the next start.
    uptime_ms: u64,
}

impl Bench {
    fn new() -> Bench {
        use std::os::unix::fs::PermissionsExt as _;
        let owner_only = std::fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().permissions(owner_only).tempdir().unwrap();
        Bench { dir, store: None, uptime_ms: 0 }
    }

    /// Opens the inbox, on the store that is open or on a fresh start.
    async fn open(&mut self, bounds: Bounds, now_ms: i64) -> Inbox {
        if let Some(store) = self.store.take() {
            store.close();
        }
        let store = Store::open(self.dir.path()).unwrap();
        self.store = Some(store.clone());
        Inbox::open(store, bounds, now_ms, self.uptime_ms).await.unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(store) = self.store.take() {
            store.close();
        }
    }
}

#[tokio::test]
async fn cursors_count_up_by_one_over_restarts_and_what_comes_twice_is_kept_once() {
    let mut bench = Bench::new();
    let inbox = bench.open(BOUNDS, NOW_MS).await;
    assert_eq!(inbox.newest(), 0);
    assert_eq!(inbox.put(new_messages(1, 3), NOW_MS).await.unwrap(), 3);
    let mut again = new_messages(2, 5);
    again.push(new_message(5));
    assert_eq!(inbox.put(again, NOW_MS).await.unwrap(), 2);

    let inbox = bench.open(BOUNDS, NOW_MS).await;
    assert_eq!(inbox.newest(), 5);
    assert_eq!(inbox.put(new_messages(4, 6), NOW_MS + 1).await.unwrap(), 1);
    let page = inbox.page(0, 10).unwrap();
    assert_eq!(cursors(&page), [1, 2, 3, 4, 5, 6]);
    assert_eq!((page.gap, page.next, page.newest), (None, 6, 6));
    assert_eq!(page.messages[5].text.as_deref(), Some("text 6"));
    assert_eq!(page.messages[5].received_at, Time(NOW_MS + 1));
}

#[tokio::test]
async fn the_same_id_in_another_chat_or_of_another_sender_is_another_message() {
    let mut bench = Bench::new();
    let inbox = bench.open(BOUNDS, NOW_MS).await;
    let mut three = new_messages(1, 1);
    for (chat, sender) in [("a", "bc"), ("ab", "c")] {
        three.push(NewMessage { seen: Seen::new(chat, sender, "3EB0000001"), ..new_message(1) });
    }
    assert_eq!(inbox.put(three, NOW_MS).await.unwrap(), 3);
}

#[tokio::test]
async fn many_at_once_have_no_hole_and_no_double() {
    let mut bench = Bench::new();
    let inbox = bench.open(Bounds { max: 1_000, ..BOUNDS }, NOW_MS).await;
    let puts = (0..20).map(|n| {
        let inbox = inbox.clone();
        // Half of each is its neighbour's too.
        tokio::spawn(async move { inbox.put(new_messages(n * 5 + 1, n * 5 + 10), NOW_MS).await })
    });
    let mut new = 0;
    for put in puts.collect::<Vec<_>>() {
        new += put.await.unwrap().unwrap();
    }
    assert_eq!(new, 105);
    assert_eq!(inbox.newest(), 105);
    let page = inbox.page(0, 1_000).unwrap();
    assert_eq!(cursors(&page), (1..=105).collect::<Vec<_>>());
}

#[tokio::test]
async fn invariant_10_the_oldest_give_way_and_are_said_to_be_missing() {
    let mut bench = Bench::new();
    let bounds = Bounds { max: 10, ..BOUNDS };
    let inbox = bench.open(bounds, NOW_MS).await;
    inbox.put(new_messages(1, 25), NOW_MS).await.unwrap();
    assert_eq!(range(&inbox), (16, 25));
    let page = inbox.page(4, 3).unwrap();
    assert_eq!((page.gap, page.next), (Some(Gap { from: 5, to: 15 }), 18));
    assert_eq!(cursors(&page), [16, 17, 18]);
    assert_eq!(inbox.page(18, 100).unwrap().gap, None);
    assert_eq!(inbox.get(15).unwrap(), None);
    assert!(inbox.get(16).unwrap().is_some());
    assert_eq!(inbox.get(26).unwrap(), None);
    // What was dropped is still known when it comes again.
    assert_eq!(inbox.put(new_messages(1, 25), NOW_MS).await.unwrap(), 0);
    // A smaller bound takes effect at the next start as well.
    let inbox = bench.open(Bounds { max: 2, ..BOUNDS }, NOW_MS).await;
    assert_eq!(range(&inbox), (24, 25));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_goes_and_cursors_go_on() {
    let later = |ms| advance(Duration::from_millis(ms));
    let mut bench = Bench::new();
    let inbox = bench.open(BOUNDS, NOW_MS).await;
    inbox.put(new_messages(1, 2), NOW_MS).await.unwrap();
    later(5_000).await;
    inbox.put(new_messages(3, 3), NOW_MS).await.unwrap();
    later(5_001).await;
    inbox.put(new_messages(4, 4), NOW_MS).await.unwrap();
    assert_eq!(range(&inbox), (3, 4));
    bench.uptime_ms = 60_000;
    let inbox = bench.open(BOUNDS, NOW_MS).await;
    assert_eq!(range(&inbox), (5, 4));
    let page = inbox.page(1, 10).unwrap();
    assert_eq!((page.gap, page.messages.len()), (Some(Gap { from: 2, to: 4 }), 0));
    assert_eq!(inbox.put(new_messages(5, 5), NOW_MS + 60_000).await.unwrap(), 1);
    assert_eq!(cursors(&inbox.page(4, 10).unwrap()), [5]);
}

#[tokio::test]
async fn a_clock_that_is_wrong_for_a_moment_drops_nothing() {
    const DAYS_40_MS: i64 = 40 * 24 * 60 * 60 * 1_000;
    let mut bench = Bench::new();
    let inbox = bench.open(BOUNDS, NOW_MS).await;
    inbox.put(new_messages(1, 3), NOW_MS).await.unwrap();
    inbox.put(new_messages(4, 4), NOW_MS + DAYS_40_MS).await.unwrap();
    inbox.put(new_messages(5, 5), 0).await.unwrap();
    let inbox = bench.open(BOUNDS, NOW_MS + DAYS_40_MS).await;
    assert_eq!(cursors(&inbox.page(0, 10).unwrap()), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn invariant_10_names_of_dropped_messages_are_bounded_too() {
    let mut bench = Bench::new();
    let inbox = bench.open(Bounds { max: 5, ..BOUNDS }, NOW_MS).await;
    let many = SEEN_BEYOND + 500;
    for from in (1..=many).step_by(250) {
        inbox.put(new_messages(from, from + 249), NOW_MS).await.unwrap();
    }
    for area in [&b"inbox/seen/"[..], b"inbox/digest/"] {
        let count = bench.store.as_ref().unwrap().scan(area).count();
        assert!(count <= usize::try_from(SEEN_BEYOND).unwrap() + 6, "{count}");
    }
}

#[tokio::test]
async fn numbers_grow_with_cursors_and_the_last_one_dropped_is_known() {
    let mut bench = Bench::new();
    let bounds = Bounds { max: 10, ..BOUNDS };
    let mut inbox = bench.open(bounds, NOW_MS).await;
    let mut numbers = Vec::new();
    for from in [1, 8, 15, 22] {
        inbox.put(new_messages(from, from + 6), NOW_MS).await.unwrap();
        // Another commit takes a number of its own.
        let mut other = Batch::new();
        other.put("other", from.to_be_bytes());
        bench.store.as_ref().unwrap().commit(other).await.unwrap();
        let newest = inbox.now().newest_seq;
        numbers.extend(newest - 6..=newest);
    }
    for _ in 0..2 {
        assert_eq!((range(&inbox), inbox.now().dropped_seq), ((19, 28), numbers[17]));
        for (cursor, number) in (1..).zip(&numbers).skip(18) {
            assert_eq!(inbox.numbered(cursor).unwrap().unwrap().0, *number);
            assert_eq!(inbox.cursor_at(*number).unwrap(), cursor);
            assert_eq!(inbox.cursor_at(*number - 1).unwrap(), cursor - 1);
        }
        assert_eq!(inbox.cursor_at(u64::MAX).unwrap(), 28);
        assert_eq!(inbox.cursor_at(0).unwrap(), 18);
        inbox = bench.open(bounds, NOW_MS).await;
    }
}

#[tokio::test]
async fn an_inbox_that_is_off_takes_nothing() {
    let mut bench = Bench::new();
    let inbox = bench.open(Bounds { max: 0, ..BOUNDS }, NOW_MS).await;
    assert!(!inbox.is_on());
    assert_eq!(inbox.put(new_messages(1, 2), NOW_MS).await.unwrap(), 0);
    assert_eq!(inbox.newest(), 0);
    assert_eq!(bench.store.as_ref().unwrap().scan(b"inbox/").count(), 0);
}

#[tokio::test]
async fn no_damage_to_the_counts_gives_a_cursor_away_again() {
    for copies in
        [&["inbox/ledger/a"][..], &["inbox/ledger/b"], &["inbox/ledger/a", "inbox/ledger/b"]]
    {
        let mut bench = Bench::new();
        let inbox = bench.open(Bounds { max: 3, ..BOUNDS }, NOW_MS).await;
        inbox.put(new_messages(1, 7), NOW_MS).await.unwrap();
        let mut damage = Batch::new();
        for copy in copies {
            damage.put(*copy, "not json");
        }
        bench.store.as_ref().unwrap().commit(damage).await.unwrap();
        let inbox = bench.open(Bounds { max: 3, ..BOUNDS }, NOW_MS).await;
        assert_eq!(range(&inbox), (5, 7));
        assert_eq!(inbox.put(new_messages(5, 8), NOW_MS).await.unwrap(), 1);
        assert_eq!(inbox.newest(), 8);
    }
}

#[tokio::test]
async fn counts_that_are_damaged_while_the_inbox_is_open_give_no_cursor_away_again() {
    let mut bench = Bench::new();
    let inbox = bench.open(BOUNDS, NOW_MS).await;
    inbox.put(new_messages(1, 3), NOW_MS).await.unwrap();
    let mut damage = Batch::new();
    damage.put("inbox/ledger/a", "not json").put("inbox/ledger/b", "not json");
    bench.store.as_ref().unwrap().commit(damage).await.unwrap();
    assert_eq!(inbox.put(new_messages(4, 4), NOW_MS).await.unwrap(), 1);
    let page = inbox.page(0, 10).unwrap();
    assert_eq!((cursors(&page), page.gap), (vec![1, 2, 3, 4], None));
    assert_eq!(page.messages[0].text.as_deref(), Some("text 1"), "nothing is written over");
}

#[tokio::test]
async fn a_record_that_is_lost_in_the_middle_is_a_gap() {
    let mut bench = Bench::new();
    let inbox = bench.open(BOUNDS, NOW_MS).await;
    inbox.put(new_messages(1, 6), NOW_MS).await.unwrap();
    let mut loss = Batch::new();
    loss.remove(stored::message_key(3));
    loss.put(stored::message_key(4), "not json");
    bench.store.as_ref().unwrap().commit(loss).await.unwrap();
    let first = inbox.page(0, 10).unwrap();
    assert_eq!((cursors(&first), first.gap, first.next), (vec![1, 2], None, 2));
    let second = inbox.page(first.next, 10).unwrap();
    assert_eq!((cursors(&second), second.gap), (vec![5, 6], Some(Gap { from: 3, to: 4 })));
}

#[tokio::test]
async fn a_page_of_long_texts_is_short() {
    let mut bench = Bench::new();
    let inbox = bench.open(BOUNDS, NOW_MS).await;
    let long = |n| {
        let mut new_message = new_message(n);
        new_message.incoming.text = Some("x".repeat(200 * 1024).into());
        new_message
    };
    inbox.put((1..=5).map(long).collect(), NOW_MS).await.unwrap();
    let page = inbox.page(0, 10).unwrap();
    assert_eq!((cursors(&page), page.next), (vec![1, 2], 2));
    assert_eq!(cursors(&inbox.page(4, 10).unwrap()), [5]);
}

#[test]
fn debug_shows_no_text_and_no_key() {
    let mut new_message = new_message(1);
    new_message.remote = Some(RemoteFile {
        kind: RemoteKind::Image,
        path: "/secret-path".into(),
        key: vec![0xab; 32],
        sha256: vec![0; 32],
        sealed_sha256: vec![0; 32],
        bytes: 7,
        chat: "15550111@s.whatsapp.net".into(),
        sender: "15550111@s.whatsapp.net".into(),
    });
    let said = format!("{new_message:?}");
    for secret in ["text 1", "15550111", "secret-path", "171"] {
        assert!(!said.contains(secret), "{said}");
    }
    let kept = Kept {
        seq: 1,
        uptime_ms: Some(7),
        incoming: new_message.incoming,
        remote: new_message.remote,
    };
    assert_eq!(Kept::decode(&kept.clone().encode().unwrap()), Some(kept));
}

#[tokio::test]
async fn messages_of_format_1_are_read_and_written_again_without_a_loss() {
    let dir = crate::store::fixture("v1");
    let store = Store::open(dir.path()).unwrap();
    let values: Vec<_> = store.scan(b"inbox/message/").map(|record| record.unwrap().1).collect();
    assert_eq!(values.len(), 13);
    for value in values {
        let again = Kept::decode(&value).unwrap().encode().unwrap();
        let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        assert_eq!(json(&again), json(&value));
    }
    // As they came in, long before any bound drops them.
    let came = 1_795_765_200_000;
    let inbox = Inbox::open(store.clone(), Bounds { max_age_ms: u64::MAX, ..BOUNDS }, came, 0)
        .await
        .unwrap();
    let page = inbox.page(0, 100).unwrap();
    assert_eq!((cursors(&page), page.newest), ((1..=13).collect::<Vec<_>>(), 13));
    assert_eq!(page.messages[0].text.as_deref(), Some("an answer"));
    use IncomingKind::{
        Audio, Contact, Document, Image, Location, Other, Reaction, Sticker, Text, Video, Voice,
    };
    let kinds: Vec<_> = page.messages[2..].iter().map(|message| message.kind).collect();
    let all =
        [Text, Image, Video, Audio, Voice, Document, Sticker, Location, Contact, Reaction, Other];
    assert_eq!(kinds, all);
    let remote = inbox.get(4).unwrap().unwrap().remote.unwrap();
    assert_eq!(
        (remote.kind, remote.key, remote.path.as_str()),
        (RemoteKind::Image, vec![1; 32], "/v/e")
    );
    // Names that are known stay known, and cursors go on.
    let first = page.messages[0].clone();
    let seen = Seen::new(&first.chat, &first.sender, &first.wa_id);
    let again = NewMessage { seen, incoming: first, remote: None };
    assert_eq!(inbox.put(vec![again], came).await.unwrap(), 0);
    assert_eq!(inbox.put(new_messages(1, 1), came).await.unwrap(), 1);
    assert_eq!(inbox.newest(), 14);
    store.close();
}
