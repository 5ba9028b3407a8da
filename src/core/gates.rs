//! What keeps one message back although the queue as a whole may move: the gates that a
//! message passes before an attempt. Never blocks another chat.

use crate::Core;
use crate::message::Message;

impl Core {
    /// When all gates of this message are open, monotonic; 0: they are. None: an input
    /// has to come first.
    pub(crate) fn gates(&self, message: &Message) -> Option<u64> {
        Some(self.gates_but_upload(message)?.max(self.upload_gate(message)?))
    }

    /// The same without its file's upload, which is worth its while only once all other
    /// gates are open.
    pub(crate) fn gates_but_upload(&self, message: &Message) -> Option<u64> {
        Some(self.number_gate(message)?.max(self.timelock_gate(message)))
    }
}
