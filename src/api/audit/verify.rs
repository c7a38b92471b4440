//! `POST /v1/audit:verify`

use crate::{
    Context,
    api::{
        extract::{AsReader, Body, Caller, RequestBody},
        respond::{Answer, ok},
    },
    domain::{object::objects_only, validation::Problems},
    ids::AuditId,
    usecases::audit_trail::{self, KnownHead, Verification},
};
use actix_web::{post, web::Data};
use serde::{Deserialize, Serialize};

/// Heads that one call may bring.
const MAX_HEADS: usize = 100;
/// Longest name of a chain, characters.
const MAX_CHAIN_CHARS: usize = 64;

/// What the caller knows of the chains.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"heads": []}))]
pub struct VerifyAudit {
    /// Heads that were written down earlier, for example from the worker's log or an export. A chain that was cut or
    /// made anew is only told by them.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub heads: Vec<AuditHead>,
}

/// A place in a chain and the hash there.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct AuditHead {
    /// Id of the partner, or `installation`.
    #[schema(example = "ptn_01jd7v0p3h8s5k2m4n6q9r1t0w", max_length = 64)]
    pub chain: String,
    /// Place, from 1.
    #[schema(minimum = 1)]
    pub sequence: i64,
    /// Hash there, hexadecimal.
    #[schema(
        pattern = "^[0-9a-f]{64}$",
        example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    )]
    pub hash: String,
}

objects_only!(AuditHead and Serialize);
objects_only!(VerifyAudit);

impl RequestBody for VerifyAudit {}

/// What was found.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AuditVerification {
    /// Whether everything is as it was sealed.
    pub sound: bool,
    /// Seals that were computed again.
    #[schema(minimum = 0)]
    pub checked: u64,
    /// The chains that the caller may see, with their ends.
    pub heads: Vec<AuditHead>,
    /// What is wrong; the first 100 findings.
    pub findings: Vec<AuditFinding>,
}

/// Something that is wrong.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AuditFinding {
    /// `changed`: the entry is not the one that was sealed. `removed`: it is gone. `gap`: a seal is gone. `unsealed`: it
    /// has none although it is old enough. `head_differs`: the chain does not have the head that was given.
    #[schema(pattern = "^(changed|removed|gap|unsealed|head_differs)$")]
    pub kind: &'static str,
    /// Id of the partner, or `installation`.
    pub chain: String,
    /// Place in the chain.
    pub sequence: Option<i64>,
    /// The entry, where it is still there.
    pub entry_id: Option<AuditId>,
}

impl From<Verification> for AuditVerification {
    fn from(verification: Verification) -> Self {
        let heads = verification.chains.into_iter().map(|(chain, head)| AuditHead {
            chain,
            sequence: head.sequence,
            hash: head.hash.to_string(),
        });
        let findings = verification.findings.into_iter().map(|finding| AuditFinding {
            kind: finding.kind.as_str(),
            chain: finding.chain,
            sequence: finding.sequence,
            entry_id: finding.entry_id,
        });
        let findings: Vec<_> = findings.collect();
        Self {
            sound: findings.is_empty(),
            checked: verification.checked,
            heads: heads.collect(),
            findings,
        }
    }
}

/// Check the seals of the audit log.
///
/// Computes every seal again that the caller may see: partners check their own chain, operators and auditors all.
/// Changes nothing. What is wrong is told by entry and chain.
#[utoipa::path(
    operation_id = "verifyAudit", tag = "audit",
    request_body = VerifyAudit,
    responses((status = 200, description = "What was checked and found", body = AuditVerification))
)]
#[post("/v1/audit:verify")]
pub(crate) async fn verify_audit(
    caller: Caller<AsReader>,
    context: Data<Context>,
    body: Body<VerifyAudit>,
) -> Answer {
    let heads = body.0.heads;
    let mut problems = Problems::new();
    problems.require(
        heads.len() <= MAX_HEADS,
        "/heads",
        "too_many",
        format!("at most {MAX_HEADS} heads"),
    );
    for (index, head) in heads.iter().enumerate() {
        let pointer = |member: &str| format!("/heads/{index}/{member}");
        problems.require(
            head.chain.chars().count() <= MAX_CHAIN_CHARS,
            &pointer("chain"),
            "too_long",
            format!("at most {MAX_CHAIN_CHARS} characters"),
        );
        problems.require(
            head.sequence >= 1,
            &pointer("sequence"),
            "too_small",
            "at least 1",
        );
        problems.require(
            is_hash(&head.hash),
            &pointer("hash"),
            "invalid",
            "must be 64 hexadecimal digits in lower case",
        );
    }
    problems.finish()?;
    let known: Vec<_> = heads
        .into_iter()
        .map(
            |AuditHead {
                 chain,
                 sequence,
                 hash,
             }| KnownHead {
                chain,
                sequence,
                hash,
            },
        )
        .collect();
    let verification = audit_trail::verify(&context, &caller.request, &known).await?;
    Ok(ok(&AuditVerification::from(verification)))
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
