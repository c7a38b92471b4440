//! `stepgatectl rollout`.

use crate::{
    args::{NewRollout, Rollout},
    output::{self, NO, Print},
};
use serde_json::{Map, Value, json};
use std::{process::ExitCode, time::Duration};
use stepgate_client::Client;

/// Pause between looks of `watch`.
const EVERY: Duration = Duration::from_secs(2);

pub(super) async fn run(client: &Client, print: &Print, command: Rollout) -> anyhow::Result<ExitCode> {
    let reason = |reason: String| json!({ "reason": reason });
    let shown = match command {
        Rollout::Releases { cell } => return releases(client, print, &cell).await,
        Rollout::List => return list(client, print).await,
        Rollout::Watch { rollout } => return watch(client, print, &rollout).await,
        Rollout::Create(new) => client.create_rollout(&body(new)).await?,
        Rollout::Get { rollout } => client.get_rollout(&rollout).await?,
        Rollout::Pause { rollout, reason: why } => client.pause_rollout(&rollout, &reason(why)).await?,
        Rollout::Resume { rollout, reason: why } => client.resume_rollout(&rollout, &reason(why)).await?,
        Rollout::Cancel {
            rollout,
            reason,
            leave,
        } => {
            let body = json!({ "reason": reason, "roll_back": !leave });
            client.cancel_rollout(&rollout, &body).await?
        }
    };
    output::result(print, &shown, || text(&shown))?;
    Ok(ExitCode::SUCCESS)
}

/// Only what was given: the rest is the service's default.
fn body(new: NewRollout) -> Value {
    let mut gate = Map::new();
    let mut plan = Map::new();
    let put = |map: &mut Map<String, Value>, name: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(name.to_owned(), value);
        }
    };
    put(
        &mut gate,
        "max_failed_tenants",
        new.max_failed_tenants.map(Value::from),
    );
    put(
        &mut gate,
        "max_success_drop_points",
        new.max_success_drop_points.map(Value::from),
    );
    put(&mut gate, "min_step_ups", new.min_step_ups.map(Value::from));
    put(&mut plan, "canary", new.canary.map(Value::from));
    put(&mut plan, "wave_percents", new.waves.map(Value::from));
    put(&mut plan, "soak_s", new.soak_s.map(Value::from));
    plan.insert("gate".to_owned(), Value::Object(gate));
    let labels: Map<_, _> = new
        .label
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    plan.insert("labels".to_owned(), Value::Object(labels));
    let cells = (!new.cell.is_empty()).then_some(new.cell);
    json!({ "release": new.release, "cell_ids": cells, "plan": plan })
}

async fn releases(client: &Client, print: &Print, cell: &str) -> anyhow::Result<ExitCode> {
    let found = client.list_releases(cell, &[("limit", "200")]).await?;
    output::result(print, &found, || {
        let lines = found
            .items
            .iter()
            .map(|one| format!("{}  {}", word(one, "/name"), word(one, "/created_at")));
        lines.collect::<Vec<_>>().join("\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, print: &Print) -> anyhow::Result<ExitCode> {
    let page = client.list_rollouts(&[]).await?;
    output::result(print, &page, || {
        page.items.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn watch(client: &Client, print: &Print, rollout: &str) -> anyhow::Result<ExitCode> {
    let mut told = String::new();
    loop {
        let found = client.get_rollout(rollout).await?;
        let now = text(&found);
        if !found["finished_at"].is_null() {
            output::result(print, &found, || now)?;
            let succeeded = found["state"] == "succeeded";
            return Ok(if succeeded {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(NO)
            });
        }
        if now != told {
            eprintln!("{now}\n");
            told = now;
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn word<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn line(rollout: &Value) -> String {
    let waves = rollout["waves"].as_array().map_or(0, Vec::len);
    let wave = rollout["wave"].as_u64().unwrap_or_default() + 1;
    format!(
        "{}  {:<12} wave {} of {waves}  {}",
        word(rollout, "/id"),
        word(rollout, "/state"),
        wave,
        word(rollout, "/release")
    )
}

/// A rollout for people.
fn text(rollout: &Value) -> String {
    let mut lines = vec![line(rollout)];
    for wave in rollout["waves"].as_array().into_iter().flatten() {
        let stages = wave["stages"].as_object().into_iter().flatten();
        let stages: Vec<_> = stages.map(|(stage, count)| format!("{count} {stage}")).collect();
        lines.push(format!(
            "  wave {}: {}",
            wave["wave"].as_u64().unwrap_or_default() + 1,
            stages.join(", ")
        ));
    }
    if let Some(detail) = rollout.pointer("/stopped/detail").and_then(Value::as_str) {
        lines.push(format!("  stopped: {detail}"));
    }
    for remark in rollout["remarks"].as_array().into_iter().flatten() {
        lines.push(format!(
            "  {} is {}: {}",
            word(remark, "/tenant_id"),
            word(remark, "/stage"),
            word(remark, "/detail")
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_left_to_the_service() {
        let new = NewRollout {
            release: "1-0".into(),
            cell: Vec::new(),
            label: vec![("plan".into(), "gold".into())],
            canary: Some(2),
            waves: None,
            soak_s: None,
            max_failed_tenants: None,
            max_success_drop_points: Some(3),
            min_step_ups: None,
        };
        let expected = json!({
            "release": "1-0", "cell_ids": null,
            "plan": {"canary": 2, "labels": {"plan": "gold"}, "gate": {"max_success_drop_points": 3}},
        });
        assert_eq!(body(new), expected);
    }

    #[test]
    fn a_rollout_is_told_wave_by_wave_with_what_went_wrong() {
        let told = text(&json!({
            "id": "rlt_1", "state": "rolled_back", "release": "1-0", "wave": 0,
            "waves": [{"wave": 0, "stages": {"returned": 1}}, {"wave": 1, "stages": {"skipped": 3}}],
            "stopped": {"detail": "1 tenants failed."},
            "remarks": [{"tenant_id": "tnt_1", "stage": "returned", "detail": "It fails."}],
        }));
        for part in [
            "rolled_back",
            "wave 1 of 2",
            "wave 1: 1 returned",
            "wave 2: 3 skipped",
            "stopped: 1 tenants",
            "tnt_1 is returned: It fails.",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
