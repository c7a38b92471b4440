//! The bill of materials of the image: every crate that is compiled into the service or into the triggers beside it, as CycloneDX 1.6,
//! from what cargo knows.
//!
//! It has no time and no serial number, so that the same sources give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;

/// What the functions of AWS Lambda are compiled for.
const TRIGGERS_TARGET: &str = "aarch64-unknown-linux-gnu";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// Nothing for packages of the workspace.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// Nothing for what is compiled in; `dev` and `build` are not.
    kind: Option<String>,
}

/// The bill of materials of the image whose service is compiled for `target`.
pub(crate) fn bill_of_materials(context: &Context, target: &str) -> anyhow::Result<String> {
    let lock = fs::read_to_string(context.root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let service = metadata(context, target)?;
    let triggers = metadata(context, TRIGGERS_TARGET)?;
    let parts = [("stepgate", &service), ("triggers", &triggers)];
    let mut bill = serde_json::to_string_pretty(&compose(&parts, &checksums(&lock))?)?;
    bill.push('\n');
    Ok(bill)
}

fn metadata(context: &Context, target: &str) -> anyhow::Result<Metadata> {
    let mut command = context.processes.command(Context::cargo());
    command
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            target,
        ])
        .current_dir(&context.root);
    let text = context.processes.text("cargo metadata", &mut command)?;
    serde_json::from_str(&text).context("cargo metadata printed something unexpected")
}

/// The union of what each part, a package of the workspace with the metadata of its target, is compiled from. The first part is what
/// the bill is of.
fn compose(
    parts: &[(&str, &Metadata)],
    checksums: &BTreeMap<(String, String), String>,
) -> anyhow::Result<Value> {
    let mut components = BTreeMap::new();
    let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut roots = Vec::new();
    for (name, metadata) in parts {
        let packages: BTreeMap<&str, &Package> = metadata
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package))
            .collect();
        let root = metadata
            .packages
            .iter()
            .find(|package| package.name == *name && package.source.is_none())
            .with_context(|| format!("the workspace has no package {name}"))?;
        for (id, uses) in &compiled_in(&metadata.resolve, &root.id) {
            let package = packages.get(id.as_str()).context("a package without metadata")?;
            let kind = if package.id == root.id {
                "application"
            } else {
                "library"
            };
            components
                .entry(purl(package))
                .or_insert_with(|| component(package, checksums, kind));
            let uses = uses
                .iter()
                .filter_map(|id| packages.get(id.as_str()))
                .map(|used| purl(used));
            dependencies.entry(purl(package)).or_default().extend(uses);
        }
        roots.push(purl(root));
    }
    let root = roots.first().context("a bill of nothing")?;
    let subject = components.remove(root).context("a bill without its subject")?;
    let dependencies: Vec<Value> = dependencies
        .iter()
        .map(|(package, uses)| json!({ "ref": package, "dependsOn": uses }))
        .collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": subject },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies,
    }))
}

/// Everything that `root` is compiled from, with what each uses itself.
fn compiled_in(resolve: &Resolve, root: &str) -> BTreeMap<String, BTreeSet<String>> {
    let nodes: BTreeMap<&str, &Node> = resolve
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(id) = open.pop() {
        if found.contains_key(&id) {
            continue;
        }
        let uses: BTreeSet<String> = nodes
            .get(id.as_str())
            .into_iter()
            .flat_map(|node| &node.deps)
            .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()))
            .map(|dependency| dependency.pkg.clone())
            .collect();
        open.extend(uses.iter().cloned());
        found.insert(id, uses);
    }
    found
}

fn component(package: &Package, checksums: &BTreeMap<(String, String), String>, kind: &str) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "purl": purl(package),
    });
    if let Some(license) = &package.license {
        // Old manifests write `MIT/Apache-2.0`.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(checksum) = checksums.get(&(package.name.clone(), package.version.clone())) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

fn purl(package: &Package) -> String {
    format!(
        "pkg:cargo/{}@{}",
        package.name,
        package.version.replace('+', "%2B")
    )
}

/// Checksums of a lock file by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        block.lines().find_map(|line| {
            Some(
                line.strip_prefix(key)?
                    .strip_prefix(" = \"")?
                    .trim_end_matches('"')
                    .to_owned(),
            )
        })
    };
    lock.split("[[package]]")
        .filter_map(|block| {
            Some((
                (value(block, "name")?, value(block, "version")?),
                value(block, "checksum")?,
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_in_is_listed_and_nothing_else() {
        let metadata: Metadata = serde_json::from_value(json!({
            "packages": [
                { "id": "s", "name": "stepgate", "version": "0.1.0", "license": "Apache-2.0", "source": null },
                { "id": "a", "name": "a", "version": "1.0.0+x", "license": "MIT/Apache-2.0", "source": "registry" },
                { "id": "b", "name": "b", "version": "2.0.0", "license": "MIT", "source": "registry" },
                { "id": "l", "name": "l", "version": "4.0.0", "license": "MIT", "source": "registry" },
                { "id": "triggers", "name": "triggers", "version": "0.1.0", "license": "Apache-2.0", "source": null },
                { "id": "t", "name": "t", "version": "3.0.0", "license": "MIT", "source": "registry" },
            ],
            "resolve": { "nodes": [
                { "id": "s", "deps": [
                    { "pkg": "a", "dep_kinds": [{ "kind": null }] },
                    { "pkg": "t", "dep_kinds": [{ "kind": "dev" }, { "kind": "build" }] },
                ] },
                { "id": "a", "deps": [{ "pkg": "b", "dep_kinds": [{ "kind": null }] }] },
                { "id": "b", "deps": [] },
                { "id": "triggers", "deps": [
                    { "pkg": "b", "dep_kinds": [{ "kind": null }] },
                    { "pkg": "l", "dep_kinds": [{ "kind": null }] },
                ] },
                { "id": "l", "deps": [] },
                { "id": "t", "deps": [] },
            ] },
        }))
        .unwrap();
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0+x\"\nsource = \"r\"\nchecksum = \"00ff\"\n";
        let bill = compose(
            &[("stepgate", &metadata), ("triggers", &metadata)],
            &checksums(lock),
        )
        .unwrap();
        let names: Vec<_> = bill["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| &found["name"])
            .collect();
        assert_eq!(names, ["a", "b", "l", "triggers"]);
        assert_eq!(bill["components"][3]["type"], "application");
        assert_eq!(bill["components"][0]["purl"], "pkg:cargo/a@1.0.0%2Bx");
        assert_eq!(
            bill["components"][0]["licenses"][0]["expression"],
            "MIT OR Apache-2.0"
        );
        assert_eq!(bill["components"][0]["hashes"][0]["content"], "00ff");
        assert_eq!(bill["metadata"]["component"]["name"], "stepgate");
        assert_eq!(bill["dependencies"].as_array().unwrap().len(), 5);
    }
}
