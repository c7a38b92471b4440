//! The switches: what 1Kosmos does not publish, and faults.
//!
//! A community starts with the behaviour of its configuration; `PUT /sim/communities/{community}/behaviour`
//! replaces it at run time. A step-up completed with `POST /sim/step-ups` may carry faults of its own,
//! which hit only its code.

use serde::{Deserialize, Serialize};

/// How a community behaves. Every member has a default; the defaults are what we expect of BlockID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Where the metadata document is.
    pub metadata_place: MetadataPlace,
    /// Form of `issuer` and `iss`.
    pub issuer: IssuerForm,
    /// PKCE (RFC 7636) with S256.
    pub pkce: Pkce,
    /// How a client may authenticate at the token endpoint.
    pub client_auth: ClientAuth,
    /// Whether `nonce` comes back in the id_token.
    pub nonce_echo: bool,
    /// What `sub` is made of.
    pub subject: SubjectForm,
    /// Claim that carries the user name.
    pub username_claim: UsernameClaim,
    /// Form of `acr`.
    pub acr: ValueForm,
    /// Form of `amr`. A list is by the book.
    pub amr: ValueForm,
    /// Form of `auth_time`.
    pub auth_time: TimeForm,
    /// `email_verified`; `None` leaves it out.
    pub email_verified: Option<bool>,
    /// Identity assurance level in `amr` (`/assurance/ial/{level}/`) for requests that ask for proofing.
    pub ial: Option<u8>,
    /// How long a code lives, s.
    pub code_lifetime_s: i64,
    /// How long an id_token lives, s.
    pub id_token_lifetime_s: i64,
    /// Age of a provider session, s. A request without `prompt=login` and `max_age` is then answered
    /// from that session: `auth_time` is so much in the past. `None`: there is never a session.
    pub session_age_s: Option<i64>,
    /// Whether `/caas/sd` answers.
    pub service_directory: bool,
    /// Most token calls a minute; more are answered with 429.
    pub token_calls_per_min: Option<u32>,
    /// Algorithms listed in the metadata instead of the community's own.
    pub listed_algorithms: Option<Vec<String>>,
    /// Token endpoint listed in the metadata instead of our own: where a hostile provider would point.
    pub listed_token_endpoint: Option<String>,
    /// Key set URL listed in the metadata instead of our own.
    pub listed_jwks_uri: Option<String>,
    /// `frame-ancestors` of the authorize page; without it any site may show the page.
    pub frame_ancestors: Option<String>,
    /// Faults of every token call.
    pub faults: Vec<Fault>,
    /// Faults of the metadata document (those of transport).
    pub metadata_faults: Vec<Fault>,
    /// Faults of the key set (those of transport).
    pub jwks_faults: Vec<Fault>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            metadata_place: MetadataPlace::Community,
            issuer: IssuerForm::Community,
            pkce: Pkce::Optional,
            client_auth: ClientAuth::Basic,
            nonce_echo: true,
            subject: SubjectForm::Opaque,
            username_claim: UsernameClaim::Username,
            acr: ValueForm::Text,
            amr: ValueForm::List,
            auth_time: TimeForm::Number,
            email_verified: Some(true),
            ial: Some(2),
            code_lifetime_s: 60,
            id_token_lifetime_s: 300,
            session_age_s: None,
            service_directory: true,
            token_calls_per_min: None,
            listed_algorithms: None,
            listed_token_endpoint: None,
            listed_jwks_uri: None,
            frame_ancestors: None,
            faults: Vec::new(),
            metadata_faults: Vec::new(),
            jwks_faults: Vec::new(),
        }
    }
}

