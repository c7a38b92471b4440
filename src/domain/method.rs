//! The methods of a tenant: those it has beside the shipped catalogue, and what its provider returned for each.

use super::{blockid::BlockIdConnection, validation::Problems};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use step_up::{
    assurance::{Method, catalogue_with, check_extra_methods},
    settings::ObservedMethod,
};

/// Most methods beside the shipped ones: the triggers' settings have room for every recording.
pub const MAX_EXTRA_METHODS: usize = 16;

/// What is known of a tenant's methods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantMethods {
    /// Methods beside the shipped catalogue.
    pub extra: Vec<Method>,
    /// What was learned in pilot step-ups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learned: Option<LearnedMethods>,
}

/// What a provider returned per method. It says nothing about another provider or community.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedMethods {
    tenant_dns: String,
    community: String,
    methods: BTreeMap<String, ObservedMethod>,
}

impl LearnedMethods {
    fn is_about(&self, connection: &BlockIdConnection) -> bool {
        self.tenant_dns == connection.tenant_dns && self.community == connection.community
    }
}

impl TenantMethods {
    /// Every method: the shipped ones and the tenant's own.
    pub fn catalogue(&self) -> Vec<Method> {
        catalogue_with(&self.extra)
    }

    /// One of them.
    pub fn find(&self, acr: &str) -> Option<Method> {
        self.catalogue().into_iter().find(|method| method.acr == acr)
    }

    /// What was learned under this connection; empty when it was another's.
    pub fn observed(&self, connection: &BlockIdConnection) -> BTreeMap<String, ObservedMethod> {
        let learned = self.learned.as_ref();
        let learned = learned.filter(|learned| learned.is_about(connection));
        learned.map(|learned| learned.methods.clone()).unwrap_or_default()
    }

    /// Enters what was learned about a method.
    pub fn learn(&mut self, connection: &BlockIdConnection, acr: &str, observed: ObservedMethod) {
        let mut methods = self.observed(connection);
        methods.insert(acr.to_owned(), observed);
        self.learned = Some(LearnedMethods {
            tenant_dns: connection.tenant_dns.clone(),
            community: connection.community.clone(),
            methods,
        });
    }

    /// Puts other methods beside the shipped ones. What was learned about those that go is forgotten.
    #[must_use]
    pub fn with_extra(mut self, extra: Vec<Method>, problems: &mut Problems) -> Self {
        problems.require(
            extra.len() <= MAX_EXTRA_METHODS,
            "",
            "too_many",
            format!("a tenant has at most {MAX_EXTRA_METHODS} methods of its own"),
        );
        for mistake in check_extra_methods(&extra) {
            let pointer = format!("/{}/{}", mistake.index, mistake.field);
            problems.add(&pointer, "invalid", mistake.message);
        }
        self.extra = extra;
        let catalogue = self.catalogue();
        if let Some(learned) = &mut self.learned {
            let known = |acr: &String| catalogue.iter().any(|method| method.acr == *acr);
            learned.methods.retain(|acr, _| known(acr));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(tenant_dns: &str) -> BlockIdConnection {
        BlockIdConnection {
            tenant_dns: tenant_dns.into(),
            community: "default".into(),
            client_id: "x".into(),
            extra_ca_pem: None,
        }
    }

    fn fido2() -> Method {
        serde_json::from_str(
            r#"{"acr": "fido2", "label": "Passkey", "max_aal": 3, "phishing_resistant": true}"#,
        )
        .unwrap()
    }

    #[test]
    fn what_was_learned_of_one_provider_says_nothing_of_another() {
        let (here, there) = (connection("a.example"), connection("b.example"));
        let mut methods = TenantMethods::default();
        methods.learn(&here, "otp", ObservedMethod::default());
        methods.learn(&here, "otp sms", ObservedMethod::default());
        assert_eq!(methods.observed(&here).len(), 2);
        assert!(methods.observed(&there).is_empty());
        methods.learn(&there, "otp", ObservedMethod::default());
        assert_eq!(methods.observed(&there).len(), 1);
        assert!(
            methods.observed(&here).is_empty(),
            "the first provider's map is gone"
        );
    }

    #[test]
    fn what_was_learned_of_a_method_goes_with_it() {
        let here = connection("a.example");
        let mut problems = Problems::new();
        let mut methods = TenantMethods::default().with_extra(vec![fido2()], &mut problems);
        methods.learn(&here, "fido2", ObservedMethod::default());
        methods.learn(&here, "otp", ObservedMethod::default());
        let methods = methods.with_extra(Vec::new(), &mut problems);
        problems.finish().unwrap();
        assert_eq!(methods.observed(&here).into_keys().collect::<Vec<_>>(), ["otp"]);
        assert!(methods.find("fido2").is_none() && methods.find("otp").is_some());
    }

    #[test]
    fn mistakes_name_the_field_of_the_method() {
        let mut problems = Problems::new();
        let shipped = Method {
            acr: "otp email".into(),
            ..fido2()
        };
        let odd = Method {
            label: " ".into(),
            max_aal: 4,
            ..fido2()
        };
        drop(TenantMethods::default().with_extra(vec![fido2(), shipped, odd], &mut problems));
        let error = problems.finish().unwrap_err();
        let pointers: Vec<_> = error
            .fields()
            .iter()
            .map(|field| field.pointer.as_str())
            .collect();
        assert_eq!(pointers, ["/1/acr", "/2/acr", "/2/label", "/2/max_aal"]);
    }
}
