//! Charts as SVG, drawn on the server. Each has the same figures as text beside it: nothing is told by a picture alone.

use super::{layout, params::Range, words};
use crate::reporting::report::{Figures, ReportRow};
use maud::{Markup, html};

/// Size of a chart in its own units.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 200.0;
/// Room for the labels of the axis.
const LEFT: f64 = 36.0;
const BOTTOM: f64 = 22.0;
/// Labels under a chart at most.
const LABELS: usize = 7;

/// Class, name, and how many of it there are.
type Series = (&'static str, &'static str, fn(&Figures) -> i64);

/// What is drawn of a slice, from the bottom up.
const SERIES: [Series; 4] = [
    ("succeeded", "Succeeded", |figures| figures.succeeded),
    ("failed", "Refused answers", |figures| {
        figures.failed.unwrap_or_default()
    }),
    ("abandoned", "Abandoned", |figures| {
        figures.abandoned.unwrap_or_default()
    }),
    ("skipped", "No step-up asked", |figures| figures.skipped),
];

/// Outcomes over time, slice by slice.
pub(super) fn outcomes(range: Range, rows: &[ReportRow]) -> Markup {
    let nothing = Figures::default();
    let slices: Vec<_> = range
        .slices()
        .map(|slice| {
            let row = rows.iter().find(|row| row.slice == slice);
            (slice, row.map_or(&nothing, |row| &row.figures))
        })
        .collect();
    let sum = |figures: &Figures| SERIES.iter().map(|(_, _, of)| of(figures)).sum::<i64>();
    let top = round_up(
        slices
            .iter()
            .map(|(_, figures)| sum(figures))
            .max()
            .unwrap_or_default(),
    );
    let height = |count: i64| share(count, top) * (HEIGHT - BOTTOM - 8.0);
    let step = (WIDTH - LEFT) / share_base(slices.len());
    let every = slices.len().div_ceil(LABELS).max(1);
    html! {
        svg class="chart" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label="Outcomes over time; the figures are in the table below" {
            @for tick in [0, top / 2, top] {
                @let y = HEIGHT - BOTTOM - height(tick);
                line class="axis" x1=(LEFT) x2=(WIDTH) y1=(short(y)) y2=(short(y)) {}
                text x=(LEFT - 6.0) y=(short(y + 4.0)) text-anchor="end" { (words::grouped(tick)) }
            }
            @for (index, (slice, figures)) in slices.iter().enumerate() {
                @let x = LEFT + step * as_number(index);
                @for (class, y, tall) in stacked(figures, height) {
                    rect class=(class) x=(short(x + step * 0.1)) y=(short(y)) width=(short(step * 0.8)) height=(short(tall)) {}
                }
                @if index % every == 0 {
                    text x=(short(x + step / 2.0)) y=(HEIGHT - 6.0) text-anchor="middle" { (range.label(*slice)) }
                }
            }
        }
        ul class="legend" {
            @for (class, name, _) in SERIES {
                li { svg viewBox="0 0 10 10" aria-hidden="true" { rect class=(class) width="10" height="10" rx="2" {} } (name) }
            }
        }
        details {
            summary { "The figures as a table" }
            (layout::scroll("Outcomes over time", &table(range, &slices)))
        }
    }
}

/// The parts of one slice that are not nothing: class, upper end, height.
fn stacked(figures: &Figures, height: impl Fn(i64) -> f64) -> Vec<(&'static str, f64, f64)> {
    let mut y = HEIGHT - BOTTOM;
    let mut parts = Vec::new();
    for (class, _, of) in SERIES {
        let tall = height(of(figures));
        y -= tall;
        if tall > 0.0 {
            parts.push((class, y, tall));
        }
    }
    parts
}

fn table(range: Range, slices: &[(chrono::DateTime<chrono::Utc>, &Figures)]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "From" } @for (_, name, _) in SERIES { th scope="col" class="number" { (name) } } } }
            tbody {
                @for (slice, figures) in slices.iter().filter(|(_, figures)| **figures != Figures::default()) {
                    tr {
                        th scope="row" { (range.label(*slice)) }
                        @for (_, _, of) in SERIES { td class="number" { (words::count(of(figures))) } }
                    }
                }
            }
        }
    }
}

/// A bar that is `share` (0 to 1) long; the figure stands beside it.
pub(super) fn bar(share: f64, class: &str) -> Markup {
    html! {
        svg class="sparse" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
            rect class="track" width="100" height="6" {}
            rect class=(class) width=(short(share.clamp(0.0, 1.0) * 100.0)) height="6" {}
        }
    }
}

/// `part` of `whole`, 0 to 1; 0 where there is no whole.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(super) fn share(part: i64, whole: i64) -> f64 {
    if whole > 0 {
        part as f64 / whole as f64
    } else {
        0.0
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred slices")]
fn as_number(index: usize) -> f64 {
    index as f64
}

fn share_base(slices: usize) -> f64 {
    as_number(slices.max(1))
}

/// An even number that is easy to read, not below `count`.
fn round_up(count: i64) -> i64 {
    let mut unit = 1;
    loop {
        for step in [2, 4, 10] {
            if count <= step * unit {
                return step * unit;
            }
        }
        unit *= 10;
    }
}

/// One decimal is a tenth of a pixel.
fn short(number: f64) -> String {
    format!("{number:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::params::Params;
    use chrono::DateTime;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        let ends = [0, 1, 2, 3, 5, 11, 40, 41, 1_234].map(round_up);
        assert_eq!(ends, [2, 2, 2, 4, 10, 20, 40, 100, 2_000]);
    }

    #[test]
    fn every_slice_is_drawn_in_its_place_with_its_height() {
        let now = DateTime::from_timestamp(1_767_607_200, 0).unwrap();
        let range = Params::default().range(now);
        let figures = Figures {
            succeeded: 3,
            failed: Some(1),
            ..Figures::default()
        };
        let row = ReportRow {
            slice: range.from,
            group: None,
            figures,
        };
        let drawn = outcomes(range, &[row]).into_string();
        let bars = |class: &str| drawn.matches(&format!("<rect class=\"{class}\" x=")).count();
        assert_eq!((bars("succeeded"), bars("failed"), bars("abandoned")), (1, 1, 0));
        // Of 4 that the axis shows, 3 succeeded: three quarters of its height of 170.
        assert!(
            drawn.contains("height=\"127.5\"") && drawn.contains("height=\"42.5\""),
            "{drawn}"
        );
        assert!(drawn.contains("<data value=\"3\">3</data>"));
        let empty = outcomes(range, &[]).into_string();
        assert!(!empty.contains("<rect class=\"succeeded\" x="));
    }

    #[test]
    fn a_bar_stays_in_its_frame() {
        assert!(bar(7.0, "accent").into_string().contains("width=\"100.0\""));
        assert!(bar(-1.0, "accent").into_string().contains("width=\"0.0\""));
        assert!((share(1, 0)).abs() < f64::EPSILON);
    }
}
