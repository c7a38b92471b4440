//! `POST /v1/tenants/{tenant_id}/users:export`

use crate::{
    Context, Error, Result,
    api::{
        csv::field,
        extract::{AsAdministrator, Body, Caller, PathIds, RequestBody},
        respond::Answer,
    },
    domain::{object::objects_only, text_enum, user::UserRecord},
    ids::TenantId,
    usecases::user_exports::Export,
};
use actix_web::{
    HttpResponse,
    http::header,
    post,
    web::{Bytes, Data},
};
use futures_util::stream;
use serde::Deserialize;

text_enum! {
    /// Form of an export.
    ExportFormat {
        /// One JSON object a line, with every attribute as it is.
        Ndjson => "ndjson",
        /// A table (RFC 4180) with a column for each of Cognito's attributes and each custom one. A value that a
        /// spreadsheet would take for a formula gets a `'` before it.
        Csv => "csv",
    }
}

/// What is exported, and why.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schema(example = json!({"format": "ndjson", "reason": "Contract 4711 ended"}))]
pub struct UserExportRequest {
    /// Form of the answer.
    #[serde(default = "lines")]
    #[schema(default = "ndjson")]
    pub format: ExportFormat,
    /// For the audit log, in the caller's words.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

objects_only!(UserExportRequest);

impl RequestBody for UserExportRequest {}

const fn lines() -> ExportFormat {
    ExportFormat::Ndjson
}

/// A user with all that Cognito tells: a line of an export.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub struct ExportedUser {
    /// Cognito's user name; a UUID where users sign in by e-mail.
    pub username: String,
    /// Cognito's status of the account.
    pub status: String,
    /// Whether the account is enabled.
    pub enabled: bool,
    /// When the account was made.
    pub created_at: Option<chrono::DateTime<chrono::Utc>>,
    /// When it was last changed.
    pub updated_at: Option<chrono::DateTime<chrono::Utc>>,
    /// Every attribute by name, `sub` and the custom ones among them.
    pub attributes: std::collections::BTreeMap<String, String>,
}

impl From<UserRecord> for ExportedUser {
    fn from(user: UserRecord) -> Self {
        Self {
            username: user.username,
            status: user.status,
            enabled: user.enabled,
            created_at: user.created_at,
            updated_at: user.updated_at,
            attributes: user.attributes,
        }
    }
}

/// Attributes that every pool has (OpenID Connect Core 1.0, section 5.1).
const ATTRIBUTES: [&str; 19] = [
    "sub",
    "address",
    "birthdate",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "website",
    "zoneinfo",
];

/// Export all users of a tenant.
///
/// For partner administrators and operators; also of a deleted tenant, before it is purged. Users come straight from
/// Cognito, as a stream, and are stored nowhere. Passwords cannot be had from Cognito. Both beginning and end are
/// written into the audit log. If something fails on the way the connection is broken off: an answer that ends properly
/// is complete, and only such a one counts as the export that a purge asks for.
#[utoipa::path(
    operation_id = "exportUsers", tag = "users",
    params(("tenant_id" = TenantId, Path, description = "The tenant")),
    request_body = UserExportRequest,
    responses((status = 200, description = "Users, one a line", content(
        (ExportedUser = "application/x-ndjson"), (String = "text/csv")))),
    extensions(("x-problems" = json!(["tenant_state", "cell_unavailable"])))
)]
#[post("/v1/tenants/{tenant_id}/users:export")]
pub(crate) async fn export_users(
    caller: Caller<AsAdministrator>,
    context: Data<Context>,
    id: PathIds<TenantId>,
    body: Body<UserExportRequest>,
) -> Answer {
    let Body(UserExportRequest { format, reason }) = body;
    let export = Export::begin(&context, &caller.request, id.0, reason).await?;
    let mut writer = Writer { export, format };
    // The first part is read before the answer begins: what fails there is told as a problem.
    let mut first = writer.head();
    if let Some(users) = writer.next().await? {
        first.extend(users);
    }
    let rest = stream::try_unfold((Some(first), writer), |(part, mut writer)| async move {
        let Some(part) = part else { return Ok(None) };
        let next = writer.next().await.inspect_err(|error| {
            tracing::error!(%error, "an export of users broke off");
        })?;
        Ok::<_, Error>(Some((Bytes::from(part), (next, writer))))
    });
    let (media_type, file) = match format {
        ExportFormat::Ndjson => ("application/x-ndjson", "users.ndjson"),
        ExportFormat::Csv => ("text/csv; charset=utf-8", "users.csv"),
    };
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{file}\""),
        ))
        .streaming(rest))
}

struct Writer {
    export: Export,
    format: ExportFormat,
}

impl Writer {
    fn columns(&self) -> impl Iterator<Item = &str> {
        let custom = self.export.custom_attributes.iter().map(String::as_str);
        ATTRIBUTES.into_iter().chain(custom)
    }

    /// What comes before the first user.
    fn head(&self) -> Vec<u8> {
        match self.format {
            ExportFormat::Ndjson => Vec::new(),
            ExportFormat::Csv => {
                let own = ["username", "status", "enabled", "created_at", "updated_at"];
                let names: Vec<_> = own.into_iter().chain(self.columns()).map(field).collect();
                format!("{}\r\n", names.join(",")).into_bytes()
            }
        }
    }

    /// The next users in the form of the export; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(users) = self.export.next().await? else {
            return Ok(None);
        };
        let mut text = Vec::new();
        for user in users {
            match self.format {
                ExportFormat::Ndjson => {
                    serde_json::to_writer(&mut text, &ExportedUser::from(user))?;
                    text.push(b'\n');
                }
                ExportFormat::Csv => text.extend(self.line(&user).into_bytes()),
            }
        }
        Ok(Some(text))
    }

    fn line(&self, user: &UserRecord) -> String {
        let time = |time: Option<chrono::DateTime<chrono::Utc>>| {
            time.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
                .unwrap_or_default()
        };
        let own = [
            user.username.clone(),
            user.status.clone(),
            user.enabled.to_string(),
            time(user.created_at),
            time(user.updated_at),
        ];
        let attributes = self.columns().map(|name| {
            let value = user.attributes.get(name);
            field(value.map(String::as_str).unwrap_or_default())
        });
        let fields: Vec<_> = own.iter().map(|text| field(text)).chain(attributes).collect();
        format!("{}\r\n", fields.join(","))
    }
}
