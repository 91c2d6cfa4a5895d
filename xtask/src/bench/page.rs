//! The last figures as a page of the documents, with the machine they are of. Measures nothing.

use std::process::Command;

use super::table::{self, Row};
use crate::{Result, workspace};

const PAGE: &str = "docs/bench.md";

/// Writes the page.
pub fn write(rows: &[Row]) -> Result<()> {
    std::fs::write(workspace::root().join(PAGE), page(rows, &machine()?))?;
    Ok(())
}

fn page(rows: &[Row], machine: &str) -> String {
    let mut table = table::lines(rows).into_iter().map(|line| format!("| {line} |"));
    let table: Vec<String> = table.by_ref().collect();
    format!(
        "# Figures\n\nThe last run of `cargo xtask bench --write`: {machine}.\n\nA row with a bar must hold it; the others are told. \
         Wall times of a shared machine say less than CPU times and ratios.\n\n{}\n",
        table.join("\n").replace("| ---", "|---").replace("--- |", "---|")
    )
}

fn machine() -> Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    let cores = std::thread::available_parallelism()?;
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let kib: f64 = kib.trim().trim_end_matches("kB").trim().parse()?;
    let said = |program: &str, args: &[&str]| -> Result<String> {
        let mut command = Command::new(program);
        Ok(workspace::output(command.args(args).current_dir(workspace::root()))?.trim().to_owned())
    };
    Ok(format!(
        "{}, {cores} cores, {:.0} GiB, {}, {}, commit {}",
        model.trim_start_matches([':', '\t', ' ']).trim(),
        kib / 1024.0 / 1024.0,
        said("uname", &["-sr"])?,
        said("rustc", &["--version"])?.split(" (").next().unwrap_or_default(),
        said("git", &["rev-parse", "--short", "HEAD"])?,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::measure::Spread;
    use super::*;

    #[test]
    fn the_page_names_the_machine_and_holds_a_table() {
        let row = Row { what: "a hook".into(), unit: "ms", measured: Spread::single(1.5), bar: None };
        let page = page(&[row], "a machine");
        assert!(page.contains("a machine.") && page.contains("| a hook"), "{page}");
        let rule = page.lines().find(|line| line.starts_with("|-")).unwrap_or_default();
        assert!(rule.chars().all(|c| matches!(c, '|' | '-' | ' ')) && rule.ends_with('|'), "{page}");
    }
}
