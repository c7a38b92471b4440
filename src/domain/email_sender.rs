//! What Cognito accepts as the sender of a pool's e-mail.

use super::{pool::EmailSender, validation::Problems};

impl EmailSender {
    /// Checks address and ARN as Cognito does when the pool is made.
    pub(super) fn validate(&self, problems: &mut Problems) {
        let address = match self.from.rsplit_once('<') {
            Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
            None => self.from.as_str(),
        };
        let well_formed = address.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && domain.contains('.')
                && !domain.contains(['@', ' '])
                && !domain.starts_with('.')
        });
        problems.require(
            well_formed && self.from.len() <= 320 && !self.from.chars().any(char::is_control),
            "/from",
            "not_an_address",
            "must be an e-mail address, alone or as `Name <address>`",
        );
        let parts: Vec<_> = self.ses_identity_arn.splitn(6, ':').collect();
        let is_identity = matches!(parts.as_slice(), ["arn", partition, "ses", region, account, resource]
            if partition.starts_with("aws") && !region.is_empty()
                && account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
                && resource.strip_prefix("identity/").is_some_and(|name| !name.is_empty()));
        problems.require(
            is_identity && (20..=2048).contains(&self.ses_identity_arn.len()),
            "/ses_identity_arn",
            "not_an_arn",
            "must be the ARN of an SES identity, `arn:aws:ses:{region}:{account}:identity/{name}`",
        );
    }
}
