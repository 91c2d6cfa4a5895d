//! What it costs to start a program, as a whole process, beside `true`, the least a process can cost.
//! Knows nothing of what the programs do.

use super::Context;
use super::measure::{Spread, Subject, alternate};
use super::table::Row;
use crate::Result;

const RUNS: u32 = 300;

/// Start each `--bin COMMAND` in alternation with `true`.
pub fn run(context: &Context<'_>) -> Result<Vec<Row>> {
    if context.options.bins.is_empty() {
        return Err("process-start: name what to start with `--bin COMMAND`, as often as you like".into());
    }
    let mut subjects =
        vec![Subject { name: "true".to_owned(), program: "true".into(), ..Subject::default() }];
    for command in &context.options.bins {
        subjects.push(subject(command)?);
    }
    let series = alternate(&subjects, context.runs(RUNS))?;

    let mut rows = Vec::new();
    let mut least_cpu = None;
    for (subject, samples) in subjects.iter().zip(&series) {
        let cpu = Spread::of(samples.iter().map(|s| s.cpu_us)).ok_or("no runs")?;
        let wall = Spread::of(samples.iter().map(|s| s.wall_us)).ok_or("no runs")?;
        let least = *least_cpu.get_or_insert(cpu.median);
        rows.push(Row { what: format!("{}: CPU", subject.name), unit: "µs", measured: cpu, bar: None });
        rows.push(Row { what: format!("{}: wall", subject.name), unit: "µs", measured: wall, bar: None });
        let ratio = Spread::of([cpu.median / least]).ok_or("no runs")?;
        rows.push(Row {
            what: format!("{}: CPU over `true`", subject.name),
            unit: "×",
            measured: ratio,
            bar: None,
        });
    }
    Ok(rows)
}

/// A command line, split at blanks: a program and its arguments.
fn subject(command: &str) -> Result<Subject> {
    let mut words = command.split_whitespace().map(str::to_owned);
    let program = words.next().ok_or("process-start: an empty `--bin`")?;
    Ok(Subject {
        name: command.to_owned(),
        program: program.into(),
        arguments: words.collect(),
        ..Subject::default()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_program_and_its_arguments() {
        let subject = subject("target/release/parlor hook claude").unwrap();
        assert_eq!(subject.program.to_str(), Some("target/release/parlor"));
        assert_eq!(subject.arguments, ["hook", "claude"]);
        assert!(super::subject("  ").is_err());
    }
}
