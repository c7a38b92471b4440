//! What an app developer pastes, held against the SDK as it is in this repository.

use crate::support::TestApp;
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

/// A file of the SDK.
fn sdk(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/web").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a module of the SDK exports.
fn exported(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in source.lines() {
        let Some(rest) = line.strip_prefix("export ") else {
            continue;
        };
        if let Some((list, _)) = rest.strip_prefix("{ ").and_then(|rest| rest.split_once(" }")) {
            names.extend(list.split(", ").map(str::to_owned));
        } else {
            let rest = ["async function ", "function ", "class ", "const "]
                .iter()
                .fold(rest, |rest, word| rest.trim_start_matches(word));
            let end = rest
                .find(|letter: char| !letter.is_alphanumeric())
                .unwrap_or(rest.len());
            names.insert(rest[..end].to_owned());
        }
    }
    names
}

/// Names and module of every import of named things.
fn imports(code: &str) -> Vec<(Vec<String>, String)> {
    code.lines()
        .filter_map(|line| {
            let (names, from) = line.strip_prefix("import { ")?.split_once(" } from \"")?;
            let names = names.split(", ").map(str::to_owned).collect();
            Some((names, from.trim_end_matches("\";").to_owned()))
        })
        .collect()
}

#[tokio::test]
async fn what_a_developer_pastes_is_true_for_the_sdk() {
    let app = TestApp::start().await;
    let acme = app.partner("acme").await;
    let tenant = acme.tenant("customers").await;
    let apps = format!("/v1/tenants/{}/apps", tenant["id"].as_str().unwrap());
    let return_url = "https://portal.acme.example/step-up";
    let body = json!({
        "name": "Portal", "allowed_origins": ["https://portal.acme.example"], "action_step_up": true, "return_url": return_url,
    });
    let made = acme.post(&apps, body).await.expect(202);
    sqlx::raw_sql(
        "UPDATE tenants SET observed = '{\"user_pool_id\": \"eu-central-1_Ab1\"}'; UPDATE apps SET client_id = 'c1'",
    )
    .execute(&app.owner)
    .await
    .unwrap();
    let path = format!("{apps}/{}/integration", made["app"]["id"].as_str().unwrap());
    let found = acme.get(&path).await.expect(200);
    let snippets = found["snippets"].as_array().unwrap();
    let ids: Vec<_> = snippets
        .iter()
        .map(|snippet| snippet["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        [
            "amplify",
            "amazon-cognito-identity-js",
            "web",
            "redirect",
            "action"
        ]
    );

    let manifest: Value = serde_json::from_str(&sdk("package.json")).unwrap();
    let package = manifest["name"].as_str().unwrap();
    let mut seen = 0;
    for snippet in snippets {
        let code = snippet["code"].as_str().unwrap();
        for (names, from) in imports(code) {
            let Some(way) = from.strip_prefix(package) else {
                let own = ["aws-amplify", "amazon-cognito-identity-js"].contains(&from.as_str());
                assert!(
                    own && manifest["devDependencies"][&from].is_string(),
                    "{from} is not tried"
                );
                continue;
            };
            let built = manifest["exports"][format!(".{way}")]["default"]
                .as_str()
                .unwrap_or_else(|| panic!("{package} has no way `{way}`"));
            let module = exported(&sdk(&built.replacen("./dist/", "src/", 1)));
            for name in names {
                assert!(
                    module.contains(&name),
                    "{from} exports {module:?}, and not {name}"
                );
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 8, "imports of the SDK");

    let allow = found["browser"]["frame_allow"].as_str().unwrap();
    assert!(
        sdk("src/step-up.js").contains(&format!("const ALLOW = \"{allow}\";")),
        "{allow} is not what the SDK's frame has"
    );
    assert_eq!(found["browser"]["return_url"], return_url);
    assert!(
        snippets[3]["code"]
            .as_str()
            .unwrap()
            .contains(&format!("\"{return_url}\""))
    );
    let notes = found["notes"].as_array().unwrap().iter();
    let codes: Vec<_> = notes.map(|note| note["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["return_url_at_blockid"]);
}
