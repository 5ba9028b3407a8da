//! `message.send` with a file by its web address: checked here, fetched after it was
//! accepted. Looks nothing up.

use crate::core::io::{Body, Source, Submission};
use crate::fetch::address::{self, Schemes};
use crate::fetch::find_links;
use crate::rpc::api::{
    CAPTION_CHARS_MAX, Error, ErrorKind, FILE_NAME_BYTES_MAX, FileParams, Kind, SendParams,
};

use super::{check_key, digest, invalid, new_wa_id, recipient};

/// Whether a file is to be fetched.
pub(super) fn is_asked(params: &SendParams) -> bool {
    params.file.as_ref().is_some_and(|file| file.url.is_some())
}

/// Checks a whole `message.send` of this kind.
pub(super) fn submission(params: SendParams, schemes: Schemes) -> Result<Submission, Error> {
    let SendParams { to, text, file, location, contact, preview, key, .. } = params;
    if text.is_some() || location.is_some() || contact.is_some() || preview.is_some() {
        return Err(invalid("give one of `text`, `file`, `location` and `contact`"));
    }
    let to = recipient(&to)?;
    let file = file.ok_or_else(|| invalid("give `file`"))?;
    if let Some(key) = &key {
        check_key(key)?;
    }
    let source = source(&file, schemes)?;
    let caption = file.caption.unwrap_or_default();
    check_caption(&caption, source.kind)?;
    let kind = source.kind.map_or("", Kind::name);
    let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
    let (name, mime) = (or_none(&source.name), or_none(&source.mime));
    let parts = ["url", to.as_str(), &source.url, kind, &name, &mime, &caption];
    let digest = digest(&parts);
    Ok(Submission {
        has_links: !find_links(&caption).is_empty(),
        priority: params.priority,
        not_before: params.not_before.map(|time| time.0),
        expires_at: params.expires_at.map(|time| time.0),
        key,
        // Until its content tells.
        kind: source.kind.unwrap_or(Kind::Document),
        source: Some(source),
        ..Submission::text(to, Body(caption.into()), digest, new_wa_id()?)
    })
}

fn source(file: &FileParams, schemes: Schemes) -> Result<Source, Error> {
    let FileParams { fd, base64, url, kind, name, mime, .. } = file;
    let Some(url) = url else { return Err(invalid("give `url`")) };
    if fd.is_some() || base64.is_some() {
        return Err(invalid("a file has exactly one of `fd`, `base64` and `url`"));
    }
    let url = address::parse(url, schemes)
        .map_err(|bad| Error::new(ErrorKind::BadUrl, bad.to_string()).remedy(bad.remedy()))?;
    if kind.is_some_and(|kind| !kind.has_file()) {
        return Err(invalid("`as` is image, video, audio, voice or document"));
    }
    if let Some(name) = name
        && (name.is_empty()
            || name.len() > FILE_NAME_BYTES_MAX
            || name.chars().any(|c| c.is_control() || c == '/'))
    {
        let sentence = format!(
            "`name` has 1 to {FILE_NAME_BYTES_MAX} bytes, no slash and no control characters"
        );
        return Err(invalid(sentence));
    }
    if let Some(mime) = mime
        && (mime.len() > FILE_NAME_BYTES_MAX
            || !mime.contains('/')
            || mime.chars().any(|c| !c.is_ascii() || c.is_control()))
    {
        return Err(invalid("`mime` is a type such as application/pdf"));
    }
    Ok(Source { url: url.into(), kind: *kind, name: name.clone(), mime: mime.clone() })
}

fn check_caption(caption: &str, kind: Option<Kind>) -> Result<(), Error> {
    let chars = caption.chars().count();
    if chars > CAPTION_CHARS_MAX {
        let sentence =
            format!("the caption has {chars} characters; {CAPTION_CHARS_MAX} are allowed");
        return Err(Error::new(ErrorKind::BadText, sentence).remedy("send the rest as a text"));
    }
    if chars > 0 && matches!(kind, Some(Kind::Audio | Kind::Voice)) {
        return Err(Error::new(ErrorKind::BadText, "audio and voice messages have no caption")
            .remedy("send it as a text"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn submit(file: serde_json::Value) -> Result<Submission, Error> {
        let params = json!({ "to": "+15550100", "file": file });
        submission(serde_json::from_value(params).unwrap(), Schemes::Https)
    }

    fn kind_of(file: serde_json::Value) -> ErrorKind {
        submit(file).unwrap_err().data.kind
    }

    #[test]
    fn a_file_by_its_address_is_checked_before_it_is_accepted() {
        let good = submit(json!({ "url": "https://files.example/a b.pdf", "caption": "x" }));
        let good = good.unwrap();
        assert_eq!(good.source.unwrap().url, "https://files.example/a%20b.pdf");
        assert!(!good.has_links);
        for url in ["http://files.example/", "files.example", "https://a:b@files.example/"] {
            let error = submit(json!({ "url": url })).unwrap_err();
            assert_eq!(error.data.kind, ErrorKind::BadUrl, "{url}");
            assert!(error.data.remedy.is_some());
        }
        let url = "https://files.example/x";
        assert_eq!(kind_of(json!({ "url": url, "fd": 0 })), ErrorKind::InvalidParams);
        assert_eq!(kind_of(json!({ "url": url, "as": "text" })), ErrorKind::InvalidParams);
        assert_eq!(kind_of(json!({ "url": url, "name": "a/b" })), ErrorKind::InvalidParams);
        let long = "x".repeat(CAPTION_CHARS_MAX + 1);
        assert_eq!(kind_of(json!({ "url": url, "caption": long })), ErrorKind::BadText);
        let spoken = json!({ "url": url, "as": "voice", "caption": "x" });
        assert_eq!(kind_of(spoken), ErrorKind::BadText);
    }

    #[test]
    fn another_address_or_caption_is_another_content() {
        let digest = |file| submit(file).unwrap().digest.0;
        let url = "https://files.example/x";
        let plain = digest(json!({ "url": url }));
        assert_eq!(plain, digest(json!({ "url": url })));
        assert_ne!(plain, digest(json!({ "url": "https://files.example/y" })));
        assert_ne!(plain, digest(json!({ "url": url, "caption": "x" })));
        assert_ne!(plain, digest(json!({ "url": url, "as": "document" })));
    }
}
