//! `message.send` with a file by its web address: the address is checked here, the file
//! fetched after the message was accepted. Looks nothing up.

use crate::fetch::address::{self, Schemes};
use crate::fetch::find_links;
use tetherd_api::{Error, ErrorKind, FileParams, Kind, Redacted};
use tetherd_core::draft::Draft;
use tetherd_core::event::{Body, Submission};
use tetherd_core::files::Source;

use super::checks::{digest, invalid};

/// The draft with a file to fetch; what is not about the address has been checked.
pub(super) fn submission(
    draft: Draft,
    file: FileParams,
    caption: Option<Redacted<String>>,
    schemes: Schemes,
) -> Result<Submission, Error> {
    let FileParams { url, kind, name, mime, .. } = file;
    let url = url.ok_or_else(|| invalid("give `file.url`"))?;
    let url = address::parse(&url, schemes)
        .map_err(|bad| Error::new(ErrorKind::BadUrl, bad.to_string()).remedy(bad.remedy()))?;
    let source = Source { url: Redacted(url.into()), kind, name, mime };
    let caption = caption.unwrap_or_default();
    let name = source.name.as_deref().unwrap_or_default();
    let mime = source.mime.as_deref().unwrap_or_default();
    let kind = source.kind.map_or("", Kind::name);
    let parts = ["url", draft.to.as_str(), &source.url, kind, name, mime, &caption];
    let draft = Draft {
        digest: digest(&parts),
        has_links: !find_links(&caption).is_empty(),
        // Until its content tells.
        kind: source.kind.unwrap_or(Kind::Document),
        source: Some(source),
        ..draft
    };
    Ok(Submission { draft, body: Body(caption.0.into()), replace: None, username_key: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use tetherd_core::ids::WaMessageId;

    fn submit(file: serde_json::Value) -> Result<Submission, Error> {
        let mut file: FileParams = serde_json::from_value(file).unwrap();
        let caption = file.caption.take();
        let to = "+15550100".parse().unwrap();
        let draft = Draft::text(to, digest(&[]), WaMessageId("3EB0".into()));
        submission(draft, file, caption, Schemes::Https)
    }

    #[test]
    fn an_address_is_checked_before_its_message_is_accepted() {
        let good = submit(json!({ "url": "https://files.example/a b.pdf", "caption": "x" }));
        let good = good.unwrap();
        assert_eq!(good.draft.source.unwrap().url, "https://files.example/a%20b.pdf");
        assert!(!good.draft.has_links);
        for url in ["http://files.example/", "files.example", "https://a:b@files.example/"] {
            let error = submit(json!({ "url": url })).unwrap_err();
            assert_eq!(error.data.kind, ErrorKind::BadUrl, "{url}");
            assert!(error.data.remedy.is_some());
        }
    }

    #[test]
    fn another_address_or_caption_is_another_content() {
        let digest = |file| submit(file).unwrap().draft.digest.0;
        let url = "https://files.example/x";
        let plain = digest(json!({ "url": url }));
        assert_eq!(plain, digest(json!({ "url": url })));
        assert_ne!(plain, digest(json!({ "url": "https://files.example/y" })));
        assert_ne!(plain, digest(json!({ "url": url, "caption": "x" })));
        assert_ne!(plain, digest(json!({ "url": url, "as": "document" })));
    }
}
