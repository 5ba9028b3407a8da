//! A group by its name: exactly as it is written, and only where one group is called so.

use tetherd_api::{Error, ErrorKind, Group, GroupListResult};

use crate::ids::ChatId;

/// What names a recipient, said of what does not.
const NO_RECIPIENT: &str = "a recipient is + and digits with the country code, like +15550100, \
                            a JID, or the name of a group: no group is called so";
/// Candidates that an error names.
const CANDIDATES_MAX: usize = 5;

/// The group that is called so, or which could have been meant.
pub fn find_by_name(list: &GroupListResult, name: &str) -> Result<ChatId, Error> {
    let name = name.trim();
    let called = |group: &&Group| group.name.0.trim() == name;
    let found: Vec<&Group> = list.groups.iter().filter(called).collect();
    match found[..] {
        [group] => group.jid.0.parse().map_err(|_| refused("the group's JID is malformed")),
        [] => Err(none(list, name)),
        _ => {
            let sentence = format!("{} groups are called so", found.len());
            let jids = found.iter().take(CANDIDATES_MAX).map(|group| group.jid.0.as_str());
            let jids = jids.collect::<Vec<_>>().join(", ");
            Err(refused(&sentence).remedy(format!("name one by its JID: {jids}")))
        }
    }
}

/// No group is called so: those whose names differ in case only, or hold it.
fn none(list: &GroupListResult, name: &str) -> Error {
    let wanted = name.to_lowercase();
    let close = list.groups.iter().filter(|group| {
        let called = group.name.0.to_lowercase();
        !wanted.is_empty() && (called.contains(&wanted) || wanted.contains(&called))
    });
    let close = close.take(CANDIDATES_MAX).map(|group| format!("`{}`", group.name.0));
    let close = close.collect::<Vec<_>>();
    let error = refused(NO_RECIPIENT);
    if close.is_empty() {
        error.remedy("`tetherctl groups` lists the groups with their names")
    } else {
        error.remedy(format!("did you mean {}?", close.join(", ")))
    }
}

fn refused(sentence: &str) -> Error {
    Error::new(ErrorKind::BadRecipient, sentence)
}
