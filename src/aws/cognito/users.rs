//! Users of a pool: found, looked at, signed out.

use super::Cognito;
use crate::{
    aws::AwsError,
    domain::user::{User, UserRecord, UserSub, Wanted},
};
use aws_sdk_cognitoidentityprovider::{
    operation::admin_get_user::AdminGetUserOutput,
    primitives::DateTime,
    types::{AttributeType, UserType},
};

const LIST: &str = "cognito-idp:ListUsers";
const GET: &str = "cognito-idp:AdminGetUser";
const SIGN_OUT: &str = "cognito-idp:AdminUserGlobalSignOut";
/// Users that share an e-mail address and are shown; where users sign in by e-mail there is one at most.
const FOUND_AT_MOST: i32 = 10;

impl Cognito {
    /// The users that are exactly what is looked for.
    pub async fn find_users(&self, pool_id: &str, wanted: &Wanted) -> Result<Vec<User>, AwsError> {
        let names = match wanted {
            // AdminGetUser knows names in either case, but takes a `sub` or an address for one too: compared below.
            Wanted::Username(name) => vec![name.clone()],
            Wanted::Sub(sub) => self.names(pool_id, "sub", sub.as_str()).await?,
            Wanted::Email(address) => self.names(pool_id, "email", address).await?,
        };
        let mut users = Vec::new();
        for name in names {
            users.extend(self.user(pool_id, &name).await?.filter(|user| is(user, wanted)));
        }
        Ok(users)
    }

    /// Ends every session of a user: refresh tokens and access tokens are revoked. `false` when there is no such user.
    pub async fn sign_out(&self, pool_id: &str, username: &str) -> Result<bool, AwsError> {
        let signed_out = self
            .client
            .admin_user_global_sign_out()
            .user_pool_id(pool_id)
            .username(username)
            .send()
            .await;
        match signed_out.map_err(|error| AwsError::from_sdk(SIGN_OUT, &error)) {
            Ok(_) => Ok(true),
            Err(error) if error.is(&["UserNotFoundException"]) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Some of a pool's users with everything that Cognito tells of them, and where to go on; `None` at the end.
    pub async fn user_records(
        &self,
        pool_id: &str,
        from: Option<String>,
    ) -> Result<(Vec<UserRecord>, Option<String>), AwsError> {
        let listed = self
            .client
            .list_users()
            .user_pool_id(pool_id)
            .set_pagination_token(from)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(LIST, &error))?;
        let next = listed.pagination_token;
        let users = listed.users.unwrap_or_default();
        Ok((users.into_iter().map(to_record).collect(), next))
    }

    /// Names of the users with this value of an attribute.
    async fn names(&self, pool_id: &str, attribute: &str, value: &str) -> Result<Vec<String>, AwsError> {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        let listed = self
            .client
            .list_users()
            .user_pool_id(pool_id)
            .filter(format!("{attribute} = \"{value}\""))
            .limit(FOUND_AT_MOST)
            .send()
            .await;
        let listed = there(listed.map_err(|error| AwsError::from_sdk(LIST, &error)))?;
        let users = listed.and_then(|listed| listed.users).unwrap_or_default();
        Ok(users
            .into_iter()
            .filter_map(|UserType { username, .. }| username)
            .collect())
    }

    /// A user by name; `None` when there is none.
    async fn user(&self, pool_id: &str, name: &str) -> Result<Option<User>, AwsError> {
        let read = self
            .client
            .admin_get_user()
            .user_pool_id(pool_id)
            .username(name)
            .send()
            .await;
        let Some(found) = there(read.map_err(|error| AwsError::from_sdk(GET, &error)))? else {
            return Ok(None);
        };
        from_sdk(&found)
            .map(Some)
            .ok_or_else(|| AwsError::incomplete(GET, "a `sub`"))
    }
}

/// Whether a user is what is looked for, by the one folding under which Cognito compares names and addresses here.
fn is(user: &User, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Sub(sub) => user.sub == *sub,
        Wanted::Username(name) => user.username.eq_ignore_ascii_case(name),
        Wanted::Email(address) => user
            .email
            .as_ref()
            .is_some_and(|email| email.eq_ignore_ascii_case(address)),
    }
}

/// What Cognito cannot even take for a name is nobody's name.
fn there<T>(answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is(&["UserNotFoundException", "InvalidParameterException"]) => Ok(None),
        Err(error) => Err(error),
    }
}

fn to_record(user: UserType) -> UserRecord {
    let attributes = user.attributes.unwrap_or_default().into_iter();
    UserRecord {
        username: user.username.unwrap_or_default(),
        status: user
            .user_status
            .map_or_else(|| "UNKNOWN".to_owned(), |status| status.as_str().to_owned()),
        enabled: user.enabled,
        created_at: time(user.user_create_date.as_ref()),
        updated_at: time(user.user_last_modified_date.as_ref()),
        attributes: attributes
            .filter_map(|attribute| Some((attribute.name, attribute.value?)))
            .collect(),
    }
}

fn time(time: Option<&DateTime>) -> Option<chrono::DateTime<chrono::Utc>> {
    time.and_then(|time| chrono::DateTime::from_timestamp(time.secs(), 0))
}

fn from_sdk(found: &AdminGetUserOutput) -> Option<User> {
    let attribute = |name: &str| {
        let attributes = found.user_attributes().iter();
        attributes
            .filter(|attribute| attribute.name() == name)
            .find_map(AttributeType::value)
    };
    Some(User {
        sub: attribute("sub")?.parse::<UserSub>().ok()?,
        username: found.username().to_owned(),
        email: attribute("email").map(str::to_owned),
        email_verified: attribute("email_verified") == Some("true"),
        status: found
            .user_status()
            .map_or("UNKNOWN", |status| status.as_str())
            .to_owned(),
        enabled: found.enabled(),
        native_mfa: found.user_mfa_setting_list().to_vec(),
        created_at: time(found.user_create_date()),
        updated_at: time(found.user_last_modified_date()),
    })
}
