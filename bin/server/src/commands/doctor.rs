use serde_json::json;

use crate::Failure;
use crate::cli::Common;
use crate::console::say;
use crate::doctor::{Finding, State, examine};

/// Prints what was found, a line each, with the mend below it. Fails where something does.
pub(crate) async fn run(options: &Common, json: bool) -> Result<(), Failure> {
    let findings = examine(options).await;
    if json {
        let worst = findings.iter().map(|finding| finding.state).max();
        let report = json!({ "state": worst, "findings": findings });
        say(serde_json::to_string_pretty(&report)?);
    } else {
        findings.iter().for_each(print);
    }
    let failed = findings
        .iter()
        .filter(|finding| finding.state == State::Fail);
    match failed.count() {
        0 => Ok(()),
        1 => Err("1 thing does not work".into()),
        failed => Err(format!("{failed} things do not work").into()),
    }
}

fn print(finding: &Finding) {
    let Finding {
        check,
        state,
        found,
        mend,
    } = finding;
    say(format!("{state:4}  {check:13} {found}"));
    if let Some(mend) = mend {
        say(format!("{:20}{mend}", ""));
    }
}