macro_rules! choices {
    ($(#[doc = $doc:literal] $name:ident { $(#[doc = $variant_doc:literal] $variant:ident,)+ })+) => { $(
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $(#[doc = $variant_doc] $variant,)+ }
    )+ };
}

choices! {
    /// Where the metadata document is. The root always answers HTML otherwise.
    MetadataPlace {
        /// `/oauth2/community/{community}/v1/.well-known/openid-configuration`
        Community,
        /// `/oauth2/community/{community}/.well-known/openid-configuration`
        CommunityWithoutVersion,
        /// `/.well-known/openid-configuration/oauth2/community/{community}/v1`
        WellKnownFirst,
        /// `/.well-known/openid-configuration`
        Root,
        /// Only behind another base path, named by `/caas/sd`: `/services/oauth2/community/…`
        ServiceDirectory,
        /// Nowhere.
        Nowhere,
    }
    /// Form of the issuer.
    IssuerForm {
        /// `https://{tenant}/oauth2/community/{community}/v1`
        Community,
        /// `https://{tenant}`
        Host,
        /// Another host: what a wrong tenant name leads to.
        Foreign,
    }
    /// PKCE.
    Pkce {
        /// Not offered, ignored.
        Unknown,
        /// Offered with S256, checked when used.
        Optional,
        /// A request without it is refused.
        Required,
    }
    /// Client authentication.
    ClientAuth {
        /// `client_secret_basic`
        Basic,
        /// `client_secret_post`
        Post,
        /// Either.
        Both,
    }
    /// What `sub` is made of.
    SubjectForm {
        /// A UUID derived from community and user name.
        Opaque,
        /// The user name.
        Username,
        /// The e-mail address.
        Email,
    }
    /// Which claim carries the user name.
    UsernameClaim {
        /// `username`
        Username,
        /// `preferred_username`
        PreferredUsername,
        /// None.
        Absent,
    }
    /// Form of `acr` and `amr`.
    ValueForm {
        /// One text.
        Text,
        /// A list of texts.
        List,
        /// Left out.
        Absent,
    }
    /// Form of `auth_time`.
    TimeForm {
        /// Seconds as number.
        Number,
        /// Seconds as text.
        Text,
        /// Left out.
        Absent,
    }
}

/// Something that goes wrong. JSON: `"bad_signature"`, `{"slow_ms": 4000}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Transport: answers after so many ms.
    SlowMs(u64),
    /// Transport: never answers.
    Hang,
    /// Transport: answers with this status and no body.
    Status(u16),
    /// Transport: answers a page with status 200.
    Html,
    /// Transport: redirects to this URL.
    Redirect(String),
    /// Transport: answers so many bytes of JSON, in chunks.
    HugeBody(usize),
    /// Transport: announces a body and ends in the middle of it.
    CutOff,
    /// Transport: answers JSON that is not.
    BrokenJson,
    /// Refuses the client.
    InvalidClient,
    /// Refuses the code.
    InvalidGrant,
    /// Refuses with this OAuth error.
    OauthError(String),
    /// Answers without an id_token.
    NoIdToken,
    /// The id_token is not a JWT.
    Garbled,
    /// One bit of the signature is wrong.
    BadSignature,
    /// `alg` is `none`, no signature.
    AlgNone,
    /// `alg` is `HS256` with the public key (PEM) as secret.
    AlgHs256PublicKey,
    /// `alg` is `HS256` with the client secret.
    AlgHs256ClientSecret,
    /// `kid` is one that no key set has.
    UnknownKid,
    /// No `kid`.
    NoKid,
    /// Signed by another community's key, under that key's id.
    ForeignKey,
    /// Signed by another community's key, under our key's id.
    ForeignKeySameKid,
    /// Rotates the community's key, dropping the old one, then signs with the new key.
    RotatedKeys,
    /// `iss` is another.
    WrongIss,
    /// `aud` is another.
    WrongAud,
    /// `aud` is a list of our client and another.
    ExtraAud,
    /// `aud` is a list of our client alone; legal.
    ListAud,
    /// `azp` is another.
    WrongAzp,
    /// `exp` is in the past.
    Expired,
    /// `iat` is ten minutes in the future.
    IssuedInFuture,
    /// `iat` is ten minutes in the past.
    OldIat,
    /// `auth_time` is a day in the past.
    OldAuthTime,
    /// The step-up was made by this user.
    OtherUser(String),
    /// No `nonce`.
    MissingNonce,
    /// Another `nonce`.
    WrongNonce,
    /// `acr` and `amr` say this method was used.
    Method(String),
    /// No `acr`.
    NoAcr,
    /// No `amr`.
    NoAmr,
    /// No `auth_time`.
    NoAuthTime,
    /// This identity assurance level is in `amr`.
    Ial(u8),
    /// This `email`.
    Email(String),
    /// This `email_verified`.
    EmailVerified(bool),
}
