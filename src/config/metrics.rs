//! Settings of metrics.

use super::{Settings, variable};
use crate::ids::TenantId;
use std::collections::BTreeSet;

/// Tenants with metrics of their own at most: each costs some dozens of series in every process.
const MAX_TENANTS: usize = 100;

impl Settings<'_> {
    /// Ids of tenants, with commas between them.
    pub(super) fn metrics_tenants(&mut self) -> BTreeSet<TenantId> {
        const KEY: &str = "metrics_tenants";
        let text = self.raw(KEY).unwrap_or_default();
        let ids = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let mut tenants = BTreeSet::new();
        for id in ids {
            match id.parse() {
                Ok(id) => drop(tenants.insert(id)),
                Err(_) => self.problems.push(format!(
                    "{} (`{KEY}`): `{id}` is not the id of a tenant",
                    variable(KEY)
                )),
            }
        }
        if tenants.len() > MAX_TENANTS {
            self.problems.push(format!(
                "{} (`{KEY}`): {} tenants are more than {MAX_TENANTS}",
                variable(KEY),
                tenants.len()
            ));
        }
        tenants
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn read(tenants: &str) -> Result<Config, super::super::ConfigError> {
        let of = |name: &str| match name {
            "STEPGATE_DATABASE_URL" => Some("postgres://u@h/d".to_owned()),
            "STEPGATE_METRICS_TENANTS" => Some(tenants.to_owned()),
            _ => None,
        };
        Config::read(of)
    }

    #[test]
    fn some_tenants_are_listed_and_not_all() {
        let id = |number: usize| format!("tnt_01jd7v0p3h8s5k2m4n6q9r1{number:03}");
        let list = |count: usize| (0..count).map(id).collect::<Vec<_>>().join(", ");
        assert!(read("").unwrap().metrics_tenants.is_empty());
        assert_eq!(read(&list(100)).unwrap().metrics_tenants.len(), 100);
        assert!(
            read(&list(101))
                .unwrap_err()
                .to_string()
                .contains("101 tenants are more than 100")
        );
    }
}
