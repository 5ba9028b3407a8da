//! The names of the linked account: its number, which its owner can change, and its LID, which
//! stays. Plain data.

use tetherd_api::Redacted;

/// The names of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountNames {
    /// Its JID by number, without a device.
    pub jid: Redacted<String>,
    /// Its JID under the LID, without a device, where it is known.
    pub lid: Option<Redacted<String>>,
}

impl AccountNames {
    /// From what is kept of them.
    pub(crate) fn of(
        jid: Option<&Redacted<String>>,
        lid: Option<&Redacted<String>>,
    ) -> Option<AccountNames> {
        Some(AccountNames { jid: jid?.clone(), lid: lid.cloned() })
    }

    /// Whether both are one account: under the same LID, else under the same number. A number
    /// that was given to somebody else is another account where both LIDs are known.
    pub(crate) fn is_same(&self, other: &AccountNames) -> bool {
        match (&self.lid, &other.lid) {
            (Some(one), Some(other)) => is_one(one, other),
            (None, _) | (_, None) => is_one(&self.jid, &other.jid),
        }
    }
}

impl<T: Into<Redacted<String>>> From<T> for AccountNames {
    fn from(jid: T) -> AccountNames {
        AccountNames { jid: jid.into(), lid: None }
    }
}

/// One name, whichever of the account's devices a JID says besides.
fn is_one(one: &str, other: &str) -> bool {
    fn parts(jid: &str) -> (&str, &str) {
        let (user, server) = jid.split_once('@').unwrap_or((jid, ""));
        (user.split([':', '.']).next().unwrap_or(user), server)
    }
    parts(one) == parts(other)
}

#[cfg(test)]
mod tests {
    use super::{AccountNames, is_one};

    #[test]
    fn an_account_is_the_same_under_each_of_its_devices() {
        assert!(is_one("15550100@s.whatsapp.net", "15550100:7@s.whatsapp.net"));
        assert!(is_one("15550100.0:7@s.whatsapp.net", "15550100@s.whatsapp.net"));
        assert!(!is_one("15550100@s.whatsapp.net", "15550177@s.whatsapp.net"));
        assert!(!is_one("15550100@s.whatsapp.net", "15550100@lid"));
    }

    #[test]
    fn the_lid_decides_where_both_are_known() {
        let names = |jid: &str, lid: Option<&str>| AccountNames {
            jid: jid.into(),
            lid: lid.map(Into::into),
        };
        let (old, new) = ("15550100@s.whatsapp.net", "15550177@s.whatsapp.net");
        assert!(names(old, Some("9@lid")).is_same(&names(new, Some("9@lid"))));
        assert!(!names(old, Some("9@lid")).is_same(&names(old, Some("8@lid"))));
        assert!(names(old, Some("9@lid")).is_same(&names(old, None)));
        assert!(!names(old, None).is_same(&names(new, Some("9@lid"))));
    }
}
