//! What keeps one message back although the queue as a whole may move: the gates that a
//! message passes before an attempt. Never blocks another chat.

use crate::core::Core;
use crate::core::message::Message;

impl Core {
    /// When all gates of this message are open, monotonic; 0: they are. None: an input
    /// has to come first.
    pub(crate) fn gates(&self, message: &Message) -> Option<u64> {
        self.number_gate(message)
    }
}
