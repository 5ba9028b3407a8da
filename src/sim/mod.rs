//! A simulator of the WhatsApp Web server, the phone and the recipients.
