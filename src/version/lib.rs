//! Which version this is. The numbers are Cargo's, the revision is found by `build.rs`.

/// The version's numbers.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The numbers, and the git revision in brackets if the build knew one: for people.
pub const WITH_REVISION: &str = env!("TETHERD_VERSION");

/// The git revision that was built, `-dirty` at its end if the sources were changed after
/// it; nothing if the build knew none, as one from a tarball.
pub fn revision() -> Option<String> {
    let revision = env!("TETHERD_REVISION");
    (!revision.is_empty()).then(|| revision.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_for_people_names_the_revision_if_there_is_one() {
        match revision() {
            Some(revision) => assert_eq!(WITH_REVISION, format!("{NUMBER} ({revision})")),
            None => assert_eq!(WITH_REVISION, NUMBER),
        }
    }
}
