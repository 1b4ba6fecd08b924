//! Metrics in CloudWatch's embedded format: a line of JSON on stdout. No dimension but the stage, so that the number of
//! metrics, and their price, does not grow with the tenants.

use std::io::Write;

use serde_json::{Value, json};

use crate::clock::milliseconds;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are CloudWatch's")]
pub enum Unit {
    Count,
    Seconds,
    Milliseconds,
}

/// Write some metrics. A number that is not finite is left out. Where stdout is gone there is nobody to tell.
pub fn emit(stage: &str, metrics: &[(&str, f64, Unit)]) {
    if !metrics.is_empty() {
        let _ = writeln!(std::io::stdout().lock(), "{}", line(milliseconds(), stage, metrics));
    }
}

fn line(at: i64, stage: &str, metrics: &[(&str, f64, Unit)]) -> Value {
    let finite = metrics.iter().filter(|(_, number, _)| number.is_finite());
    let names: Vec<_> =
        finite.clone().map(|(name, _, unit)| json!({"Name": name, "Unit": format!("{unit:?}")})).collect();
    let definition = json!({"Namespace": "EntraSync", "Dimensions": [["Stage"]], "Metrics": names});
    let mut line = json!({"_aws": {"Timestamp": at, "CloudWatchMetrics": [definition]}, "Stage": stage});
    for (name, number, _) in finite {
        line[*name] = json!(number);
    }
    line
}

#[test]
fn a_line_is_what_cloudwatch_reads() {
    let metrics = [("DispatchCompleted", 1.0, Unit::Count), ("OldestOverdueSeconds", f64::NAN, Unit::Seconds)];
    let expected = json!({
        "_aws": {"Timestamp": 1_767_225_600_000_i64, "CloudWatchMetrics": [{
            "Namespace": "EntraSync",
            "Dimensions": [["Stage"]],
            "Metrics": [{"Name": "DispatchCompleted", "Unit": "Count"}],
        }]},
        "Stage": "prod",
        "DispatchCompleted": 1.0,
    });
    assert_eq!(line(1_767_225_600_000, "prod", &metrics), expected);
}
