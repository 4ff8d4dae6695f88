//! The document: a template with places, and what was measured for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::aims::{AIMS, Aim, Standing};
use crate::chart::Bars;
use crate::measured::Spread;
use crate::table::Table;

/// The text around the figures.
const TEMPLATE: &str = include_str!("performance.md");

/// What stands where nothing was measured.
const NOTHING: &str = "Not measured in this run.";

/// What was measured so far.
#[derive(Debug, Default)]
pub struct Report {
    tables: BTreeMap<String, String>,
    charts: BTreeMap<String, (String, String)>,
    values: BTreeMap<String, String>,
    figures: BTreeMap<&'static str, Spread>,
}

impl Report {
    /// A table for `{{table:NAME}}`.
    pub fn table(&mut self, name: impl Into<String>, table: &Table) {
        let name = name.into();
        println!("\n{name}\n{table}");
        self.tables.insert(name, table.to_string());
    }

    /// A chart for `{{chart:NAME}}`.
    pub fn chart(&mut self, name: impl Into<String>, chart: &Bars) {
        self.charts.insert(name.into(), (chart.title.clone(), chart.svg()));
    }

    /// A text for `{{value:NAME}}`.
    pub fn value(&mut self, name: impl Into<String>, text: impl Into<String>) {
        let (name, text) = (name.into(), text.into());
        println!("{name}: {text}");
        self.values.insert(name, text);
    }

    /// A figure of the table of aims.
    pub fn figure(&mut self, key: &'static str, figure: Spread) {
        println!("{key}: {figure}");
        self.figures.insert(key, figure);
    }

    /// Writes the document, and its charts to a folder beside it that has its name.
    ///
    /// # Errors
    /// A text.
    pub fn write(&self, document: &Path) -> Outcome {
        let failed = |error: std::io::Error| format!("{}: {error}", document.display());
        let charts = document.with_extension("");
        fs::create_dir_all(&charts).map_err(failed)?;
        for (name, (_, svg)) in &self.charts {
            fs::write(charts.join(format!("{name}.svg")), svg).map_err(failed)?;
        }
        let folder = charts.file_name().unwrap_or_default().to_string_lossy().into_owned();
        fs::write(document, self.fill(TEMPLATE, &folder)?).map_err(failed)
    }

    /// Fills the places of a template. A line with `{{missed:KEY}}` stays only while its figure misses its aim.
    fn fill(&self, template: &str, folder: &str) -> Outcome<String> {
        let mut filled = String::with_capacity(template.len() * 2);
        'lines: for line in template.lines() {
            let mut rest = line;
            let start = filled.len();
            while let Some((before, place)) = rest.split_once("{{") {
                let (place, after) =
                    place.split_once("}}").ok_or_else(|| format!("no end of a place: {line}"))?;
                let (kind, name) =
                    place.split_once(':').ok_or_else(|| format!("no kind of place: {place}"))?;
                let Some(text) = self.place(kind, name, folder)? else {
                    filled.truncate(start);
                    continue 'lines;
                };
                filled.push_str(before);
                filled.push_str(&text);
                rest = after;
            }
            filled.push_str(rest);
            filled.push('\n');
        }
        Ok(filled)
    }

    /// What stands in a place; nothing if its line goes.
    fn place(&self, kind: &str, name: &str, folder: &str) -> Outcome<Option<String>> {
        let nothing = || NOTHING.to_owned();
        Ok(match (kind, name) {
            ("table", "aims") => Some(self.aims().to_string()),
            ("table", _) => Some(self.tables.get(name).cloned().unwrap_or_else(nothing)),
            ("value", _) => Some(self.values.get(name).cloned().unwrap_or_else(|| "-".to_owned())),
            ("chart", _) => Some(match self.charts.get(name) {
                Some((title, _)) => format!("![{title}]({folder}/{name}.svg)"),
                None => nothing(),
            }),
            ("missed", _) => {
                let aim =
                    AIMS.iter().find(|aim| aim.key == name).ok_or_else(|| format!("no figure {name}"))?;
                self.missed(aim)
            }
            _ => return Err(format!("no kind of place is called {kind}")),
        })
    }

    fn missed(&self, aim: &Aim) -> Option<String> {
        let figure = *self.figures.get(aim.key)?;
        let short = aim.standing(figure) != Standing::Aim;
        short.then(|| format!("**{}: {}, aim {}.**", aim.what, aim.text(figure.median), aim.text(aim.wish)))
    }

    fn aims(&self) -> Table {
        let mut table = Table::new(&["Figure", "Reach", "Aim", "Measured", "Reached"]);
        for aim in AIMS {
            let figure = self.figures.get(aim.key);
            let measured = figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure}{}", aim.unit));
            let standing = figure.map_or("not measured", |figure| aim.standing(*figure).word());
            let (reach, wanted) = (aim.text(aim.reach), aim.text(aim.wish));
            table.row([aim.what, &reach, &wanted, &measured, standing]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_reasons_stay_while_an_aim_is_missed() {
        let mut report = Report::default();
        report.value("cores", "2");
        report.table("few", &Table::new(&["a", "b"]).with(["1", "2"]));
        report.figure("delete_cpu", Spread::of([2.0]));
        report.figure("start", Spread::of([0.05]));
        let template = "on {{value:cores}} cores, {{value:unknown}}\n{{table:few}}\n- {{missed:delete_cpu}} Work.\n\
                        - {{missed:start}} Late.\n- {{missed:glance}} Other.\n{{table:none}}";
        let filled = report.fill(template, "performance").unwrap();
        assert_eq!(
            filled,
            "on 2 cores, -\n| a | b |\n|---|---:|\n| 1 | 2 |\n- **CPU of an accepted DeleteImage against the no-op: \
             2.00 times, aim 1.80 times.** Work.\nNot measured in this run.\n"
        );
    }

    #[test]
    fn unknown_places_are_errors_and_the_template_has_none() {
        let report = Report::default();
        for template in ["{{what}}", "{{what:ever}}", "{{missed:nothing}}", "{{table:aims"] {
            assert!(report.fill(template, "f").is_err(), "{template}");
        }
        report.fill(TEMPLATE, "f").unwrap();
        for aim in AIMS {
            assert!(TEMPLATE.contains(&format!("{{{{missed:{}}}}}", aim.key)), "{}", aim.key);
        }
    }
}
