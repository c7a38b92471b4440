//! `docs/performance.md`: its table and pictures, from the newest row of each name.
//!
//! Rows are kept in `docs/performance/rows.json`, so that one bench can be measured anew without the others.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::picture;
use super::row::{Row, figure};
use crate::context::Context;

const PAGE: &str = "docs/performance.md";
const FOLDER: &str = "docs/performance";
const BEGIN: &str = "<!-- the table: written by cargo xtask bench --docs -->";
const END: &str = "<!-- end of the table -->";

/// Everything that was measured, newest of each name.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measurements {
    machine: Option<Machine>,
    rows: Vec<Row>,
}

impl Measurements {
    /// Puts rows in the place of those with their names, and new ones behind the last of their bench.
    fn take(&mut self, rows: &[Row]) {
        for row in rows {
            let same = self
                .rows
                .iter_mut()
                .find(|kept| kept.outcome.name == row.outcome.name);
            if let Some(kept) = same {
                kept.clone_from(row);
                continue;
            }
            let behind = self.rows.iter().rposition(|kept| kept.bench() == row.bench());
            let place = behind.map_or(self.rows.len(), |last| last + 1);
            self.rows.insert(place, row.clone());
        }
    }

    /// The table as Markdown.
    fn table(&self) -> String {
        let mut lines = vec![
            "| figure | median (middle half) | compared with | ratio | target | reached | measured, load |"
                .to_owned(),
            "| --- | --- | --- | --- | --- | --- | --- |".to_owned(),
        ];
        lines.extend(self.rows.iter().map(line));
        if let Some(machine) = &self.machine {
            let memory = machine
                .memory_gib
                .map_or_else(String::new, |gib| format!(", {gib} GiB"));
            lines.push(String::new());
            lines.push(format!(
                "Machine: {} processors ({}){memory}, {}.",
                machine.processors, machine.processor, machine.system
            ));
        }
        lines.join("\n")
    }

    /// A picture for each bench, by the name of its file.
    fn pictures(&self) -> BTreeMap<String, String> {
        let mut benches: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in &self.rows {
            benches.entry(row.bench()).or_default().push(row);
        }
        let drawn = benches.into_iter();
        drawn
            .map(|(bench, rows)| (format!("{bench}.svg"), picture::draw(bench, &rows)))
            .collect()
    }
}

fn line(row: &Row) -> String {
    let outcome = &row.outcome;
    let unit = &outcome.unit;
    let with_spread = |value: f64, spread: Option<[f64; 2]>| match spread {
        Some([low, high]) => format!("{} {unit} ({}–{})", figure(value), figure(low), figure(high)),
        None => format!("{} {unit}", figure(value)),
    };
    let baseline = match (&row.compared_with, outcome.baseline) {
        (Some(what), Some(baseline)) => format!("{what}: {}", with_spread(baseline, row.baseline_spread)),
        _ => String::new(),
    };
    let ratio = outcome.ratio.map(figure).unwrap_or_default();
    let target = outcome.target.clone().unwrap_or_default();
    let reached = match outcome.reached {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    };
    let load = row
        .load
        .map_or_else(String::new, |load| format!(", {}", figure(load)));
    let name = &outcome.name;
    let value = with_spread(outcome.value, row.spread);
    format!(
        "| {name} | {value} | {baseline} | {ratio} | {target} | {reached} | {}{load} |",
        row.measured_at
    )
}

/// Takes the rows into the page, its table and its pictures.
pub(crate) fn write(context: &Context, rows: &[Row]) -> anyhow::Result<PathBuf> {
    let folder = context.root.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let store = folder.join("rows.json");
    let mut all: Measurements = match fs::read_to_string(&store) {
        Ok(text) => {
            serde_json::from_str(&text).with_context(|| format!("cannot read {}", store.display()))?
        }
        Err(_) => Measurements::default(),
    };
    all.machine = Some(Machine::look());
    all.take(rows);
    fs::write(&store, format!("{}\n", serde_json::to_string_pretty(&all)?))?;
    for (name, svg) in all.pictures() {
        fs::write(folder.join(name), svg)?;
    }
    let page = context.root.join(PAGE);
    let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    fs::write(&page, with_table(&text, &all.table())?)?;
    Ok(page)
}

/// The page with another table.
fn with_table(page: &str, table: &str) -> anyhow::Result<String> {
    let parts = page
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else {
        bail!("{PAGE} has no place for the table: the lines `{BEGIN}` and `{END}`");
    };
    Ok(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::row::Target;
    use std::path::Path;

    fn named(name: &str, value: f64) -> Row {
        Row::alone(name, value, "ms")
    }

    #[test]
    fn a_newer_row_takes_the_place_of_the_one_with_its_name() {
        let mut all = Measurements::default();
        all.take(&[named("a one", 1.0), named("b", 2.0)]);
        all.take(&[named("a one", 3.0), named("a two", 4.0)]);
        let names: Vec<_> = all
            .rows
            .iter()
            .map(|row| (row.outcome.name.as_str(), row.outcome.value))
            .collect();
        assert_eq!(names, [("a one", 3.0), ("a two", 4.0), ("b", 2.0)]);
        assert_eq!(all.pictures().keys().collect::<Vec<_>>(), ["a.svg", "b.svg"]);
    }

    #[test]
    fn a_line_says_what_was_missed() {
        let row = named("a one", 1.0)
            .beside_figure("theirs", 4.0)
            .aims_at(Target::RatioAtLeast(0.5));
        let line = line(&row);
        assert!(
            line.starts_with("| a one | 1 ms | theirs: 4 ms | 0.25 | ratio ≥ 0.5 | **no** |"),
            "{line}"
        );
    }

    #[test]
    fn a_page_keeps_what_is_around_its_table() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let written = with_table(&page, "new").unwrap();
        assert_eq!(written, format!("before\n{BEGIN}\nnew\n{END}\nafter\n"));
        assert!(with_table("no place", "new").is_err());
    }

    #[test]
    fn the_page_shows_what_was_measured_last() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let stored = fs::read_to_string(root.join(FOLDER).join("rows.json")).unwrap();
        let all: Measurements = serde_json::from_str(&stored).unwrap();
        let page = fs::read_to_string(root.join(PAGE)).unwrap();
        assert_eq!(
            with_table(&page, &all.table()).unwrap(),
            page,
            "run cargo xtask bench --docs"
        );
        for (name, svg) in all.pictures() {
            assert_eq!(
                fs::read_to_string(root.join(FOLDER).join(&name)).unwrap(),
                svg,
                "{name}"
            );
            assert!(
                page.contains(&format!("performance/{name}")),
                "the page shows {name}"
            );
        }
    }
}
