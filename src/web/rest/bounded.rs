//! Bounds of a body that comes in parts, for what its parser has none: the body as a whole, and
//! what it keeps in memory while it looks for the next part. Never looks at what it passes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::body::Body;
use futures_util::TryStreamExt as _;

use crate::limits::PART_HEAD_BYTES_MAX;

/// Counts what has passed.
#[derive(Clone, Debug)]
pub(super) struct Bounded(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    whole_max: u64,
    whole: AtomicU64,
    /// Since the parser last gave something back.
    held: AtomicU64,
}

/// Which bound was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooMuch {
    /// That of the whole body.
    #[error("the body is too long")]
    Whole,
    /// That of a part's head, or of what lies before the first part.
    #[error("a part's head is too long")]
    Head,
}

impl Bounded {
    pub(super) fn new(whole_max: u64) -> Bounded {
        let (whole, held) = (AtomicU64::new(0), AtomicU64::new(0));
        Bounded(Arc::new(Counts { whole_max, whole, held }))
    }

    /// The body, which fails once too much has passed.
    pub(super) fn body(&self, body: Body) -> Body {
        let counts = self.clone();
        let data = body.into_data_stream().map_err(axum::BoxError::from);
        Body::from_stream(data.and_then(move |bytes| {
            counts.0.whole.fetch_add(bytes.len() as u64, Relaxed);
            counts.0.held.fetch_add(bytes.len() as u64, Relaxed);
            let passed = counts.check().map(|()| bytes).map_err(axum::BoxError::from);
            std::future::ready(passed)
        }))
    }

    /// The parser has given a part or a piece of one: it holds nothing.
    pub(super) fn given(&self) {
        self.0.held.store(0, Relaxed);
    }

    /// Whether no bound was passed.
    pub(super) fn check(&self) -> Result<(), TooMuch> {
        if self.0.whole.load(Relaxed) > self.0.whole_max {
            return Err(TooMuch::Whole);
        }
        let held = self.0.held.load(Relaxed);
        if held > PART_HEAD_BYTES_MAX as u64 { Err(TooMuch::Head) } else { Ok(()) }
    }
}
