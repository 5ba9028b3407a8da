//! What the world asks the core to send.

use super::{World, file};

use crate::event::{Body, Input, Request, Submission};
use crate::files::{Outcome, Prepared, Source, SpooledFile};
use crate::ids::{Digest, SpoolId, WaMessageId};
use tetherd_api::{self as api, MessageId, Reply};

impl World {
    pub(in crate::tests) fn submission(
        &mut self,
        chat: u32,
        text: &str,
        key: Option<&str>,
    ) -> Submission {
        self.next_wa += 1;
        let mut digest = [0; 32];
        for (i, byte) in text.bytes().chain(chat.to_be_bytes()).enumerate() {
            digest[i % 32] ^= byte.rotate_left(u32::try_from(i / 32).unwrap());
        }
        let to = format!("+1555{:04}", 100 + chat).parse().unwrap();
        let wa_id = WaMessageId(format!("3EB0{:018X}", self.next_wa));
        let key = key.map(str::to_owned);
        let mut submission = Submission::text(to, Body(text.into()), Digest(digest), wa_id);
        submission.draft.key = key.map(Into::into);
        submission
    }

    pub(in crate::tests) fn submit(
        &mut self,
        chat: u32,
        text: &str,
        key: Option<&str>,
    ) -> Result<api::SendResult, api::Error> {
        let submission = self.submission(chat, text, key);
        match self.ask(Request::Submit(Box::new(submission)))? {
            Reply::MessageSend(result) => Ok(*result),
            other => panic!("{other:?} is no answer to a submission"),
        }
    }

    pub(in crate::tests) fn replace(
        &mut self,
        chat: u32,
        text: &str,
        key: &str,
        how: api::Replace,
    ) -> Result<api::SendResult, api::Error> {
        let mut submission = self.submission(chat, text, Some(key));
        submission.replace = Some(how);
        match self.ask(Request::Submit(Box::new(submission)))? {
            Reply::MessageSend(result) => Ok(*result),
            other => panic!("{other:?} is no answer to a submission"),
        }
    }

    /// Accepts a document to this chat.
    pub(in crate::tests) fn send_file(&mut self, chat: u32) -> MessageId {
        let caption = format!("caption {}", self.next_wa);
        let submission = self.file_submission(chat, &caption);
        match self.ask(Request::Submit(Box::new(submission))) {
            Ok(Reply::MessageSend(result)) => result.message.id,
            other => panic!("{other:?} is no answer to a submission"),
        }
    }

    pub(in crate::tests) fn file_submission(&mut self, chat: u32, caption: &str) -> Submission {
        let info = api::FileInfo {
            bytes: 3,
            mime: "application/pdf".to_owned(),
            sha256: "00".repeat(32).into(),
            name: Some("a.pdf".into()),
        };
        let spool = SpoolId(format!("{:032x}", self.next_wa));
        let file = Some(SpooledFile { spool, info });
        let kind = api::Kind::Document;
        let mut submission = self.submission(chat, caption, None);
        submission.draft.kind = kind;
        submission.draft.file = file;
        submission
    }

    /// Accepts one message to this chat.
    pub(in crate::tests) fn send(&mut self, chat: u32) -> MessageId {
        let text = format!("text {}", self.next_wa);
        self.submit(chat, &text, None).unwrap().message.id
    }

    pub(in crate::tests) fn url_submission(&mut self, chat: u32) -> Submission {
        let url = format!("https://files.example/{}", self.next_wa);
        let mut submission = self.submission(chat, &url, None);
        submission.draft.kind = api::Kind::Document;
        submission.draft.source = Some(Source { url: url.into(), ..Source::default() });
        submission
    }

    pub(in crate::tests) fn link_submission(&mut self, chat: u32) -> Submission {
        let text = format!("https://link.example/{}", self.next_wa);
        let mut submission = self.submission(chat, &text, None);
        submission.draft.has_links = true;
        submission
    }

    /// A file at some address, to this chat.
    pub(in crate::tests) fn send_url(&mut self, chat: u32) -> MessageId {
        let submission = self.url_submission(chat);
        self.accept(submission)
    }

    /// A text with a link, to this chat.
    pub(in crate::tests) fn send_link(&mut self, chat: u32) -> MessageId {
        let submission = self.link_submission(chat);
        self.accept(submission)
    }

    /// The same, where there may be no place.
    pub(in crate::tests) fn try_send_url(&mut self, chat: u32) {
        let submission = self.url_submission(chat);
        drop(self.ask(Request::Submit(Box::new(submission))));
    }

    /// The same, where there may be no place.
    pub(in crate::tests) fn try_send_link(&mut self, chat: u32) {
        let submission = self.link_submission(chat);
        drop(self.ask(Request::Submit(Box::new(submission))));
    }

    pub(in crate::tests) fn accept(&mut self, submission: Submission) -> MessageId {
        match self.ask(Request::Submit(Box::new(submission))) {
            Ok(Reply::MessageSend(result)) => result.message.id,
            other => panic!("{other:?}"),
        }
    }

    /// The shell reports on this one.
    pub(in crate::tests) fn prepared(&mut self, id: MessageId, outcome: Outcome) {
        let round = self.preparing.remove(&id).expect("it is not being prepared").round;
        self.input(Input::Prepared(Prepared { id, round, outcome }));
    }

    /// All went well, with a file if one was wanted.
    pub(in crate::tests) fn all_well(&self, id: MessageId) -> Outcome {
        let fetched = |_| (api::Kind::Image, file(id, self.unspooled.len()));
        let file = self.preparing[&id].source.as_ref().map(fetched);
        Outcome::Ready { file, link: None }
    }
}
