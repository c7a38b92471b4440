//! Databases of a test's own, beside the installation's.

use crate::installation::Installation;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use url::Url;

/// A database of one test's own.
pub(super) struct Scratch {
    pub(super) name: String,
    pub(super) admin: Url,
    pub(super) url: Url,
}

impl Scratch {
    pub(super) async fn make(installation: &Installation, what: &str) -> Self {
        let admin = Url::parse(installation.database_url()).expect("a URL");
        let name = format!("{}_{what}", admin.path().trim_start_matches('/'));
        let mut url = admin.clone();
        url.set_path(&name);
        let scratch = Self { name, admin, url };
        scratch
            .administrate(&format!("CREATE DATABASE {}", scratch.name))
            .await;
        scratch
    }

    pub(super) async fn administrate(&self, statement: &str) {
        let mut connection = PgConnection::connect(self.admin.as_str())
            .await
            .expect("the server");
        run(&mut connection, statement).await.expect(statement);
    }

    pub(super) async fn connect(&self) -> PgConnection {
        PgConnection::connect(self.url.as_str())
            .await
            .expect("the database")
    }

    /// The same database for another user.
    pub(super) fn url_of(&self, user: &str, password: &str) -> String {
        let mut url = self.url.clone();
        url.set_username(user).expect("a URL with a user");
        url.set_password(Some(password)).expect("a URL with a password");
        url.to_string()
    }

    pub(super) async fn drop(self) {
        self.administrate(&format!("DROP DATABASE {} WITH (FORCE)", self.name))
            .await;
    }
}

/// Runs statements.
pub(super) async fn run(connection: &mut PgConnection, statement: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .map(drop)
}
