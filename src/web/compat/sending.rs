//! Parts of messages that both interfaces have: the recipient, what is answered, a file by its
//! address or inside the request.

use tetherd_api::{Error, ErrorKind, FileParams, Redacted, SendParams};

use super::fields::Fields;
use super::{Caller, jid, references};

/// A message to whom the fields name: `chatId`, or `phone`.
pub(super) async fn begin(
    caller: &Caller,
    fields: &Fields,
    quoted: &str,
) -> Result<SendParams, Error> {
    let missing = || Error::new(ErrorKind::InvalidParams, "`chatId` or `phone` is missing");
    let to = fields.text("chatId").or_else(|| fields.text("phone")).ok_or_else(missing)?;
    let reply_to = match fields.text(quoted) {
        Some(id) => Some(references::find(caller, &id).await?),
        None => None,
    };
    Ok(SendParams { to: jid::to_contract(&to), reply_to, ..SendParams::default() })
}

/// A file by its address, or as a data URI (RFC 2397, base64).
pub(super) fn file(
    body: &str,
    name: Option<String>,
    caption: Option<String>,
) -> Result<FileParams, Error> {
    let (name, caption) = (name.map(Redacted), caption.map(Redacted));
    let Some(data) = body.strip_prefix("data:") else {
        let url = Some(Redacted(body.to_owned()));
        return Ok(FileParams { url, name, caption, ..FileParams::default() });
    };
    let bad =
        || Error::new(ErrorKind::BadFile, "a data URI is `data:TYPE;base64,` and the content");
    let (kind, content) = data.split_once(',').ok_or_else(bad)?;
    let kind = kind.strip_suffix(";base64").ok_or_else(bad)?;
    let mime = kind.split(';').next().filter(|mime| !mime.is_empty()).map(str::to_owned);
    let base64 = Some(Redacted(content.to_owned()));
    Ok(FileParams { base64, mime, name, caption, ..FileParams::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_an_address_or_inside() {
        let by_url = file("https://files.example/a.pdf", Some("b.pdf".into()), None).unwrap();
        assert_eq!(by_url.url.unwrap(), "https://files.example/a.pdf");
        assert_eq!(by_url.name.unwrap(), "b.pdf");
        let inside = file("data:application/pdf;base64,JVBERg==", None, Some("x".into())).unwrap();
        assert_eq!((inside.mime.as_deref(), inside.url), (Some("application/pdf"), None));
        assert_eq!(inside.base64.unwrap(), "JVBERg==");
        assert_eq!(inside.caption.unwrap(), "x");
        let named = file("data:text/plain;charset=utf-8;base64,QQ==", None, None).unwrap();
        assert_eq!(named.mime.as_deref(), Some("text/plain"));
        for bad in ["data:", "data:text/plain,hello", "data:text/plain;base64"] {
            assert_eq!(file(bad, None, None).unwrap_err().data.kind, ErrorKind::BadFile);
        }
    }
}
