//! Heads of files as they are, files of real programs, and what is made of them.

use super::*;

fn head(start: &[u8]) -> Vec<u8> {
    let mut head = start.to_vec();
    head.resize(512, 0);
    head
}

fn ftyp(brand: &[u8; 4]) -> Vec<u8> {
    head(&[b"\0\0\0\x18ftyp", brand.as_slice(), b"\0\0\0\0isom"].concat())
}

fn ogg(codec: &[u8]) -> Vec<u8> {
    let mut page = b"OggS".to_vec();
    page.resize(28, 0);
    head(&[&page, codec].concat())
}

fn zip(entry: &str) -> Vec<u8> {
    let mut zip = b"PK\x03\x04".to_vec();
    zip.resize(0x1a, 0);
    zip.extend(u16::try_from(entry.len()).unwrap().to_le_bytes());
    zip.extend([0, 0]);
    zip.extend(entry.as_bytes());
    head(&zip)
}

fn samples() -> Vec<(Vec<u8>, &'static str, Kind)> {
    let ebml = |kind: &[u8]| head(&[b"\x1a\x45\xdf\xa3\x93\x42\x82", kind].concat());
    vec![
        (head(b"\xff\xd8\xff\xe0\0\x10JFIF"), "image/jpeg", Kind::Image),
        (head(b"\x89PNG\r\n\x1a\n"), "image/png", Kind::Image),
        (head(b"GIF89a"), "image/gif", Kind::Image),
        (head(b"RIFF\0\0\0\0WEBPVP8 "), "image/webp", Kind::Image),
        (ftyp(b"heic"), "image/heic", Kind::Document),
        (ftyp(b"isom"), MP4, Kind::Video),
        (ftyp(b"mp42"), MP4, Kind::Video),
        (ftyp(b"M4V "), MP4, Kind::Video),
        (ftyp(b"qt  "), "video/quicktime", Kind::Video),
        (ftyp(b"3gp4"), THREE_GPP, Kind::Video),
        (ebml(b"\x84webm"), WEBM, Kind::Document),
        (ebml(b"\x88matroska"), "video/x-matroska", Kind::Document),
        (head(b"ID3\x04"), "audio/mpeg", Kind::Audio),
        (head(b"\xff\xfb\x90"), "audio/mpeg", Kind::Audio),
        (head(b"\xff\xf1\x50"), "audio/aac", Kind::Audio),
        (ftyp(b"M4A "), "audio/mp4", Kind::Audio),
        (head(b"#!AMR\n"), "audio/amr", Kind::Audio),
        (ogg(b"OpusHead"), VOICE, Kind::Audio),
        (ogg(b"\x01vorbis"), "audio/ogg", Kind::Document),
        (head(b"RIFF\0\0\0\0WAVEfmt "), "audio/wav", Kind::Document),
        (head(b"fLaC"), "audio/flac", Kind::Document),
        (head(b"%PDF-1.7"), "application/pdf", Kind::Document),
        (zip("a.txt"), "application/zip", Kind::Document),
        (
            zip("word/document.xml"),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Kind::Document,
        ),
        (b"Guten Tag, Z\xc3\xbcrich\n".to_vec(), "text/plain", Kind::Document),
        (b"{\"a\": 1}".to_vec(), "text/plain", Kind::Document),
        (b"<!DOCTYPE html><html>".to_vec(), "text/plain", Kind::Document),
        (head(b"\x01\x02\x03\x04"), UNKNOWN, Kind::Document),
        (b"\0".to_vec(), UNKNOWN, Kind::Document),
    ]
}

#[test]
fn the_content_decides_what_a_file_is_and_what_it_is_sent_as() {
    for (head, expected, kind) in samples() {
        let found = decide(&head, &Tracks::default(), &Asked::default()).unwrap();
        assert_eq!((found.mime.as_str(), found.kind), (expected, kind));
    }
}

