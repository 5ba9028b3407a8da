//! Curves as a picture.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 48.0;
const COLOURS: [&str; 4] = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad"];

pub(crate) struct Curve<'a> {
    pub(crate) name: &'a str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Both axes begin at zero: what is flat looks flat.
pub(crate) fn draw(title: &str, curves: &[Curve<'_>]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let x_max = points().map(|point| point.0).fold(1.0, f64::max);
    let y_max = points().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| MARGIN + value / x_max * (WIDTH - 2.0 * MARGIN);
    let y = |value: f64| HEIGHT - MARGIN - value / y_max * (HEIGHT - 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"20\">{title}</text>\n\
         <path d=\"M{MARGIN} {MARGIN}V{0}H{1}\" fill=\"none\" stroke=\"black\"/>\n\
         <text x=\"4\" y=\"{2}\">{y_max:.2}</text>\n\
         <text x=\"{1}\" y=\"{3}\" text-anchor=\"end\">{x_max:.0}</text>\n",
        HEIGHT - MARGIN,
        WIDTH - MARGIN,
        MARGIN + 4.0,
        HEIGHT - MARGIN + 16.0,
    );
    for ((curve, colour), line) in curves.iter().zip(COLOURS.iter().cycle()).zip(1..) {
        let at = |(px, py): &(f64, f64)| format!("{:.1},{:.1}", x(*px), y(*py));
        let path: Vec<String> = curve.points.iter().map(at).collect();
        let below = HEIGHT - MARGIN - 18.0 * f64::from(line);
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n\
             <text x=\"{}\" y=\"{below}\" fill=\"{colour}\">{}</text>",
            path.join(" "),
            MARGIN + 12.0,
            curve.name,
        );
    }
    out + "</svg>\n"
}
