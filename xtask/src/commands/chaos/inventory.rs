//! What the account and the database hold after the storm, and what of it should not be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;

use crate::http;

const REGION: &str = "us-east-1";

/// A tenant as its row tells.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TenantRow {
    pub(super) id: String,
    pub(super) state: String,
    pub(super) ready: bool,
    pub(super) user_pool_id: Option<String>,
    /// App clients of its apps.
    pub(super) clients: Vec<String>,
    pub(super) open_operations: i64,
}

/// What the database holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) tenants: Vec<TenantRow>,
}

/// What AWS holds: names.
#[derive(Debug, Clone, Default)]
pub(super) struct Inventory {
    stacks: Vec<String>,
    pools: Vec<(String, String)>,
    secrets: Vec<String>,
    tables: Vec<String>,
    /// App clients by pool: id.
    clients: BTreeMap<String, Vec<String>>,
}

/// What is wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) orphans: usize,
    pub(super) duplicates: usize,
    pub(super) lost: usize,
    /// Each thing in words.
    pub(super) complaints: Vec<String>,
}

impl Found {
    fn count(&mut self, what: &str, tenant: &str, has: usize, wanted: usize) {
        if has > wanted {
            self.duplicates += has - wanted;
        } else {
            self.lost += wanted - has;
        }
        if has != wanted {
            self.complaints
                .push(format!("{tenant} has {has} {what}, not {wanted}"));
        }
    }

    fn orphan(&mut self, what: &str, name: &str) {
        self.orphans += 1;
        self.complaints
            .push(format!("{what} {name} belongs to no tenant"));
    }
}

impl Inventory {
    /// Asks the emulator, past the proxy.
    pub(super) fn take(endpoint: &str, account: &str) -> anyhow::Result<Self> {
        let aws = Aws {
            agent: http::agent(Duration::from_mins(1)),
            endpoint: endpoint.to_owned(),
            account: account.to_owned(),
        };
        let named = |items: Vec<Value>, field: &str| -> Vec<String> {
            items
                .iter()
                .filter_map(|item| item[field].as_str().map(str::to_owned))
                .collect()
        };
        let pools = aws.pages(
            "cognito-idp",
            "AWSCognitoIdentityProviderService.ListUserPools",
            &json!({ "MaxResults": 60 }),
            "UserPools",
            "NextToken",
        )?;
        let pools: Vec<_> = pools
            .iter()
            .filter_map(|pool| Some((pool["Id"].as_str()?.to_owned(), pool["Name"].as_str()?.to_owned())))
            .collect();
        let mut clients = BTreeMap::new();
        for (id, _) in &pools {
            let asked = json!({ "UserPoolId": id, "MaxResults": 60 });
            let found = aws.pages(
                "cognito-idp",
                "AWSCognitoIdentityProviderService.ListUserPoolClients",
                &asked,
                "UserPoolClients",
                "NextToken",
            )?;
            clients.insert(id.clone(), named(found, "ClientId"));
        }
        let secrets = aws.pages(
            "secretsmanager",
            "secretsmanager.ListSecrets",
            &json!({ "MaxResults": 100 }),
            "SecretList",
            "NextToken",
        )?;
        let tables = aws.json("dynamodb", "DynamoDB_20120810.ListTables", &json!({}))?;
        let tables = aws.more_tables(tables)?;
        Ok(Self {
            stacks: aws.stacks()?,
            pools,
            secrets: named(secrets, "Name"),
            tables,
            clients,
        })
    }