#[test]
fn anything_can_be_a_document_and_only_what_fits_anything_else() {
    for (head, mime, _) in samples() {
        let sent_as = |kind| {
            let asked = Asked { kind: Some(kind), ..Asked::default() };
            decide(&head, &Tracks::default(), &asked)
        };
        assert!(sent_as(Kind::Document).is_ok(), "{mime}");
        let shown = ["image/jpeg", "image/png", "image/gif", "image/webp"].contains(&mime);
        assert_eq!(sent_as(Kind::Image).is_ok(), shown, "{mime}");
        let film = [MP4, THREE_GPP, "video/quicktime"].contains(&mime);
        assert_eq!(sent_as(Kind::Video).is_ok(), film, "{mime}");
        let sound = ["audio/mpeg", "audio/aac", "audio/mp4", "audio/3gpp", "audio/amr", VOICE];
        assert_eq!(sent_as(Kind::Audio).is_ok(), sound.contains(&mime), "{mime}");
        assert_eq!(sent_as(Kind::Voice).is_ok(), mime == VOICE, "{mime}");
        assert_eq!(sent_as(Kind::Contact), Err(BadKind::NoFile(Kind::Contact)));
    }
}

#[test]
fn a_mime_type_that_is_given_names_a_document_and_nothing_that_is_played() {
    let asked = Asked { mime: Some("text/csv".into()), ..Asked::default() };
    let mime = |head: &[u8]| decide(head, &Tracks::default(), &asked).unwrap().mime;
    assert_eq!(mime(b"a,b\n"), "text/csv");
    assert_eq!(mime(&head(b"GIF89a")), "image/gif");
}

#[test]
fn a_text_that_is_cut_within_a_character_is_a_text() {
    let mime = |head: &[u8]| mime(head, &Tracks::default());
    let mut text = "x".repeat(HEAD_BYTES - 1).into_bytes();
    text.push(0xc3);
    assert_eq!(mime(&text), "text/plain");
    text.push(0xff);
    assert_eq!(mime(&text), UNKNOWN);
}

/// A file of a real program; `tests/samples/README.md` says which.
fn sample(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

fn decided(content: &[u8], asked: &Asked) -> Result<(String, Kind), BadKind> {
    let mut tracks = Tracks::default();
    tracks.push(content);
    let head = &content[..content.len().min(HEAD_BYTES)];
    decide(head, &tracks, asked).map(|found| (found.mime, found.kind))
}

fn named_as(name: &str) -> Asked {
    Asked { name: Some(name.into()), ..Asked::default() }
}

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const ODT: &str = "application/vnd.oasis.opendocument.text";
const ODS: &str = "application/vnd.oasis.opendocument.spreadsheet";
const FLAT_ODS: &str = "application/vnd.oasis.opendocument.spreadsheet-flat-xml";
const PPTX: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";

#[test]
fn a_name_says_what_the_content_leaves_open() {
    let latin1 = b"Stra\xdfe;Gr\xf6\xdfe\n1;2\n".to_vec();
    let utf16: Vec<u8> = "\u{feff}a;b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (content, name, mime) in [
        (sample("python-docx.docx"), "python-docx.docx", DOCX),
        (sample("python-pptx.pptx"), "python-pptx.pptx", PPTX),
        (sample("xlwt.xls"), "xlwt.xls", "application/vnd.ms-excel"),
        (sample("openpyxl.xlsx"), "openpyxl.xlsx", XLSX),
        (sample("openpyxl.xlsx"), "REPORT.XLSX", XLSX),
        (sample("openpyxl.xlsx"), "macros.xlsm", "application/vnd.ms-excel.sheet.macroEnabled.12"),
        (zip("a.txt"), "a.odt", "application/vnd.oasis.opendocument.text"),
        (zip("a.txt"), "book.epub", "application/epub+zip"),
        (zip("META-INF/MANIFEST.MF"), "app.apk", "application/vnd.android.package-archive"),
        (sample("xlwt.xls"), "mail.msg", "application/vnd.ms-outlook"),
        (b"a;b\n1;2\n".to_vec(), "a.csv", "text/csv"),
        (latin1.clone(), "a.csv", "text/csv"),
        (utf16, "a.csv", "text/csv"),
        (latin1, "a.txt", "text/plain"),
        (b"a\tb\n".to_vec(), "old.xls", "application/vnd.ms-excel"),
        (b"{\"a\": 1}".to_vec(), "a.json", "application/json"),
        (b"<!doctype html><p>x".to_vec(), "a.html", "text/html"),
        (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(), "a.svg", "image/svg+xml"),
        (b"<?xml version=\"1.0\"?><svg/>".to_vec(), "a.svg", "image/svg+xml"),
        (b"BEGIN:VCALENDAR\n".to_vec(), "a.ics", "text/calendar"),
        (b"BEGIN:VCARD\n".to_vec(), "a.vcf", "text/vcard"),
        (b"# x\n".to_vec(), "a.md", "text/markdown"),
        (b"<gpx/>".to_vec(), "a.gpx", "application/gpx+xml"),
        (b"<?xml version=\"1.0\"?><office:document/>".to_vec(), "a.fods", FLAT_ODS),
        (b"\x30\x80\x06\x09\x2a".to_vec(), "fattura.xml.p7m", "application/pkcs7-mime"),
        (head(b"\xd7\xcd\xc6\x9a\0\0"), "plan.wmf", "image/wmf"),
        (asf(), "speech.wma", "audio/x-ms-wma"),
        (asf(), "film.wmv", "video/x-ms-wmv"),
        (asf(), "a.csv", "video/x-ms-wmv"),
    ] {
        let found = decided(&content, &named_as(name)).unwrap();
        assert_eq!(found, (mime.to_owned(), Kind::Document), "{name}");
    }
}

