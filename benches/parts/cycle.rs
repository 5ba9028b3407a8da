//! The core alone: one message after the other from acceptance to `read`, while a
//! constant number waits behind it.

use tetherd::daemon::core_config;
use tetherd_config::Config;
use tetherd_core::action::{Effect, Outgoing, SessionCommand};
use tetherd_core::event::{Body, Input, ReceiptKind, Request, SessionEvent, Submission, Token};
use tetherd_core::facts::{Facts, Restored};
use tetherd_core::ids::{Digest, WaMessageId};
use tetherd_core::time::{BootId, Now};
use tetherd_core::{Core, CoreConfig};

const ACCOUNT: &str = "15550100@s.whatsapp.net";
/// Chats that share the queue.
const CHATS: usize = 5;

pub(crate) struct Cycle {
    core: Core,
    now: Now,
    accepted: usize,
    /// What the core has told the session to send.
    orders: Vec<Outgoing>,
}

impl Cycle {
    pub(crate) fn new(waiting: usize) -> Cycle {
        // No number is looked up before a message leaves.
        let mut defaults = Config::default();
        defaults.preflight.numbers = false;
        let config = CoreConfig {
            capacity: waiting + 1,
            history_max: 100,
            // One at each tick.
            pace_limit: 1,
            window_ms: 1_000,
            ..core_config(&defaults)
        };
        let facts = Facts { account: Some(ACCOUNT.into()), ..Facts::default() };
        let restored = Restored { facts, ..Restored::default() };
        let now = Now { wall_ms: 1_800_000_000_000, mono_ms: 1_000_000 };
        let (core, _) = Core::new(config, BootId(1), restored, now);
        let mut cycle = Cycle { core, now, accepted: 0, orders: Vec::new() };
        cycle.session(SessionEvent::Connected { account: ACCOUNT.into() });
        // The first leaves at once.
        for _ in 0..=waiting {
            cycle.accept();
        }
        cycle
    }

    /// This many messages all the way.
    pub(crate) fn turn(&mut self, messages: usize) {
        for _ in 0..messages {
            let Some(out) = self.orders.pop() else { panic!("nothing left") };
            let wa_id = out.draft.wa_id;
            self.session(SessionEvent::Written { id: out.id, attempt: out.attempt });
            self.session(SessionEvent::Ack { wa_id: wa_id.clone(), error: None });
            for kind in [ReceiptKind::OwnPhone, ReceiptKind::Delivered, ReceiptKind::Read] {
                self.session(SessionEvent::Receipt { wa_ids: vec![wa_id.clone()], kind });
            }
            self.accept();
            self.now.mono_ms += 1_001;
            self.now.wall_ms += 1_001;
            self.input(Input::Tick);
        }
    }

    fn accept(&mut self) {
        self.accepted += 1;
        let n = self.accepted;
        let to = format!("+15550{}", 101 + n % CHATS);
        let text = Body("a text of a usual length, forty characters".into());
        let wa_id = WaMessageId(format!("3EB0{n:018X}"));
        let submission = Submission::text(to.parse().unwrap(), text, Digest([0; 32]), wa_id);
        let request = Request::Submit(Box::new(submission));
        self.input(Input::Request { token: Token(0), request });
    }

    fn session(&mut self, event: SessionEvent) {
        self.input(Input::Session(event));
    }

    fn input(&mut self, input: Input) {
        for effect in self.core.handle(input, self.now).effects {
            if let Effect::Session(SessionCommand::Send(out)) = effect {
                self.orders.push(out);
            }
        }
        std::hint::black_box(self.core.poll_timeout());
    }
}