    /// Holds it against the rows and against what the API accepted.
    pub(super) fn compare(&self, rows: &Rows, accepted: &BTreeSet<String>) -> Found {
        let mut found = Found::default();
        let known: BTreeSet<&str> = rows.tenants.iter().map(|tenant| tenant.id.as_str()).collect();
        for id in accepted.iter().filter(|id| !known.contains(id.as_str())) {
            found.lost += 1;
            found.complaints.push(format!("{id} was accepted and has no row"));
        }
        for row in &rows.tenants {
            if row.state != "active" || !accepted.contains(&row.id) {
                found.orphan("row", &row.id);
            }
            if !row.ready || row.open_operations > 0 {
                found.complaints.push(format!(
                    "{} is not ready, or has {} open operations",
                    row.id, row.open_operations
                ));
            }
            self.compare_tenant(row, &mut found);
        }
        let ulids: BTreeSet<&str> = known.iter().filter_map(|id| id.strip_prefix("tnt_")).collect();
        let of_nobody = |name: &str| {
            let rest = name
                .strip_prefix("stepgate-")
                .or_else(|| name.strip_prefix("stepgate/tnt_"));
            rest.is_none_or(|rest| {
                !rest.starts_with("cell-") && !ulids.contains(rest.get(..26).unwrap_or_default())
            })
        };
        for (what, names) in [
            ("stack", &self.stacks),
            ("secret", &self.secrets),
            ("table", &self.tables),
        ] {
            for name in names.iter().filter(|name| of_nobody(name)) {
                found.orphan(what, name);
            }
        }
        for (id, name) in self.pools.iter().filter(|(_, name)| of_nobody(name)) {
            found.orphan("pool", &format!("{id} {name}"));
        }
        found
    }

    fn compare_tenant(&self, row: &TenantRow, found: &mut Found) {
        let ulid = row.id.trim_start_matches("tnt_");
        let name = format!("stepgate-{ulid}");
        let of =
            |names: &[String], prefix: &str| names.iter().filter(|name| name.starts_with(prefix)).count();
        found.count("stacks", &row.id, of(&self.stacks, &name), 1);
        found.count(
            "secrets",
            &row.id,
            of(&self.secrets, &format!("stepgate/{}/", row.id)),
            2,
        );
        found.count("tables", &row.id, of(&self.tables, &name), 2);
        let pools: Vec<_> = self.pools.iter().filter(|(_, one)| *one == name).collect();
        found.count("pools", &row.id, pools.len(), 1);
        let Some(clients) = row.user_pool_id.as_ref().and_then(|id| self.clients.get(id)) else {
            return;
        };
        found.count("app clients", &row.id, clients.len(), row.clients.len());
        for client in clients.iter().filter(|client| !row.clients.contains(client)) {
            found.orphan("app client", client);
        }
    }
}

/// Calls of the emulator, which asks nobody for a valid signature.
struct Aws {
    agent: Agent,
    endpoint: String,
    account: String,
}

