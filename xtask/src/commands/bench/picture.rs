//! A picture of one bench: two bars a row, ours and what it is compared with, and the middle half of the samples as a line.
//!
//! Bars of rows with different units share no scale: each row has its own, and its figures beside it.

use std::fmt::Write as _;

use super::row::{Row, figure};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 250.0;
const BARS: f64 = 330.0;
const ROW_HEIGHT: f64 = 58.0;
const OURS: &str = "#2563a8";
const THEIRS: &str = "#9aa4af";
const TEXT: &str = "#1f2933";

/// SVG 1.1 text, readable on light and dark pages: it brings its own ground.
pub(crate) fn draw(title: &str, rows: &[&Row]) -> String {
    let height = 44.0 + ROW_HEIGHT * super::statistics::as_f64(rows.len());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n<title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"15\" font-weight=\"bold\" fill=\"{TEXT}\">{title}</text>\n",
        title = escaped(title)
    );
    for (index, row) in rows.iter().enumerate() {
        draw_row(
            &mut svg,
            row,
            44.0 + ROW_HEIGHT * super::statistics::as_f64(index),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_row(svg: &mut String, row: &Row, top: f64) {
    let outcome = &row.outcome;
    let largest = [Some(outcome.value), outcome.baseline]
        .into_iter()
        .flatten()
        .chain(row.spread.into_iter().flatten())
        .chain(row.baseline_spread.into_iter().flatten())
        .fold(0.0, f64::max);
    let scale = if largest > 0.0 { BARS / largest } else { 0.0 };
    let label = outcome
        .name
        .split_once(' ')
        .map_or(outcome.name.as_str(), |(_, rest)| rest);
    text(svg, (12.0, top + 17.0), TEXT, label);
    let verdict = match (outcome.reached, &outcome.target) {
        (Some(true), Some(target)) => format!("reached: {target}"),
        (Some(false), Some(target)) => format!("not reached: {target}"),
        _ => String::new(),
    };
    text(svg, (12.0, top + 36.0), THEIRS_TEXT, &verdict);
    bar(
        svg,
        (top + 6.0, scale),
        OURS,
        (outcome.value, row.spread),
        &format!("{} {}", figure(outcome.value), outcome.unit),
    );
    if let Some(baseline) = outcome.baseline {
        let name = row.compared_with.as_deref().unwrap_or("baseline");
        let shown = format!("{} {} ({name})", figure(baseline), outcome.unit);
        bar(
            svg,
            (top + 26.0, scale),
            THEIRS,
            (baseline, row.baseline_spread),
            &shown,
        );
    }
}

/// Dark enough for small letters.
const THEIRS_TEXT: &str = "#5b6570";

fn bar(
    svg: &mut String,
    (top, scale): (f64, f64),
    colour: &str,
    (value, spread): (f64, Option<[f64; 2]>),
    shown: &str,
) {
    let length = (value * scale).max(1.0);
    let _infallible = writeln!(
        svg,
        "<rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"15\" fill=\"{colour}\"/>"
    );
    if let Some([low, high]) = spread {
        let (from, to, middle) = (LEFT + low * scale, LEFT + high * scale, top + 7.5);
        let _infallible = writeln!(
            svg,
            "<path d=\"M{from:.1} {middle:.1}H{to:.1}M{from:.1} {:.1}v7M{to:.1} {:.1}v7\" stroke=\"{TEXT}\" fill=\"none\"/>",
            middle - 3.5,
            middle - 3.5
        );
    }
    let after = spread.map_or(length, |[_, high]| (high * scale).max(length));
    text(svg, (LEFT + after + 8.0, top + 12.0), TEXT, shown);
}

fn text(svg: &mut String, (x, y): (f64, f64), colour: &str, text: &str) {
    let _infallible = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{}</text>",
        escaped(text)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::row::Target;

    #[test]
    fn bars_are_as_long_as_their_figures() {
        let row = Row::alone("bench call", 10.0, "ms").beside_figure("theirs", 40.0);
        let svg = draw("bench", &[&row]);
        assert!(
            svg.contains("width=\"330.0\"") && svg.contains("width=\"82.5\""),
            "{svg}"
        );
    }

    #[test]
    fn a_picture_is_well_formed_whatever_is_in_it() {
        let row = Row::alone("bench <&>", 0.0, "1/s").aims_at(Target::AtLeast(1.0));
        let svg = draw("a < b & c", &[&row, &row]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        for tag in ["svg", "text", "title"] {
            assert_eq!(
                svg.matches(&format!("<{tag}")).count(),
                svg.matches(&format!("</{tag}>")).count(),
                "{tag}"
            );
        }
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains("not reached: ≥ 1"));
    }
}
