//! A QR code as SVG. Dark on light whatever the page's colours: scanners rely on it.

use maud::{Markup, html};
use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code; scanners rely on them, too.
const QUIET: usize = 4;

/// Draws a text; none if it does not fit.
pub(super) fn svg(text: &str) -> Option<Markup> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let (width, side) = (code.width(), code.width() + 2 * QUIET);
    let mut path = String::new();
    for (at, colour) in code.to_colors().into_iter().enumerate() {
        if colour == Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET));
        }
    }
    Some(html! {
        svg.qr viewBox=(format!("0 0 {side} {side}")) role="img" shape-rendering="crispEdges"
            aria-label="QR code to scan with the phone" {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_drawn() {
        let code = QrCode::with_error_correction_level("hello", EcLevel::L).unwrap();
        let dark = code.to_colors().into_iter().filter(|colour| *colour == Color::Dark).count();
        let drawn = svg("hello").unwrap().into_string();
        assert_eq!(drawn.matches("h1v1h-1z").count(), dark);
        assert!(svg(&"x".repeat(5_000)).is_none());
    }
}