impl Aws {
    fn authorization(&self, service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0",
            self.account
        )
    }

    fn json(&self, service: &str, target: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self
            .agent
            .post(&self.endpoint)
            .header("authorization", self.authorization(service))
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1")
            .send(body.to_string());
        let mut answer = answer.with_context(|| format!("{target} got no answer"))?;
        let status = answer.status();
        let text = answer
            .body_mut()
            .with_config()
            .limit(64 * 1024 * 1024)
            .read_to_string()?;
        if !status.is_success() {
            bail!("{target}: {status} {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }

    fn pages(
        &self,
        service: &str,
        target: &str,
        body: &Value,
        list: &str,
        token: &str,
    ) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut body = body.clone();
        loop {
            let mut page = self.json(service, target, &body)?;
            if let Some(items) = page[list].as_array_mut() {
                all.append(items);
            }
            match page[token].as_str() {
                Some(next) => body[token] = next.into(),
                None => return Ok(all),
            }
        }
    }

    fn more_tables(&self, mut page: Value) -> anyhow::Result<Vec<String>> {
        let mut all = Vec::new();
        loop {
            let names = page["TableNames"].as_array().into_iter().flatten();
            all.extend(names.filter_map(|name| name.as_str().map(str::to_owned)));
            let Some(last) = page["LastEvaluatedTableName"].as_str() else {
                return Ok(all);
            };
            page = self.json(
                "dynamodb",
                "DynamoDB_20120810.ListTables",
                &json!({ "ExclusiveStartTableName": last }),
            )?;
        }
    }

    /// Stacks that are there; deleted ones are told too, and left out.
    fn stacks(&self) -> anyhow::Result<Vec<String>> {
        let mut all = Vec::new();
        let mut token = String::new();
        loop {
            let mut form = "Action=DescribeStacks&Version=2010-05-15".to_owned();
            if !token.is_empty() {
                form = format!("{form}&NextToken={token}");
            }
            let answer = self
                .agent
                .post(&self.endpoint)
                .header("authorization", self.authorization("cloudformation"))
                .header("content-type", "application/x-www-form-urlencoded")
                .send(form);
            let mut answer = answer.context("DescribeStacks got no answer")?;
            let text = answer
                .body_mut()
                .with_config()
                .limit(64 * 1024 * 1024)
                .read_to_string()?;
            for stack in text.split("<StackName>").skip(1) {
                let (name, rest) = stack
                    .split_once("</StackName>")
                    .context("a stack without an end")?;
                let status = rest.split("<StackStatus>").nth(1).unwrap_or_default();
                if !status.starts_with("DELETE_COMPLETE") {
                    all.push(name.to_owned());
                }
            }
            match text
                .split("<NextToken>")
                .nth(1)
                .and_then(|rest| rest.split("</NextToken>").next())
            {
                Some(next) if !next.is_empty() => next.clone_into(&mut token),
                _ => return Ok(all),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "tnt_01jd7v0p3h8s5k2m4n6q9r1t0w";

    fn inventory() -> Inventory {
        let name = ID.replace("tnt_", "stepgate-");
        let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Inventory {
            stacks: text(&[&name, "stepgate-cell-demo"]),
            pools: vec![("p".to_owned(), name.clone())],
            secrets: text(&[
                &format!("stepgate/{ID}/settings-a"),
                &format!("stepgate/{ID}/credentials-b"),
            ]),
            tables: text(&[&format!("{name}-policies"), &format!("{name}-records")]),
            clients: BTreeMap::from([("p".to_owned(), text(&["c"]))]),
        }
    }

    fn rows() -> Rows {
        let row = TenantRow {
            id: ID.to_owned(),
            state: "active".to_owned(),
            ready: true,
            user_pool_id: Some("p".to_owned()),
            clients: vec!["c".to_owned()],
            open_operations: 0,
        };
        Rows { tenants: vec![row] }
    }

    fn counts(inventory: &Inventory, rows: &Rows, accepted: &[&str]) -> (usize, usize, usize) {
        let accepted = accepted.iter().map(|id| (*id).to_owned()).collect();
        let found = inventory.compare(rows, &accepted);
        (found.orphans, found.duplicates, found.lost)
    }

    #[test]
    fn what_belongs_together_is_clean_and_anything_else_is_counted() {
        assert_eq!(counts(&inventory(), &rows(), &[ID]), (0, 0, 0));
        assert_eq!(
            counts(&inventory(), &Rows::default(), &[ID]),
            (6, 0, 1),
            "no row: all of it is orphaned, the tenant lost"
        );
        let mut more = inventory();
        more.clients.get_mut("p").unwrap().push("d".to_owned());
        assert_eq!(
            counts(&more, &rows(), &[ID]),
            (1, 1, 0),
            "a client that no row knows"
        );
        let mut more = inventory();
        more.secrets
            .push("stepgate/tnt_00000000000000000000000000/settings-x".to_owned());
        assert_eq!(counts(&more, &rows(), &[ID]), (1, 0, 0));
        let mut fewer = inventory();
        fewer.tables.pop();
        assert_eq!(counts(&fewer, &rows(), &[ID]), (0, 0, 1));
        let mut reserved = rows();
        reserved.tenants[0].state = "awaiting_secret".to_owned();
        assert_eq!(counts(&inventory(), &reserved, &[]), (1, 0, 0));
    }
}
