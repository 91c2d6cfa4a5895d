//! Rows of numbers beside their bars, as a table for people or as JSON Lines. Measures nothing.

use serde_json::json;

use super::measure::Spread;

/// Which number of a spread a bar is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)]
pub enum Judged {
    Median,
    P99,
    Max,
}

/// The number a measurement must not exceed, or must reach.
#[derive(Clone, Copy, Debug)]
pub enum Bar {
    AtMost(Judged, f64),
    #[allow(dead_code)]
    AtLeast(Judged, f64),
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    pub what: String,
    pub unit: &'static str,
    pub measured: Spread,
    /// None where the number is only told.
    pub bar: Option<Bar>,
}

impl Row {
    /// Whether the bar is held; a row without one always does.
    pub fn holds(&self) -> bool {
        match self.bar {
            None => true,
            Some(Bar::AtMost(judged, limit)) => self.judged(judged) <= limit,
            Some(Bar::AtLeast(judged, limit)) => self.judged(judged) >= limit,
        }
    }

    fn judged(&self, judged: Judged) -> f64 {
        match judged {
            Judged::Median => self.measured.median,
            Judged::P99 => self.measured.p99,
            Judged::Max => self.measured.max,
        }
    }

    fn verdict(&self) -> &'static str {
        match (self.bar, self.holds()) {
            (None, _) => "-",
            (_, true) => "holds",
            (_, false) => "MISSED",
        }
    }

    fn bar_text(&self) -> String {
        let (sign, judged, limit) = match self.bar {
            None => return "-".to_owned(),
            Some(Bar::AtMost(judged, limit)) => ("≤", judged, limit),
            Some(Bar::AtLeast(judged, limit)) => ("≥", judged, limit),
        };
        let name = match judged {
            Judged::Median => "median",
            Judged::P99 => "p99",
            Judged::Max => "max",
        };
        format!("{name} {sign} {} {}", number(limit), self.unit).trim_end().to_owned()
    }

    fn cells(&self) -> [String; 4] {
        let Spread { min, median, p99, max } = self.measured;
        let measured = if min == max {
            format!("{} {}", number(median), self.unit)
        } else {
            let numbers = [min, median, p99, max].map(number).join(" / ");
            format!("{numbers} {}", self.unit)
        };
        [self.what.clone(), measured.trim_end().to_owned(), self.bar_text(), self.verdict().to_owned()]
    }
}

/// The table, its columns aligned.
pub fn lines(rows: &[Row]) -> Vec<String> {
    let head = ["what", "measured (min / median / p99 / max)", "bar", "verdict"].map(str::to_owned);
    let cells: Vec<[String; 4]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let pad = |cell: &String, width: usize| format!("{cell}{}", " ".repeat(width - cell.chars().count()));
    let line = |row: &[String; 4]| {
        let padded: Vec<String> = row.iter().zip(widths).map(|(cell, width)| pad(cell, width)).collect();
        padded.join(" | ").trim_end().to_owned()
    };
    let rule = widths.map(|width| "-".repeat(width)).join("-|-");
    let mut lines: Vec<String> = cells.iter().map(line).collect();
    lines.insert(1, rule);
    lines
}

/// One JSON object per row.
pub fn json_lines(rows: &[Row]) -> Vec<String> {
    let object = |row: &Row| {
        json!({
            "what": row.what,
            "unit": row.unit,
            "min": row.measured.min,
            "median": row.measured.median,
            "p99": row.measured.p99,
            "max": row.measured.max,
            "bar": row.bar.map(|_| row.bar_text()),
            "verdict": row.bar.map(|_| row.verdict().to_lowercase()),
        })
    };
    rows.iter().map(|row| object(row).to_string()).collect()
}

/// As many digits as mean something.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn row(bar: Option<Bar>) -> Row {
        let measured = Spread { min: 1.0, median: 20.0, p99: 300.0, max: 4000.0 };
        Row { what: "a hook".to_owned(), unit: "µs", measured, bar }
    }

    #[test]
    fn a_bar_is_held_against_the_number_it_names() {
        assert!(row(None).holds());
        assert!(row(Some(Bar::AtMost(Judged::Median, 20.0))).holds());
        assert!(!row(Some(Bar::AtMost(Judged::P99, 299.0))).holds());
        assert!(row(Some(Bar::AtLeast(Judged::Median, 20.0))).holds());
        assert!(!row(Some(Bar::AtLeast(Judged::Max, 4001.0))).holds());
    }

    #[test]
    fn the_table_is_aligned_and_says_what_was_missed() {
        let table = lines(&[row(Some(Bar::AtMost(Judged::P99, 10.0))), row(None)]);
        assert_eq!(table.len(), 4);
        let cells: Vec<&str> = table[2].split('|').map(str::trim).collect();
        assert_eq!(cells, ["a hook", "1.00 / 20.0 / 300 / 4000 µs", "p99 ≤ 10.0 µs", "MISSED"]);
        assert!(table[3].ends_with("| -"), "{}", table[3]);
        let bars = |line: &str| {
            line.chars().enumerate().filter(|(_, c)| *c == '|').map(|(i, _)| i).collect::<Vec<_>>()
        };
        assert!(table.iter().all(|line| bars(line) == bars(&table[0])), "{table:#?}");
    }

    #[test]
    fn json_has_numbers_and_null_where_there_is_no_bar() {
        let lines = json_lines(&[row(None), row(Some(Bar::AtMost(Judged::Max, 1.0)))]);
        let [told, judged] = [0, 1].map(|at| serde_json::from_str::<serde_json::Value>(&lines[at]).unwrap());
        assert_eq!((told["p99"].as_f64(), &told["bar"]), (Some(300.0), &serde_json::Value::Null));
        assert_eq!(judged["verdict"], "missed");
    }
}
