//! The descriptors that came with one request. Owns their number: of one connection, only
//! so many are open at a time, and its next line waits until there is room for those that
//! it may bring.

use std::os::fd::OwnedFd;

use tokio::sync::OwnedSemaphorePermit;

use tetherd_api::FDS_PER_LINE_MAX;
use tetherd_api::fds::Passed;
use tetherd_api::{Error, ErrorKind};

/// Descriptors of one connection's requests that are worked on, and of the line that is
/// being read.
pub(crate) const FDS_PENDING_MAX: usize = 2 * FDS_PER_LINE_MAX;

/// Closed when dropped.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    fds: Vec<Option<OwnedFd>>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Descriptors {
    /// Those of a line. Its part of the room goes with them; the rest is free again.
    pub(crate) fn of(
        passed: Passed,
        room: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Descriptors, Error> {
        let Passed { fds, too_many } = passed;
        if too_many {
            let sentence = format!("a request takes at most {FDS_PER_LINE_MAX} descriptors");
            return Err(Error::new(ErrorKind::BadFile, sentence));
        }
        if fds.is_empty() {
            return Ok(Descriptors::default());
        }
        let room = room.take().and_then(|mut room| room.split(fds.len()));
        Ok(Descriptors { fds: fds.into_iter().map(Some).collect(), _room: room })
    }

    /// One of them, once.
    pub(crate) fn take(&mut self, index: usize) -> Result<OwnedFd, Error> {
        let count = self.fds.len();
        self.fds.get_mut(index).and_then(Option::take).ok_or_else(|| {
            let sentence = format!("no descriptor {index}: {count} came with the request");
            Error::new(ErrorKind::BadFile, sentence)
                .remedy("pass it with the request's own line (SCM_RIGHTS), and count from 0")
        })
    }
}
