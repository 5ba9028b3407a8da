//! What the world's session reports.

use super::{ACCOUNT, Run, World, media};

use crate::action::Outgoing;
use crate::event::{EndReason, NotSent, Offer, ReceiptKind, SessionEvent};
use crate::files::UploadFault;
use crate::groups::GroupInfo;
use crate::trouble::{LoginTrouble, TroubleKind};
use tetherd_api::MessageId;

impl World {
    /// Somebody writes: a chat that exists.
    pub(in crate::tests) fn befriend(&mut self, chat: u32) {
        let chat = format!("+1555{:04}", 100 + chat).parse().unwrap();
        let chats = vec![(chat, self.now.wall_ms)];
        self.session(SessionEvent::ChatActivity { chats });
    }

    /// The upload under way arrives.
    pub(in crate::tests) fn uploaded(&mut self, id: MessageId) {
        let ticket = self.uploads[&id].ticket;
        self.session(SessionEvent::Uploaded { id, ticket, media: Box::new(media()) });
    }

    pub(in crate::tests) fn upload_failed(&mut self, id: MessageId, why: UploadFault) {
        let ticket = self.uploads[&id].ticket;
        self.session(SessionEvent::UploadFailed { id, ticket, why });
    }

    pub(in crate::tests) fn connect(&mut self) {
        assert_eq!(self.run, Run::Connecting, "nothing was asked to connect");
        self.session(SessionEvent::Connected { account: ACCOUNT.into() });
    }

    pub(in crate::tests) fn end(&mut self, reason: EndReason) {
        self.end_with(reason, 0);
    }

    pub(in crate::tests) fn end_with(&mut self, reason: EndReason, roll: u64) {
        assert_ne!(self.run, Run::None, "no run");
        self.session(SessionEvent::Ended { reason, roll });
    }

    pub(in crate::tests) fn lose(&mut self) {
        self.end(EndReason::Lost { what: "reset".to_owned() });
    }

    pub(in crate::tests) fn offer_qr(&mut self, text: &str) {
        self.session(SessionEvent::Offer(Offer::Qr { text: text.into(), valid_ms: 20_000 }));
    }

    pub(in crate::tests) fn ack(&mut self, id: MessageId) {
        self.ack_with(id, None);
    }

    pub(in crate::tests) fn ack_with(&mut self, id: MessageId, error: Option<u32>) {
        let wa_id = self.accepted[&id].clone();
        self.session(SessionEvent::Ack { wa_id, error });
    }

    pub(in crate::tests) fn receipt(&mut self, id: MessageId, kind: ReceiptKind) {
        let wa_ids = vec![self.accepted[&id].clone()];
        self.session(SessionEvent::Receipt { wa_ids, kind });
    }

    /// The network answers the last question about groups.
    pub(in crate::tests) fn groups_are(&mut self, groups: &[GroupInfo]) {
        let ticket = self.group_questions.last().expect("nobody asked").2;
        self.session(SessionEvent::Groups { ticket, groups: Some(groups.to_vec()) });
    }

    /// It does not.
    pub(in crate::tests) fn groups_fail(&mut self) {
        let ticket = self.group_questions.last().expect("nobody asked").2;
        self.session(SessionEvent::Groups { ticket, groups: None });
    }

    /// The last attempt at this message.
    pub(in crate::tests) fn flight(&self, id: MessageId) -> Outgoing {
        self.sends.iter().rev().find(|(_, o)| o.id == id).expect("never attempted").1.clone()
    }

    pub(in crate::tests) fn written(&mut self, id: MessageId) {
        let attempt = self.flight(id).attempt;
        self.session(SessionEvent::Written { id, attempt });
    }

    pub(in crate::tests) fn not_sent(&mut self, id: MessageId, why: NotSent) {
        let attempt = self.flight(id).attempt;
        self.session(SessionEvent::NotSent { id, attempt, why });
    }

    pub(in crate::tests) fn cut_off(&mut self, id: MessageId) {
        let attempt = self.flight(id).attempt;
        self.session(SessionEvent::CutOff { id, attempt });
    }
}

/// The server refuses the login with this code, without a text.
pub(in crate::tests) fn trouble(kind: TroubleKind, code: u32) -> EndReason {
    EndReason::Trouble(Box::new(LoginTrouble::new(kind, Some(code))))
}

/// A ban for so long, or without an end.
pub(in crate::tests) fn ban(for_ms: Option<u64>) -> EndReason {
    let ban = LoginTrouble::new(TroubleKind::Banned, Some(101));
    EndReason::Trouble(Box::new(LoginTrouble { for_ms, ..ban }))
}
