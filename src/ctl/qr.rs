//! Draws a QR code with half blocks: two modules a character cell, so that it is
//! square in most fonts. Draws only; what it says is a secret and goes nowhere else.

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code; scanners rely on them.
pub const QUIET_MODULES: usize = 4;

/// A text that does not fit into a QR code.
#[derive(Debug, thiserror::Error)]
#[error("the code does not fit into a QR code")]
pub struct TooLong;

/// Draws `text`. With colour, dark on light whatever the terminal's theme; without,
/// light modules are drawn, which reads well on a dark background.
pub fn draw(text: &str, colour: bool) -> Result<String, TooLong> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).map_err(|_| TooLong)?;
    let width = code.width();
    let modules = code.to_colors();
    let side = width + 2 * QUIET_MODULES;
    let is_light = |row: usize, column: usize| {
        let inside = |at: usize| at.checked_sub(QUIET_MODULES).filter(|at| *at < width);
        match (inside(row), inside(column)) {
            (Some(row), Some(column)) => {
                modules.get(row * width + column).is_none_or(|module| *module == Color::Light)
            }
            _ => true,
        }
    };
    let mut drawing = String::new();
    for row in (0..side).step_by(2) {
        if colour {
            // Bright white on black: the light modules are the foreground.
            drawing.push_str("\x1b[97;40m");
        }
        for column in 0..side {
            // The row below the last one of an odd side is outside of the code.
            let below = row + 1 < side && is_light(row + 1, column);
            drawing.push(match (is_light(row, column), below) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        drawing.push_str(if colour { "\x1b[0m\n" } else { "\n" });
    }
    Ok(drawing)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The drawing back to modules: true is light.
    fn modules(drawing: &str) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in drawing.lines() {
            let cells: Vec<char> = line.chars().collect();
            rows.push(cells.iter().map(|c| matches!(c, '█' | '▀')).collect());
            rows.push(cells.iter().map(|c| matches!(c, '█' | '▄')).collect());
        }
        rows
    }

    #[test]
    fn the_drawing_holds_every_module_and_a_quiet_zone() {
        let text = format!("2@{},ref,key,identity,secret,1", "A".repeat(200));
        let code = QrCode::with_error_correction_level(&text, EcLevel::L).unwrap();
        let (width, colors) = (code.width(), code.to_colors());
        let rows = modules(&draw(&text, false).unwrap());
        let side = width + 2 * QUIET_MODULES;
        assert!(rows.len() == side || rows.len() == side + 1);
        for (row, cells) in rows.iter().take(side).enumerate() {
            assert_eq!(cells.len(), side);
            for (column, light) in cells.iter().enumerate() {
                let inner = QUIET_MODULES..QUIET_MODULES + width;
                let expected = !(inner.contains(&row) && inner.contains(&column))
                    || colors[(row - QUIET_MODULES) * width + column - QUIET_MODULES]
                        == Color::Light;
                assert_eq!(*light, expected, "row {row}, column {column}");
            }
        }
    }

    #[test]
    fn a_pairing_code_fits_a_terminal_of_80_columns() {
        let drawing = draw(&"A".repeat(270), false).unwrap();
        assert!(drawing.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn colour_is_reset_on_every_line() {
        let drawing = draw("x", true).unwrap();
        assert!(drawing.lines().all(|line| line.ends_with("\x1b[0m")));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(draw(&"A".repeat(5_000), false).is_err());
    }
}
