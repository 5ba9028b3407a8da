//! The MIME types that file names' extensions stand for, where the content does not say it:
//! what is within a ZIP file, an OLE file or a text. Types are those of the IANA registry of
//! media types; of shared-mime-info (freedesktop.org) where IANA has none.
//!
//! Each row names the containers in which such a file comes, so that a name is believed only
//! where the content does not contradict it.

use Container::{Marked, Ole, Text, Zip};
use tetherd_api::FILE_NAME_BYTES_MAX;

/// What the first bytes of such a file show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    /// A ZIP file, whatever is in it.
    Zip,
    /// A file of old Office programs.
    Ole,
    /// A text, or nothing that is known.
    Text,
    /// Their own mark: the name need not say it.
    Marked,
}

pub(super) const WORD: &str =
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
pub(super) const EXCEL: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
pub(super) const SLIDES: &str =
    "application/vnd.openxmlformats-officedocument.presentationml.presentation";

const TYPES: [(&str, Container, &str); 94] = [
    ("docx", Zip, WORD),
    ("docm", Zip, "application/vnd.ms-word.document.macroEnabled.12"),
    ("dotx", Zip, "application/vnd.openxmlformats-officedocument.wordprocessingml.template"),
    ("xlsx", Zip, EXCEL),
    ("xlsm", Zip, "application/vnd.ms-excel.sheet.macroEnabled.12"),
    ("xlsb", Zip, "application/vnd.ms-excel.sheet.binary.macroEnabled.12"),
    ("xltx", Zip, "application/vnd.openxmlformats-officedocument.spreadsheetml.template"),
    ("pptx", Zip, SLIDES),
    ("pptm", Zip, "application/vnd.ms-powerpoint.presentation.macroEnabled.12"),
    ("ppsx", Zip, "application/vnd.openxmlformats-officedocument.presentationml.slideshow"),
    ("potx", Zip, "application/vnd.openxmlformats-officedocument.presentationml.template"),
    ("odt", Zip, "application/vnd.oasis.opendocument.text"),
    ("ods", Zip, "application/vnd.oasis.opendocument.spreadsheet"),
    ("odp", Zip, "application/vnd.oasis.opendocument.presentation"),
    ("odg", Zip, "application/vnd.oasis.opendocument.graphics"),
    ("xps", Zip, "application/vnd.ms-xpsdocument"),
    ("key", Zip, "application/vnd.apple.keynote"),
    ("pages", Zip, "application/vnd.apple.pages"),
    ("numbers", Zip, "application/vnd.apple.numbers"),
    ("epub", Zip, "application/epub+zip"),
    ("apk", Zip, "application/vnd.android.package-archive"),
    ("jar", Zip, "application/java-archive"),
    ("kmz", Zip, "application/vnd.google-earth.kmz"),
    ("doc", Ole, "application/msword"),
    ("xls", Ole, "application/vnd.ms-excel"),
    ("ppt", Ole, "application/vnd.ms-powerpoint"),
    ("pps", Ole, "application/vnd.ms-powerpoint"),
    ("msg", Ole, "application/vnd.ms-outlook"),
    ("vsd", Ole, "application/vnd.visio"),
    ("mpp", Ole, "application/vnd.ms-project"),
    ("txt", Text, "text/plain"),
    ("csv", Text, "text/csv"),
    ("tsv", Text, "text/tab-separated-values"),
    ("json", Text, "application/json"),
    ("geojson", Text, "application/geo+json"),
    ("xml", Text, "application/xml"),
    ("html", Text, "text/html"),
    ("htm", Text, "text/html"),
    ("xhtml", Text, "application/xhtml+xml"),
    ("svg", Text, "image/svg+xml"),
    ("ics", Text, "text/calendar"),
    ("vcf", Text, "text/vcard"),
    ("md", Text, "text/markdown"),
    ("css", Text, "text/css"),
    ("js", Text, "text/javascript"),
    ("yaml", Text, "application/yaml"),
    ("yml", Text, "application/yaml"),
    ("sql", Text, "application/sql"),
    ("gpx", Text, "application/gpx+xml"),
    ("kml", Text, "application/vnd.google-earth.kml+xml"),
    ("srt", Text, "application/x-subrip"),
    ("vtt", Text, "text/vtt"),
    ("eml", Text, "message/rfc822"),
    ("tex", Text, "application/x-tex"),
    ("sh", Text, "application/x-sh"),
    ("py", Text, "text/x-python"),
    ("dxf", Text, "image/vnd.dxf"),
    ("fodt", Text, "application/vnd.oasis.opendocument.text-flat-xml"),
    ("fods", Text, "application/vnd.oasis.opendocument.spreadsheet-flat-xml"),
    ("fodp", Text, "application/vnd.oasis.opendocument.presentation-flat-xml"),
    ("fodg", Text, "application/vnd.oasis.opendocument.graphics-flat-xml"),
    ("p7m", Text, "application/pkcs7-mime"),
    ("p7s", Text, "application/pkcs7-signature"),
    ("dwg", Text, "image/vnd.dwg"),
    ("stl", Text, "model/stl"),
    ("step", Text, "model/step"),
    ("wmf", Text, "image/wmf"),
    ("emf", Text, "image/emf"),
    ("torrent", Text, "application/x-bittorrent"),
    ("jpg", Marked, "image/jpeg"),
    ("jpeg", Marked, "image/jpeg"),
    ("png", Marked, "image/png"),
    ("gif", Marked, "image/gif"),
    ("webp", Marked, "image/webp"),
    ("heic", Marked, "image/heic"),
    ("tif", Marked, "image/tiff"),
    ("tiff", Marked, "image/tiff"),
    ("mp4", Marked, "video/mp4"),
    ("mov", Marked, "video/quicktime"),
    ("3gp", Marked, "video/3gpp"),
    ("webm", Marked, "video/webm"),
    ("mp3", Marked, "audio/mpeg"),
    ("m4a", Marked, "audio/mp4"),
    ("aac", Marked, "audio/aac"),
    ("ogg", Marked, "audio/ogg"),
    ("opus", Marked, "audio/ogg"),
    ("amr", Marked, "audio/amr"),
    ("wav", Marked, "audio/wav"),
    ("flac", Marked, "audio/flac"),
    ("wma", Marked, "audio/x-ms-wma"),
    ("pdf", Marked, "application/pdf"),
    ("zip", Marked, "application/zip"),
    ("rar", Marked, "application/vnd.rar"),
    ("gz", Marked, "application/gzip"),
];