fn asf() -> Vec<u8> {
    head(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9")
}

#[test]
fn files_of_libreoffice_are_what_they_are_with_their_names_and_without() {
    for (name, mime, nameless) in [
        ("libreoffice.docx", DOCX, DOCX),
        ("libreoffice.xlsx", XLSX, XLSX),
        ("libreoffice.odt", ODT, ODT),
        ("libreoffice.ods", ODS, ODS),
        ("libreoffice.doc", "application/msword", "application/msword"),
        // All files of the old programs begin alike.
        ("libreoffice.xls", "application/vnd.ms-excel", "application/msword"),
        ("libreoffice.rtf", "application/rtf", "application/rtf"),
    ] {
        let content = sample(name);
        let found = |asked: &Asked| decided(&content, asked).unwrap();
        assert_eq!(found(&named_as(name)), (mime.to_owned(), Kind::Document), "{name}");
        assert_eq!(found(&Asked::default()).0, nameless, "{name}");
    }
}

#[test]
fn a_name_that_the_content_contradicts_says_nothing() {
    for (content, name, mime) in [
        (head(b"%PDF-1.7"), "a.docx", "application/pdf"),
        (zip("a.txt"), "a.csv", "application/zip"),
        (zip("a.txt"), "a.jpg", "application/zip"),
        (b"text".to_vec(), "a.docx", "text/plain"),
        (b"text".to_vec(), "a.jpg", "text/plain"),
        (sample("openpyxl.xlsx"), "a.docx", XLSX),
        (sample("xlwt.xls"), "a.docx", "application/msword"),
        (head(b"\x01\x02\x03\x04"), "a.jpg", UNKNOWN),
        (head(b"\x01\x02\x03\x04"), "a.unknown", UNKNOWN),
    ] {
        assert_eq!(decided(&content, &named_as(name)).unwrap().0, mime, "{name}");
    }
}

#[test]
fn what_tracks_a_film_has_decides_and_not_its_brand() {
    for name in ["aac-mp42.mp4", "aac-3gp4.3gp", "aac-isom.mp4", "aac-dash.mp4"] {
        let content = sample(name);
        let sound = (String::from("audio/mp4"), Kind::Audio);
        assert_eq!(decided(&content, &named_as(name)), Ok(sound.clone()), "{name}");
        let sent_as = |kind| decided(&content, &Asked { kind: Some(kind), ..named_as(name) });
        assert_eq!(sent_as(Kind::Audio), Ok(sound), "{name}");
        let document = (String::from("audio/mp4"), Kind::Document);
        assert_eq!(sent_as(Kind::Document), Ok(document), "{name}");
        assert!(sent_as(Kind::Video).is_err() && sent_as(Kind::Voice).is_err(), "{name}");
    }
    let film = decided(&sample("film.mp4"), &Asked::default());
    assert_eq!(film, Ok((String::from(MP4), Kind::Video)));
}

#[test]
fn a_recording_at_8_khz_is_played_as_any_mp3() {
    let recording = decided(&sample("mpeg25.mp3"), &Asked::default());
    assert_eq!(recording, Ok((String::from("audio/mpeg"), Kind::Audio)));
    // No rate, no frequency, too short: no frame.
    for content in [b"\xff\xe3\x08".as_slice(), b"\xff\xe3\x1c", b"\xff\xe3", b"\xff\xe3\xf0"] {
        assert_eq!(decided(content, &Asked::default()).unwrap().0, UNKNOWN);
    }
}

#[test]
fn an_image_that_phones_do_not_show_is_refused_as_one_and_goes_as_a_document() {
    let tiff = head(b"II*\0");
    let ico = head(b"\0\0\x01\0\x01\0");
    let bmp = head(b"BM\x46\0\0\0");
    for content in [ftyp(b"heic"), ftyp(b"mif1"), ftyp(b"avif"), tiff, ico, bmp] {
        let image = Asked { kind: Some(Kind::Image), ..Asked::default() };
        let error = decided(&content, &image).unwrap_err();
        assert!(matches!(error, BadKind::NotShown { .. }), "{error}");
        assert!(error.remedy().contains("JPEG"), "{}", error.remedy());
        assert_eq!(decided(&content, &Asked::default()).unwrap().1, Kind::Document);
    }
}

fn fetched(name: &str, asked_name: &str, mime: &str) -> Asked {
    let served = Served {
        mime: (!mime.is_empty()).then(|| mime.to_owned()),
        asked_name: Some(asked_name.into()),
        name_is_of_address: true,
    };
    Asked { served: Some(served), ..named_as(name) }
}

#[test]
fn a_server_says_what_the_content_leaves_open() {
    for (name, served, mime) in [
        ("export.php", "text/csv; charset=utf-8", "text/csv"),
        ("export.csv", "text/plain", "text/csv"),
        ("export.csv", "text/html", "text/csv"),
        ("export", "text/html; charset=utf-8", "text/plain"),
        ("export.csv", "application/octet-stream", "text/csv"),
        ("export.csv", "application/pdf", "text/csv"),
        ("dl", "application/json", "application/json"),
        ("dl", "image/png", "text/plain"),
        ("dl", "", "text/plain"),
    ] {
        let found = decided(b"a,b\n", &fetched(name, name, served)).unwrap();
        assert_eq!(found.0, mime, "{name} {served}");
    }
    let asked = fetched("a.csv", "dl", "text/plain");
    let served = asked.served.map(|served| Served { name_is_of_address: false, ..served });
    // A name that somebody gave counts more than a type that is none.
    assert_eq!(decided(b"a,b\n", &Asked { served, ..named_as("a.csv") }).unwrap().0, "text/csv");
}

#[test]
fn a_page_or_a_text_in_place_of_a_file_is_refused() {
    let page = b"\xef\xbb\xbf <!-- x --><!DOCTYPE html><html><body>Log in".as_slice();
    for (name, asked_name, kind) in [
        ("photo.jpg", "photo.jpg", None),
        ("login", "photo.jpg", None),
        ("a.pdf", "dl", None),
        ("a.csv", "dl", None),
        ("a.docx", "dl", None),
        ("dl", "dl", Some(Kind::Image)),
        ("page.html", "dl", Some(Kind::Audio)),
    ] {
        let asked = Asked { kind, ..fetched(name, asked_name, "text/html") };
        assert_eq!(decided(page, &asked), Err(BadKind::Page), "{name}");
    }
    let renamed = fetched("page.html", "photo.jpg", "text/html");
    let served = renamed.served.map(|served| Served { name_is_of_address: false, ..served });
    assert!(decided(page, &Asked { served, ..named_as("page.html") }).is_ok());
    let with_mime = Asked { mime: Some("application/pdf".into()), ..fetched("dl", "dl", "") };
    assert_eq!(decided(page, &with_mime), Err(BadKind::Page));
    for name in ["dl", "page.html", "index.php", "v1.2", "feed.xml"] {
        assert!(decided(page, &fetched(name, name, "text/html")).is_ok(), "{name}");
    }
    for name in ["a.jpg", "a.pdf", "a.docx", "a.mp3"] {
        let error = decided(b"{\"error\": \"gone\"}", &fetched(name, name, ""));
        assert_eq!(error, Err(BadKind::NotTheFile), "{name}");
    }
    // What Office and people write as HTML is what its name says.
    let table = b"<html xmlns:x=\"urn:schemas-microsoft-com:office:excel\"><table>".as_slice();
    assert_eq!(
        decided(table, &fetched("a.xls", "a.xls", "")).unwrap().0,
        "application/vnd.ms-excel"
    );
    assert!(decided(b"<h1 align=center>x</h1>", &fetched("README.md", "README.md", "")).is_ok());
    // A file of the caller's own is theirs to name.
    assert!(decided(page, &named_as("photo.jpg")).is_ok());
}
