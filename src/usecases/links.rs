//! Links between users and BlockID subjects, as an administrator sees, makes and removes them. They are items of the
//! tenant's `records` table, which *verify* reads at each step-up; the control plane keeps none.

use super::{
    Request, audit,
    idempotency::Once,
    users::{administered, asked, entry, place, write_down},
};
use crate::{
    Context, Error, Result,
    aws::records::LinkMade,
    domain::{
        audit::AuditAction,
        user::{SUBJECT_MAX_CHARS, UserSub},
        validation::Problems,
    },
    error::{Code, FieldError},
    ids::TenantId,
    storage::{Cursor, Page, PageRequest},
};
use chrono::DateTime;
use serde_json::json;
use step_up::{
    link::{BY_ADMINISTRATOR, Link},
    record_keys::link_id,
};

/// How long after it was made the same link counts as made by a try that failed afterwards, s.
const TRY_AGAIN_WITHIN_S: i64 = 300;

/// What a caller gives.
pub struct NewLink {
    /// `iss` of the provider; without it the tenant's.
    pub issuer: Option<String>,
    /// `sub` at the provider.
    pub subject: String,
    /// Why, and how it was verified who the user is.
    pub reason: String,
}

/// What became of unlinking.
pub struct Unlinked {
    /// Whether there was such a link. If not, everything else was done all the same.
    pub unlinked: bool,
    /// Links that the user still has.
    pub links: Vec<Link>,
}

/// Links of a user, oldest first. A user who does not exist any more may still have some.
#[tracing::instrument(target = "stepgate::trace", name = "links.list", skip_all)]
pub async fn list(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    sub: &UserSub,
    page: &PageRequest,
) -> Result<Page<Link>> {
    let scope = request.actor.reader()?;
    let place = place(context, &scope, tenant_id).await?;
    // The table has them in the order of their providers' hashes, all together: one a provider that the tenant had.
    let links = asked(place.records.links(sub.as_str())).await?;
    Ok(page.of_all(links, |link| Cursor {
        created_at: DateTime::from_timestamp(link.made_at_unix_s, 0).unwrap_or_default(),
        id: link_id(&link.issuer),
    }))
}

/// Links a user to a subject: one subject, one user, per pool. Once for all repeats of the request.
#[tracing::instrument(target = "stepgate::trace", name = "links.make_once", skip_all)]
pub async fn make_once(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    sub: &UserSub,
    new: NewLink,
    once: &Once<'_, Link>,
) -> Result<Link> {
    let (place, scope) = administered(context, request, tenant_id, &new.reason).await?;
    let mut problems = Problems::new();
    problems.name("/subject", &new.subject, SUBJECT_MAX_CHARS);
    let issuer = new.issuer.unwrap_or_else(|| place.issuer.clone());
    let detail = "is not the issuer of the tenant's provider: a link to it would never hold";
    problems.require(issuer == place.issuer, "/issuer", "not_the_provider", detail);
    problems.finish()?;
    place.user(sub).await?.ok_or_else(|| Error::not_found("user"))?;

    let now = context.clock.now();
    let mut link = Link {
        user_sub: sub.to_string(),
        issuer,
        subject: new.subject,
        community: place.community.clone(),
        made_by: BY_ADMINISTRATOR.to_owned(),
        actor: Some(request.actor.id()),
        made_at_unix_s: now.timestamp(),
    };
    let detail = json!({ "link_id": link_id(&link.issuer), "issuer": link.issuer });
    let entry = entry(tenant_id, sub, AuditAction::UserLinked, new.reason, detail);
    // Entry and link, or neither. Should the commit fail after all, the item itself still says who made it.
    let mut tx = context.db.begin(&scope).await?;
    audit::record(&mut tx, context, request, &scope, &entry, now).await?;
    match asked(place.records.make_link(&link)).await?.value {
        LinkMade::Yes => {}
        LinkMade::UserIsLinked => {
            // An earlier try of this very caller may have made the link and then failed to write that down.
            let present = asked(place.records.links(sub.as_str())).await?;
            let own = present.into_iter().find(|present| {
                let as_asked = Link {
                    made_at_unix_s: present.made_at_unix_s,
                    ..link.clone()
                };
                *present == as_asked && now.timestamp() - present.made_at_unix_s < TRY_AGAIN_WITHIN_S
            });
            let detail = "The user has a link already: unlink it first.";
            link = own.ok_or_else(|| taken("", "user_linked", detail))?;
        }
        LinkMade::SubjectIsLinked => {
            let detail = "The subject belongs to another user of this pool.";
            return Err(taken("/subject", "subject_linked", detail));
        }
    }
    once.record(&mut tx, &link).await?;
    tx.commit().await?;
    tracing::info!(tenant_id = %tenant_id, user_sub = %sub, "a user was linked by hand");
    Ok(link)
}

/// Removes a link, deletes what step-ups left behind and signs the user out everywhere. May be repeated after a failure:
/// whatever was done already is done again.
#[tracing::instrument(target = "stepgate::trace", name = "links.unlink", skip_all)]
pub async fn unlink(
    context: &Context,
    request: &Request,
    tenant_id: TenantId,
    (sub, id): (&UserSub, &str),
    reason: String,
) -> Result<Unlinked> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if id.len() != 64 || !id.bytes().all(hex) {
        return Err(Error::not_found("link"));
    }
    let (place, scope) = administered(context, request, tenant_id, &reason).await?;
    let user = place.user(sub).await?;
    let links = asked(place.records.links(sub.as_str())).await?;
    if user.is_none() && links.is_empty() {
        return Err(Error::not_found("user"));
    }
    let (of_id, mut others): (Vec<Link>, Vec<Link>) =
        links.into_iter().partition(|link| link_id(&link.issuer) == id);
    let detail = json!({ "link_id": id, "issuer": of_id.first().map(|link| &link.issuer) });
    write_down(
        context,
        request,
        &scope,
        entry(tenant_id, sub, AuditAction::UserUnlinked, reason, detail),
    )
    .await?;
    let mut unlinked = false;
    // The link goes first: from then on no step-up of that subject counts for this user, and none is written.
    for link in of_id {
        unlinked = asked(place.records.remove_link(&link)).await?.value;
        if !unlinked {
            others.push(link);
        }
    }
    place.end_sessions(sub, user.as_ref()).await?;
    tracing::info!(tenant_id = %tenant_id, user_sub = %sub, unlinked, "a user was unlinked");
    Ok(Unlinked {
        unlinked,
        links: others,
    })
}

fn taken(pointer: &str, code: &str, detail: &str) -> Error {
    Error::new(Code::LinkTaken, detail).with_fields(vec![FieldError::new(pointer, code, detail)])
}