/// What a name's extension stands for.
pub(super) fn of_name(name: &str) -> Option<(Container, &'static str)> {
    let (_, extension) = name.rsplit_once('.')?;
    let row = TYPES.iter().find(|(known, ..)| extension.eq_ignore_ascii_case(known))?;
    Some((row.1, row.2))
}

/// What a MIME type stands for, without its parameters.
pub(super) fn of_mime(mime: &str) -> Option<(Container, &'static str)> {
    let essence = mime.split(';').next().unwrap_or_default().trim();
    let row = TYPES.iter().find(|(.., known)| essence.eq_ignore_ascii_case(known))?;
    Some((row.1, row.2))
}

/// An address often names a file without an extension, and programs go by it.
pub(super) fn complete(name: &mut String, mime: &str) {
    let essence = mime.split(';').next().unwrap_or_default();
    let row = TYPES.iter().find(|(.., known)| essence == *known);
    if let Some((extension, ..)) = row
        && !name.contains('.')
        && name.len().saturating_add(1 + extension.len()) <= FILE_NAME_BYTES_MAX
    {
        name.push('.');
        name.push_str(extension);
    }
}

/// Whether a file that shows this type may be of that one too: it is in the same kind of
/// container, and nothing more is known of it.
pub(super) fn may_be(found: &str, (container, mime): (Container, &str)) -> bool {
    match found {
        "application/zip" => container == Zip,
        WORD => container == Zip && mime.contains("word"),
        EXCEL => container == Zip && (mime.contains("excel") || mime.contains("spreadsheetml")),
        SLIDES => {
            container == Zip && (mime.contains("powerpoint") || mime.contains("presentationml"))
        }
        "application/msword" | "application/x-ole-storage" => container == Ole,
        // One box for films and for sound alone.
        "video/x-ms-wmv" => mime == "audio/x-ms-wma",
        // Programs write tables as text under the old names too.
        "text/plain" | super::kind::UNKNOWN => matches!(container, Text | Ole),
        _ => false,
    }
}

/// Whether a web page is what this type says, or near enough.
pub(super) fn may_be_a_page(mime: &str) -> bool {
    matches!(mime, "text/html" | "application/xhtml+xml" | "application/xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_an_extension_gets_that_of_its_type() {
        let complete = |name: &str, mime: &str| {
            let mut name = name.to_owned();
            complete(&mut name, mime);
            name
        };
        assert_eq!(complete("dl", "application/pdf"), "dl.pdf");
        assert_eq!(complete("dl", "image/jpeg"), "dl.jpg");
        assert_eq!(complete("dl", "audio/ogg; codecs=opus"), "dl.ogg");
        assert_eq!(complete("dl", super::super::kind::UNKNOWN), "dl");
        assert_eq!(complete("report.v2", "application/pdf"), "report.v2");
        let long = "x".repeat(FILE_NAME_BYTES_MAX - 3);
        assert_eq!(complete(&long, "application/pdf"), long);
    }

    #[test]
    fn each_extension_stands_once() {
        for (n, (extension, ..)) in TYPES.iter().enumerate() {
            let lower = extension.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            assert!(lower, "{extension}");
            assert!(!TYPES[..n].iter().any(|(other, ..)| other == extension), "{extension}");
        }
    }

    #[test]
    fn names_and_types_are_read_as_people_write_them() {
        assert_eq!(of_name("Report.2026.DOCX"), Some((Zip, WORD)));
        assert_eq!(of_name(".csv"), Some((Text, "text/csv")));
        assert_eq!(of_name("docx"), None);
        assert_eq!(of_name("x.unknown"), None);
        assert_eq!(of_mime("Text/CSV; charset=latin1"), Some((Text, "text/csv")));
    }
}
